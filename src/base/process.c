#include "base/process.h"

#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The first line of /proc/NAME that begins with key, as a text after it. False = there is none. */
static bool read_line(const char *name, const char *key, char *line, size_t size)
{
    char path[64];
    bool found = false;
    (void)snprintf(path, sizeof(path), "/proc/%s", name);
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, (int)size, file)) {
        found = strncmp(line, key, strlen(key)) == 0;
    }
    if (file) {
        (void)fclose(file);
    }
    return found;
}

static double count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    double count = -3; /* ".", ".." and the folder itself */
    while (folder && readdir(folder)) {
        count++;
    }
    if (folder) {
        (void)closedir(folder);
    }
    return folder ? count : NAN;
}

/* Field 22 of proc(5) stat: clock ticks from boot to the start of the process. */
static double read_start_s(void)
{
    char line[1024], boot[128];
    double boot_s = 0;
    unsigned long long ticks = 0;
    if (!read_line("self/stat", "", line, sizeof(line)) ||
        !read_line("stat", "btime", boot, sizeof(boot)) ||
        sscanf(boot, "btime %lf", &boot_s) != 1) {
        return NAN;
    }
    const char *at = strrchr(line, ')'); /* the name before it may hold anything */
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at && sscanf(at, " %llu", &ticks) == 1
               ? boot_s + (double)ticks / (double)sysconf(_SC_CLK_TCK)
               : NAN;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void process_figures_read(struct process_figures *ret)
{
    char line[256];
    double pages_all, pages;
    double page_bytes = (double)sysconf(_SC_PAGESIZE);
    struct rusage usage;
    struct rlimit limit;
    *ret = (struct process_figures){NAN, NAN, NAN, NAN, NAN, NAN};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        ret->cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    if (read_line("self/statm", "", line, sizeof(line)) &&
        sscanf(line, "%lf %lf", &pages_all, &pages) == 2) {
        ret->virtual_bytes = pages_all * page_bytes;
        ret->resident_bytes = pages * page_bytes;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        ret->fds_max = (double)limit.rlim_cur;
    }
    ret->fds = count_fds();
    ret->start_s = read_start_s();
}
