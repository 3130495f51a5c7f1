#include "base/system.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/proc_text.h"

#define FILE_BYTES_MAX 65536 /* /proc/diskstats of 400 devices; what is beyond is not read */

/* Reads a small file whole; "" when it cannot be read. */
static const char *read_text(const char *path, char *text)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t got = 0;
    while (fd >= 0 && size < FILE_BYTES_MAX - 1 &&
           (got = read(fd, text + size, FILE_BYTES_MAX - 1 - size)) > 0) {
        size += (size_t)got;
    }
    text[size] = '\0';
    return text;
}

static const char *read_proc(const char *root, const char *name, char *text)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/proc/%s", root, name);
    return read_text(path, text);
}

static const char *read_of(const char *root, int pid, const char *name, char *text)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "%d/%s", pid, name);
    return read_proc(root, path, text);
}

static double seconds(double ticks)
{
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

struct system_host system_read_host(const char *root)
{
    CLEANUP(str_free) char *text = xcalloc(1, FILE_BYTES_MAX);
    struct system_host host = {.cpu_s =
                                   seconds(proc_text_busy_ticks(read_proc(root, "stat", text)))};
    struct proc_text_io unknown = {NAN, NAN};
    const char *disks = read_proc(root, "diskstats", text);
    struct proc_text_io disk = *disks ? proc_text_disk(disks) : unknown;
    const char *interfaces = read_proc(root, "net/dev", text);
    struct proc_text_io net = *interfaces ? proc_text_net(interfaces) : unknown;
    const char *meminfo = read_proc(root, "meminfo", text);
    host.mem_total_bytes = proc_text_bytes(meminfo, "MemTotal");
    host.mem_active_bytes = proc_text_bytes(meminfo, "Active");
    host.disk_read_bytes = disk.in_bytes;
    host.disk_write_bytes = disk.out_bytes;
    host.net_recv_bytes = net.in_bytes;
    host.net_tran_bytes = net.out_bytes;
    return host;
}

bool system_group_folder(const char *root, char *ret, size_t size)
{
    CLEANUP(str_free) char *text = xcalloc(1, FILE_BYTES_MAX);
    char group[256];
    proc_text_cgroup(read_proc(root, "self/cgroup", text), group, sizeof(group));
    (void)snprintf(ret, size, "%s/sys/fs/cgroup%s", root, group);
    return group[0] != '\0';
}

static const char *read_in(const char *folder, const char *name, char *text)
{
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return read_text(path, text);
}

struct system_group system_read_group(const char *root)
{
    CLEANUP(str_free) char *text = xcalloc(1, FILE_BYTES_MAX);
    char folder[512];
    if (!system_group_folder(root, folder, sizeof(folder))) {
        return (struct system_group){NAN, NAN, NAN};
    }
    return (struct system_group){
        .cpu_s = proc_text_value(read_in(folder, "cpu.stat", text), "usage_usec") / 1e6,
        .mem_bytes = proc_text_number(read_in(folder, "memory.current", text)),
        .mem_max_bytes = proc_text_number(read_in(folder, "memory.max", text)),
    };
}

/* Of the group in folder and of those around it, up to the root of the hierarchy. */
static void limit_by_groups(char *folder, const char *top, char *text, struct system_memory *memory)
{
    for (char *slash; strlen(folder) > strlen(top); *slash = '\0') {
        double max_bytes = proc_text_number(read_in(folder, "memory.max", text));
        double used_bytes = proc_text_number(read_in(folder, "memory.current", text));
        double cold_bytes = proc_text_value(read_in(folder, "memory.stat", text), "inactive_file");
        double left_bytes = max_bytes - used_bytes + (isnan(cold_bytes) ? 0 : cold_bytes);
        if (!isnan(left_bytes)) {
            memory->total_bytes = fmin(memory->total_bytes, max_bytes);
            memory->available_bytes = fmin(memory->available_bytes, fmax(left_bytes, 0));
        }
        slash = strrchr(folder, '/');
    }
}

struct system_memory system_read_memory(const char *root)
{
    CLEANUP(str_free) char *text = xcalloc(1, FILE_BYTES_MAX);
    const char *meminfo = read_proc(root, "meminfo", text);
    struct system_memory memory = {.total_bytes = proc_text_bytes(meminfo, "MemTotal"),
                                   .available_bytes = proc_text_bytes(meminfo, "MemAvailable")};
    memory.pressure_percent = proc_text_pressure(read_proc(root, "pressure/memory", text));
    char folder[512], top[512];
    if (system_group_folder(root, folder, sizeof(folder))) {
        double host_bytes = memory.total_bytes;
        double own = proc_text_pressure(read_in(folder, "memory.pressure", text));
        (void)snprintf(top, sizeof(top), "%s/sys/fs/cgroup", root);
        limit_by_groups(folder, top, text, &memory);
        bool limited = memory.total_bytes < host_bytes;
        memory.pressure_percent = limited && !isnan(own) ? own : memory.pressure_percent;
    }
    return memory;
}

int64_t system_memory_share_mb(double share)
{
    double total_bytes = system_read_memory("").total_bytes;
    return isnan(total_bytes) ? 0 : (int64_t)(share * total_bytes / (1024 * 1024));
}

double system_process_cpu_s(const char *root, int pid)
{
    CLEANUP(str_free) char *text = xcalloc(1, FILE_BYTES_MAX);
    return seconds(proc_text_process_ticks(read_of(root, pid, "stat", text)));
}

double system_process_mem_bytes(const char *root, int pid)
{
    CLEANUP(str_free) char *text = xcalloc(1, FILE_BYTES_MAX);
    double pss_bytes = proc_text_bytes(read_of(root, pid, "smaps_rollup", text), "Pss");
    return isnan(pss_bytes) ? proc_text_bytes(read_of(root, pid, "status", text), "VmRSS")
                            : pss_bytes;
}

double system_process_peak_bytes(const char *root, int pid)
{
    CLEANUP(str_free) char *text = xcalloc(1, FILE_BYTES_MAX);
    return proc_text_bytes(read_of(root, pid, "status", text), "VmHWM");
}
