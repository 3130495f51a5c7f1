/* A program of this host that is no worker, a redis-server say: started, found again by the next
 * daemon, watched and ended. Control thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct loop;
struct program;

struct program_spec {      /* borrowed during the call */
    char *const *args;     /* args[0] is looked for in PATH; ended by NULL */
    const char *log_path;  /* what it writes is added there; process_bound_log */
    int stop_signal;       /* asks it to end; 0 = SIGTERM */
    const char *mark;      /* these two follow each other among args and, with that, nowhere else */
    const char *mark_path; /* on this host: the next daemon finds the process by them */
};

/* The process is gone. Free the program from here on. */
typedef void (*program_exit_fn)(void *arg, const char *how, bool expected);

/* Starts it and does not watch it: program_adopt finds it. 0 or -errno. */
int program_spawn(const struct program_spec *spec, pid_t *ret_pid, struct err *err);

/* 0 or -errno of starting it. */
int program_start(struct loop *loop, const struct program_spec *spec, program_exit_fn fn, void *arg,
                  struct program **ret, struct err *err);

/* Its pid; 0 = none runs. */
pid_t program_find(const struct program_spec *spec);

/* The process that was started with mark and mark_path, by an earlier daemon or by program_spawn;
 * NULL = none runs. */
struct program *program_adopt(struct loop *loop, const struct program_spec *spec,
                              program_exit_fn fn, void *arg);

/* Asks it to end and kills it after grace_ms (0 = at once). fn follows. */
void program_stop(struct program *program, uint64_t grace_ms);

int program_pid(const struct program *program);

/* NULL allowed. A process that still runs is left alone, for program_adopt. */
struct program *program_free(struct program *program);

/* Near the end of a log file the last line with mark in it, or if there is none, or mark is NULL,
 * the last one that is not empty; owned by the caller, "" = none. */
char *program_last_words(const char *log_path, const char *mark);
