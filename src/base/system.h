/* What this host, the daemon's cgroup and single processes have used so far. Reads /proc and
 * /sys/fs/cgroup below root ("" = the real ones): small files of the kernel, microseconds each.
 * What cannot be known is NaN. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct system_host { /* all since boot, but for the memory */
    double cpu_s;    /* of all processors together */
    double disk_read_bytes;
    double disk_write_bytes;
    double net_recv_bytes;
    double net_tran_bytes;
    double mem_total_bytes;
    double mem_active_bytes;
};

struct system_host system_read_host(const char *root);

/* The cgroup (version 2) that the daemon and its workers are in, with all that they start. NaN in
 * the root group, and where version 1 manages the resources. */
struct system_group {
    double cpu_s;
    double mem_bytes;
    double mem_max_bytes; /* NaN: no limit */
};

struct system_group system_read_group(const char *root);

/* Where its files lie, into ret[size]; false = in no cgroup of version 2. */
bool system_group_folder(const char *root, char *ret, size_t size);

/* What is left for this daemon and all that it starts: of the host, or of its cgroup or one around
 * that if that is less. Pages of files that were not used lately count as left, as in MemAvailable
 * and in the kubelet's working set: the kernel drops them before it kills. */
struct system_memory {
    double total_bytes;
    double available_bytes;
    double pressure_percent; /* as proc_text_pressure; of the cgroup where it tells */
};

struct system_memory system_read_memory(const char *root);

/* That share of the total of it, here; 0 when it is not known. */
int64_t system_memory_share_mb(double share);

/* Processor time of the process alone, without those that it starts. */
double system_process_cpu_s(const char *root, int pid);

/* PSS; where the kernel does not tell it, RSS. Takes milliseconds for a large process. */
double system_process_mem_bytes(const char *root, int pid);

/* The highest RSS since its start. */
double system_process_peak_bytes(const char *root, int pid);
