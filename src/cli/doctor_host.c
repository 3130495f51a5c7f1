#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/system.h"
#include "cli/doctor.h"

#define MB              (1024.0 * 1024)
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

void doctor_memory(struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    struct system_memory memory = system_read_memory("");
    if (isnan(memory.available_bytes)) {
        finding_set(finding, DOCTOR_WARN, "mount /proc", "the free memory is not known");
        return;
    }
    bool low = memory.available_bytes < MEMORY_LOW_MB * MB;
    finding_set(finding, low ? DOCTOR_WARN : DOCTOR_OK,
                low ? "end other programs, or load fewer or smaller modules" : NULL,
                "%.0f MiB of %.0f MiB available", memory.available_bytes / MB,
                memory.total_bytes / MB);
}

void doctor_cgroup(struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    static const char fix[] =
        "none needed on one's own machine; for limits a module, boot with the unified hierarchy "
        "(systemd.unified_cgroup_hierarchy=1) and delegate a group";
    char folder[1024];
    if (!system_group_folder("", folder, sizeof(folder))) {
        finding_set(finding, DOCTOR_WARN, fix, "no control group of version 2");
        return;
    }
    double max_bytes = system_read_group("").mem_max_bytes;
    if (isnan(max_bytes)) { /* the root has none; a controller may be off */
        finding_set(finding, DOCTOR_OK, NULL, "'%s', without a limit of memory", folder);
        return;
    }
    bool low = max_bytes < MEMORY_LOW_MB * MB;
    finding_set(finding, low ? DOCTOR_WARN : DOCTOR_OK,
                low ? "raise the group's memory.max: the kernel ends workers beyond it" : NULL,
                "'%s', at most %.0f MiB of memory", folder, max_bytes / MB);
}

void doctor_pressure(struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    double percent = system_read_memory("").pressure_percent;
    if (isnan(percent)) {
        finding_set(finding, DOCTOR_WARN,
                    "boot with psi=1, on a kernel with CONFIG_PSI; without it shortage of memory "
                    "is seen late",
                    "the kernel does not tell of pressure (PSI)");
        return;
    }
    bool high = percent > PRESSURE_HIGH;
    finding_set(finding, high ? DOCTOR_WARN : DOCTOR_OK,
                high ? "end other programs, or add memory" : NULL,
                "programs waited for memory in %.1f %% of the last 10 s", percent);
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
