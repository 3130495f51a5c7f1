/* Shared by process.c (the provider, a pod's life), spawn.c (making the process) and proc.c (what
 * /proc tells of it). */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "loop/loop.h"
#include "provider/process/process.h"

#define NOTIFY_BYTES_MAX (8 * 1024 * 1024) /* a ready line: the signatures of 4096 actions */

struct process_provider {
    struct provider base;
    struct loop *loop; /* borrowed */
    struct process_settings settings;
};

struct process_pod {
    struct pod base;
    struct process_provider *provider; /* borrowed */
    struct pod_events events;
    char *name;
    char *socket_path;
    char *spec_path;
    char *log_path;
    uint64_t start_time;      /* of the process, in clock ticks since boot: tells pids apart */
    struct loop_watch exit;   /* pidfd */
    struct loop_watch notify; /* the worker's one line */
    struct buf line;
    struct loop_timer deadline; /* of the start, then of the stop */
    bool child;                 /* ours to reap; an adopted one is the supervisor's */
    bool told;                  /* ready or failed was given */
    bool stopping;
};

/* process.c */
struct process_pod *process_pod_new(struct process_provider *provider, const char *name,
                                    const char *log_name);
struct pod *process_pod_free(struct pod *pod);
/* The process is running: its end, its ready line and its deadline are watched. 0 or -errno. */
int process_pod_watch(struct process_pod *pod, const struct pod_events *events);
void process_signal_group(const struct process_pod *pod, int number);

#define PROCESS_HOW_BYTES 256

/* Reaps the process if it is our child, and tells how it ended: "exited with status 1". */
void process_how_it_ended(pid_t pid, bool child, bool expected, char *text, size_t size);

/* adopt.c */
void process_adopt(struct provider *provider, pod_adopt_fn fn, void *arg);

/* Starts the process; on success pid, start_time, child and both watches' descriptors are set. */
int process_spawn(struct process_pod *pod, const struct pod_spec *spec, struct err *err);

/* A process with that option and value among its words; 0 = none. */
pid_t proc_find(const char *option, const char *value);
/* Ticks since boot at which pid began; 0 = no such process. */
uint64_t proc_start_time(pid_t pid);
/* 0, or -ESRCH. */
int proc_memory(pid_t pid, struct pod_memory *ret_memory);
