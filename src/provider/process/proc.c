#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/system.h"
#include "provider/process/process_priv.h"

/* Reads a small file of /proc whole. Bytes read, or -errno. */
static ssize_t read_file(const char *path, char *data, size_t size)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t got = read(fd, data, size - 1);
    if (got < 0) {
        return -errno;
    }
    data[got] = '\0';
    return got;
}

uint64_t proc_start_time(pid_t pid)
{
    char path[64], data[1024];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_file(path, data, sizeof(data)) <= 0) {
        return 0;
    }
    const char *at = strrchr(data, ')'); /* the name before it may hold anything */
    uint64_t ticks = 0;
    /* field 22 of proc(5); field 3 follows the name */
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at && sscanf(at, " %" SCNu64, &ticks) == 1 ? ticks : 0;
}

static bool has_option(const char *pid, const char *option, const char *value)
{
    char path[64], data[8192];
    (void)snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
    ssize_t size = read_file(path, data, sizeof(data));
    const char *before = "";
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(data + at) + 1) {
        if (strcmp(data + at, value) == 0 && strcmp(before, option) == 0) {
            return true;
        }
        before = data + at;
    }
    return false;
}

pid_t proc_find(const char *option, const char *value)
{
    DIR *folder = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        if (isdigit((unsigned char)entry->d_name[0]) && has_option(entry->d_name, option, value)) {
            found = (pid_t)strtol(entry->d_name, NULL, 10);
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
    return found;
}

int proc_memory(pid_t pid, struct pod_memory *ret_memory)
{
    double used_bytes = system_process_mem_bytes("", pid);
    double peak_bytes = system_process_peak_bytes("", pid);
    if (isnan(used_bytes) || isnan(peak_bytes)) {
        return -ESRCH;
    }
    *ret_memory = (struct pod_memory){.pss_kb = (int64_t)(used_bytes / 1024),
                                      .peak_kb = (int64_t)(peak_bytes / 1024)};
    return 0;
}
