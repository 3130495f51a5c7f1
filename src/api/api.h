/* What the handlers of the API work on. Owned by the control thread. */
#pragma once

#include <stdint.h>

struct auth;
struct benchmark;
struct control;
struct err;
struct exposition;
struct job_pool;
struct loadtests;
struct loop;
struct manifests;
struct provider;
struct services;
struct share;
struct store;
struct task_local;
struct task_runner;
struct trackact;
struct tracksys_watch;

struct api {
    struct control *control; /* modules, placement, moves */
    struct store *store;
    struct provider *cluster; /* `kubernetes`; NULL = no cluster is configured */
    /* Opens the cluster when one was configured since the start; -errno when it cannot be used.
     * NULL in tests. */
    int (*refresh_cluster)(void *arg, struct err *err);
    void *refresh_cluster_arg;
    struct manifests *manifests;  /* what services are there; NULL in tests that need none */
    struct services *services;    /* backing services; NULL in tests of what needs none */
    struct task_local *tasks;     /* the queue in the state; NULL in tests of what needs none */
    struct task_runner *runner;   /* of it */
    struct share *share;          /* NULL = no other daemon shares the store */
    struct auth *auth;            /* accounts and tokens */
    struct job_pool *jobs;        /* for what blocks: password hashes, child programs */
    struct loop *loop;            /* the control thread's */
    const char *socket_path;      /* of the daemon itself: an operation that calls an action */
    const char *python;           /* interpreter of the workers */
    const char *python_path;      /* where the package jsorc lies */
    const char *log_folder;       /* one file a worker's name */
    const char *const *addresses; /* URLs that the daemon listens on; ended by NULL */
    const char *public_url;       /* by which others reach it; NULL = the first of these */
    const char *version;
    uint64_t tracksys_interval_ms;
    uint64_t wait_timeout_ms; /* for the state to be reached again */
    /* what is measured at the moment, see tracking.h; NULL = nothing */
    struct benchmark *benchmark; /* a reference */
    struct trackact *trackact;
    struct tracksys_watch *tracksys;
    struct loadtests *loadtests; /* NULL = none was asked for */
    /* Writes the metrics of the I/O threads. */
    void (*expose_io)(void *arg, struct exposition *exposition);
    void *expose_io_arg;
};
