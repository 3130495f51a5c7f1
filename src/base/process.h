/* Figures of this process, from /proc and getrusage. */
#pragma once

struct process_figures { /* NAN where it cannot be read */
    double cpu_s;        /* user and system */
    double resident_bytes;
    double virtual_bytes;
    double fds; /* open */
    double fds_max;
    double start_s; /* unix time */
};

void process_figures_read(struct process_figures *ret);
