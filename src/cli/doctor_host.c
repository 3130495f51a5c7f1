#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/doctor.h"

#define MEMORY_LOW_MB   512 /* a model or two */
#define PRESSURE_HIGH   10  /* per cent of the last 10 s in which something waited for memory */
#define DESCRIPTORS_LOW 1024
#define YEAR_2024_MS    1704067200000
#define CLOCK_ROUNDS    10000
#define CLOCK_NS_HIGH   1000 /* a call reads the clock several times */

/* The first size - 1 bytes of a file of the kernel's, as text; false when there is none. */
static bool read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    size_t used = fread(text, 1, size - 1, file);
    text[used] = '\0';
    (void)fclose(file);
    return used > 0;
}

/* The number behind name in a file of lines "name: 12 kB"; -1 when absent. */
static long long number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

void doctor_memory(struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    char text[4096];
    bool read = read_text("/proc/meminfo", text, sizeof(text));
    long long free_kb = read ? number_after(text, "MemAvailable:") : -1;
    if (free_kb < 0) {
        finding_set(finding, DOCTOR_WARN, "mount /proc", "the free memory is not known");
        return;
    }
    long long total_kb = number_after(text, "MemTotal:");
    bool low = free_kb / 1024 < MEMORY_LOW_MB;
    finding_set(finding, low ? DOCTOR_WARN : DOCTOR_OK,
                low ? "end other programs, or load fewer or smaller modules" : NULL,
                "%lld MiB of %lld MiB available", free_kb / 1024, total_kb / 1024);
}

/* The folder of this process's control group (version 2); false when there is none. */
static bool find_cgroup(char *path, size_t size)
{
    char text[4096];
    const char *line = read_text("/proc/self/cgroup", text, sizeof(text)) ? text : "";
    while (line && strncmp(line, "0::", 3) != 0) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line) {
        return false;
    }
    (void)snprintf(path, size, "/sys/fs/cgroup%.*s", (int)strcspn(line + 3, "\n"), line + 3);
    return true;
}

void doctor_cgroup(struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    static const char fix[] =
        "none needed on one's own machine; for limits a module, boot with the unified hierarchy "
        "(systemd.unified_cgroup_hierarchy=1) and delegate a group";
    char folder[1024];
    char path[1100];
    char limit[64];
    if (!find_cgroup(folder, sizeof(folder))) {
        finding_set(finding, DOCTOR_WARN, fix, "no control group of version 2");
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/memory.max", folder);
    if (!read_text(path, limit, sizeof(limit))) { /* the root has none; a controller may be off */
        finding_set(finding, DOCTOR_OK, NULL, "'%s', without a limit of memory", folder);
        return;
    }
    limit[strcspn(limit, "\n")] = '\0';
    long long bytes = strtoll(limit, NULL, 10);
    bool low = bytes > 0 && bytes >> 20 < MEMORY_LOW_MB;
    if (bytes <= 0) {
        finding_set(finding, DOCTOR_OK, NULL, "'%s', without a limit of memory", folder);
        return;
    }
    finding_set(finding, low ? DOCTOR_WARN : DOCTOR_OK,
                low ? "raise the group's memory.max: the kernel ends workers beyond it" : NULL,
                "'%s', at most %lld MiB of memory", folder, bytes >> 20);
}

void doctor_pressure(struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    char text[512];
    if (!read_text("/proc/pressure/memory", text, sizeof(text))) {
        finding_set(finding, DOCTOR_WARN,
                    "boot with psi=1, on a kernel with CONFIG_PSI; without it shortage of memory "
                    "is seen late",
                    "the kernel does not tell of pressure (PSI)");
        return;
    }
    const char *at = strstr(text, "avg10=");
    double share = at ? strtod(at + strlen("avg10="), NULL) : 0;
    bool high = share > PRESSURE_HIGH;
    finding_set(finding, high ? DOCTOR_WARN : DOCTOR_OK,
                high ? "end other programs, or add memory" : NULL,
                "programs waited for memory in %.1f %% of the last 10 s", share);
}

void doctor_descriptors(struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    struct rlimit limit = {0};
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        finding_set(finding, DOCTOR_WARN, NULL, "the limit is not known");
        return;
    }
    bool low = limit.rlim_max < DESCRIPTORS_LOW;
    finding_set(finding, low ? DOCTOR_WARN : DOCTOR_OK,
                low ? "raise it ('ulimit -n', LimitNOFILE= of the unit): each connection takes one"
                    : NULL,
                "%llu descriptors, at most %llu", (unsigned long long)limit.rlim_cur,
                (unsigned long long)limit.rlim_max);
}

void doctor_clock(struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    char source[64] = "unknown";
    (void)read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
                    sizeof(source));
    source[strcspn(source, "\n")] = '\0';
    uint64_t begin_ns = clock_now_ns();
    uint64_t last_ns = begin_ns;
    for (int i = 0; i < CLOCK_ROUNDS; i++) {
        last_ns = clock_now_ns();
    }
    unsigned long long each_ns = (last_ns - begin_ns) / CLOCK_ROUNDS;
    if (clock_unix_ms() < YEAR_2024_MS) {
        finding_set(finding, DOCTOR_FAIL, "set the date: tokens and logs carry it",
                    "the date is before 2024");
        return;
    }
    bool slow = each_ns > CLOCK_NS_HIGH;
    finding_set(finding, slow ? DOCTOR_WARN : DOCTOR_OK,
                slow ? "each call measures time: use the clock source tsc or kvm-clock if the "
                       "machine has it"
                     : NULL,
                "clock source '%s', %llu ns to read", source, each_ns);
}
