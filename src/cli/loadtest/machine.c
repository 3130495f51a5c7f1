#include "cli/loadtest/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"

static void add_cpu(struct json_object *machine)
{
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file && fgets(line, sizeof(line), file)) {
        char *value = strchr(line, ':');
        if (value && strncmp(line, "model name", 10) == 0) {
            value += 1 + strspn(value + 1, " \t");
            value[strcspn(value, "\n")] = '\0';
            json_set_str(machine, "cpu", value);
            break;
        }
    }
    if (file) {
        (void)fclose(file);
    }
}

struct json_object *machine_json(void)
{
    struct json_object *machine = json_object_new_object();
    struct utsname name = {0};
    double load[3] = {0};
    char text[32];
    time_t now = (time_t)clock_unix_s();
    struct tm parts;
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    json_set_str(machine, "time", text);
    if (uname(&name) == 0) {
        CLEANUP(str_free)
        char *kernel = xasprintf("%s %s %s", name.sysname, name.release, name.machine);
        json_set_str(machine, "kernel", kernel);
    }
    add_cpu(machine);
    json_set_int(machine, "cores", sysconf(_SC_NPROCESSORS_ONLN));
    json_set_int(machine, "memory_mb",
                 (int64_t)sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1024) / 1024);
    if (getloadavg(load, 3) == 3) {
        json_set_double(machine, "load_before", load[0]);
    }
    return machine;
}
