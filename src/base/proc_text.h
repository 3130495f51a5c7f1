/* Figures out of the text of files of /proc (proc(5)) and of cgroup v2 (the kernel's
 * Documentation/admin-guide/cgroup-v2.rst). Pure. What is not there is NaN: not known is not 0. */
#pragma once

/* /proc/PID/stat: processor time in user and kernel mode, in ticks. */
double proc_text_process_ticks(const char *stat);

/* /proc/stat: time of all processors but idle time, in ticks. Waiting for I/O counts as in the
 * query of Prometheus that this stands in for: node_cpu_seconds_total{mode!="idle"}. */
double proc_text_busy_ticks(const char *stat);

/* "NAME: 123 kB" in /proc/meminfo, /proc/PID/status or smaps_rollup, in bytes. */
double proc_text_bytes(const char *text, const char *name);

struct proc_text_io {
    double in_bytes;  /* read, or received */
    double out_bytes; /* written, or sent */
};

/* /proc/net/dev: of all interfaces but the loopback's. */
struct proc_text_io proc_text_net(const char *dev);

/* /proc/diskstats: of whole disks; no partitions, no RAM or loop devices (the devices that
 * node_exporter leaves out by default). */
struct proc_text_io proc_text_disk(const char *diskstats);

/* "NAME 123" in cpu.stat and the like. */
double proc_text_value(const char *text, const char *name);

/* /proc/pressure/memory: the share of the last ten seconds in which some task waited for memory, in
 * per cent (the kernel's Documentation/accounting/psi.rst). */
double proc_text_pressure(const char *psi);

/* The whole of memory.current and the like. "max" is NaN: there is no limit. */
double proc_text_number(const char *text);

/* The path in the line "0::PATH" of /proc/PID/cgroup, without its end of line, into ret[size]; "" =
 * in no cgroup of version 2. */
void proc_text_cgroup(const char *cgroup, char *ret, unsigned size);
