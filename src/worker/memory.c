#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "worker/worker.h"

#define PROC_FILE_MAX 8192 /* both files have about 1.5 KB */

/* The number after "\nNAME:" in a file of /proc/self; -1 = not there. */
static int64_t read_kb(const char *path, const char *name)
{
    char text[PROC_FILE_MAX];
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = 0, got = 0;
    while (fd >= 0 && (size_t)size < sizeof(text) - 1 &&
           (got = read(fd, text + size, sizeof(text) - 1 - (size_t)size)) > 0) {
        size += got;
    }
    text[size] = '\0';
    size_t name_size = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, name_size) == 0 && line[name_size] == ':') {
            return strtoll(line + name_size + 1, NULL, 10);
        }
    }
    return -1;
}

struct worker_memory worker_memory_read(void)
{
    return (struct worker_memory){
        .pss_kb = read_kb("/proc/self/smaps_rollup", "Pss"),
        .pss_peak_kb = read_kb("/proc/self/status", "VmHWM"),
    };
}
