/* The daemon's parts, shared by daemon.c (its life), parts.c (they are made and wired), ending.c
 * (signals and the drain), sharing.c (a state that others share) and announce.c (what it tells of
 * itself). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "daemon/backing.h"
#include "daemon/cluster.h"
#include "daemon/daemon.h"
#include "daemon/front.h"
#include "daemon/io.h"
#include "daemon/listen.h"
#include "daemon/logs.h"
#include "loop/loop.h"

struct api_http;
struct auth;
struct control;
struct err;
struct job_pool;
struct manifests;
struct provider;
struct publisher;
struct share;
struct store;
struct tls_server;

struct daemon {
    const struct daemon_options *options;
    struct loop *loop; /* the control thread's: this one */
    struct store *store;
    struct share *share; /* NULL = the store is this daemon's alone */
    struct job_pool *jobs;
    struct publisher *publisher;
    struct provider *provider;
    struct cluster cluster;
    struct manifests *manifests;
    struct control *control;
    struct backing backing;
    struct auth *auth;
    struct tls_server *tls;
    struct api api;
    char *task_owner;            /* owned; of the task queue */
    struct celery_queue *celery; /* NULL = none is wanted, or there was no Redis yet */
    struct loop_timer celery_due;
    struct api_http *front;
    struct front rules; /* who may call what */
    struct io *ios[IO_THREADS_MAX];
    unsigned io_count;
    char *urls[LISTEN_MAX + 2];
    struct logs logs;

    struct loop_watch signals;
    bool ending;
    bool stopped; /* all workers ended */
    struct loop_timer drain_timer;
    uint64_t drain_deadline_ms;
};

/* parts.c. 0 or -errno; what was made is in daemon either way. */
int daemon_make_control(struct daemon *daemon, struct err *err);
void daemon_make_services(struct daemon *daemon);
int daemon_make_api(struct daemon *daemon, struct err *err);
int daemon_start_ios(struct daemon *daemon, struct err *err);

/* sharing.c: the store of the settings. 0 or -errno. And this daemon's part in it when others share
 * it: the control leads only when it is told so. */
int daemon_open_store(struct daemon *daemon, struct err *err);
int daemon_make_share(struct daemon *daemon, struct err *err);

/* tasks.c: made before the API serves, started when the socket answers. */
void daemon_make_tasks(struct daemon *daemon);
void daemon_start_tasks(struct daemon *daemon);
void daemon_end_tasks(struct daemon *daemon);
void daemon_free_tasks(struct daemon *daemon);

/* celery.c: from now on it looks whether Celery's queue is wanted, and whether there is a Redis. */
void daemon_start_celery(struct daemon *daemon);
void daemon_free_celery(struct daemon *daemon);

/* ending.c: SIGTERM begins the end, SIGHUP begins log files anew. 0 or -errno. */
int daemon_watch_signals(struct daemon *daemon, struct err *err);
bool daemon_is_drained(const struct daemon *daemon);

/* announce.c: for scripts, which process the daemon is and where it listens; for a person. */
void daemon_write_run_files(const struct daemon *daemon);
void daemon_announce(const struct daemon *daemon);
