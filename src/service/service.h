/* The backing services, each in the state in which it is wanted: started as processes of this host
 * or asked at somebody else's address, looked at each interval, repaired when they are to be kept
 * alive. Nothing here can delay or fail a call of an action: what blocks runs in jobs, and what a
 * service lacks is told, never waited for.
 *
 * Owner: the daemon; all functions are for the control thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/slice.h"

struct err;
struct exposition;
struct json_object;
struct loop;
struct manifests;
struct services;
struct store;

struct service_settings {
    uint64_t interval_ms;      /* between two checks, unless JSORC_CONFIG says otherwise */
    uint64_t check_timeout_ms; /* no answer in this time is a miss */
    uint64_t start_timeout_ms; /* from the start of a process to its first answer */
    uint64_t stop_grace_ms;    /* between asking a process to end and killing it */
};

#define SERVICE_SECRET_DIGITS 32

/* The secret of that key in the state, made when there is none: so many hexadecimal digits. Owned
 * by the caller; NULL = the store failed. */
char *services_secret(struct store *store, const char *key, struct err *err);

/* Whether given (an object: name -> config) can be service_parts' one. 0 or -EINVAL. */
int services_check_given(struct json_object *given, struct err *err);

struct service_parts {         /* borrowed for the services' life */
    struct json_object *given; /* name -> config, below what is stored; NULL = none */
    struct loop *loop;
    struct store *store;
    struct manifests *manifests; /* where services of a cluster are kept; NULL = there are none */
    const char *state_folder;    /* data lies in services/NAME below it */
    const char *run_folder;
    const char *log_folder;
    /* Where Prometheus can read our own metrics: "http://127.0.0.1:8642"; NULL = nowhere. */
    const char *metrics_url;
    const char *metrics_token; /* it sends this; NULL = none is asked for */
    bool state_in_database;    /* ours: the database's config is then what `given` says, alone */
};

/* Starts the database, or finds it running, and waits until it answers: for a daemon whose state
 * lies there, before it has a store (parts->store and ->loop may be NULL). *ret_url is the state's,
 * with its secret, and the caller's; it is set also when that failed. Blocks for up to the start's
 * time-out. -errno. */
int services_boot_database(const struct service_parts *parts,
                           const struct service_settings *settings, char **ret_url,
                           struct err *err);

/* Ends the process that services_boot_database started. -ETIMEDOUT: it runs on. */
int services_end_database(const struct service_parts *parts, uint64_t timeout_ms, struct err *err);

struct services *services_new(const struct service_parts *parts,
                              const struct service_settings *settings);
/* NULL allowed. Processes that still run are left, for the next daemon. */
struct services *services_free(struct services *services);
DEFINE_CLEANUP(struct services *, services_free)

/* Takes over what an earlier daemon left running and starts what is to be kept alive. */
void services_start(struct services *services);

/* Lets those who wait for a service go on without it: before an orderly end. */
void services_release(struct services *services);

/* Ends all processes; done runs when they are gone. At most about grace_ms. */
void services_stop(struct services *services, uint64_t grace_ms, void (*done)(void *arg),
                   void *arg);

/* The service's own name: "prome" of "promon". NULL = there is no such service. */
const char *services_name(const struct services *services, const char *name);

/* {"enabled", "automated", "quiet", "state", "config", "error", "last_ok", "restarts", "provider",
 * "quarantined", "pid"}, and "upkeep_error" of a database; owned by the caller; secrets are in it.
 * NULL = no such service. */
struct json_object *services_info(const struct services *services, const char *name);

/* [{"name", "state", "provider", "automated", "pid", "restarts", "last_ok", "error"}] of all that
 * are enabled; owned by the caller. */
struct json_object *services_list(const struct services *services);

/* The pass: {"backoff_interval", "pre_loaded_services"} as they hold now; owned by the caller. */
struct json_object *services_loop_config(const struct services *services);

/* status 0: it runs, or it is off as its config says. -errno with text: it does not. */
typedef void (*service_done_fn)(void *arg, int status, const char *text);

struct service_wait { /* NULL where it is a parameter: nobody waits */
    uint64_t timeout_ms;
    service_done_fn done; /* runs when it is settled, or the time is over (-ETIMEDOUT) */
    void *arg;
};

/* Reads its config anew and starts it anew. -ENOENT: no such service; nobody is told then. */
int services_refresh(struct services *services, const char *name, const struct service_wait *wait,
                     struct err *err);

/* Reads all configs, and starts anew what has another one. */
void services_refresh_all(struct services *services);

/* Stores config (referenced) and refreshes. A config that cannot be right is refused at once,
 * -EINVAL, and nothing changes; one with which the service does not run is taken back, and who
 * waits hears why. -ENOENT, store errors. */
int services_configure(struct services *services, const char *name, struct json_object *config,
                       const struct service_wait *wait, struct err *err);

struct service_call { /* borrowed during services_call */
    const char *service;
    const char *method;
    struct json_object *args;   /* array; NULL = none */
    struct json_object *kwargs; /* object: by the parameters' names; NULL = none */
};

/* Runs one of the service's methods. A service that nobody asked for is started first. result is
 * owned by done; text is NULL when all went well. -ENOENT (no such service or method: the text
 * names those that there are), -EINVAL (arguments), -ENOTCONN (not enabled), -EBUSY (too many
 * calls). */
typedef void (*service_call_fn)(void *arg, struct json_object *result, const char *text);
int services_call(struct services *services, const struct service_call *call, service_call_fn done,
                  void *arg, struct err *err);

/* Whether calls of its methods would reach it now. */
bool services_is_running(const struct services *services, const char *name);

/* Where the service redis answers, for another client of ours: {"socket"} or {"host", "port"}, and
 * "password" (may be null), "db"; owned by the caller. NULL = it does not run. */
struct json_object *services_redis_address(const struct services *services);

/* ---- what it serves over HTTP, under a path of ours ---- */

#define SERVICE_HTTP_BYTES_MAX (64UL * 1024 * 1024) /* of an answer */

struct service_http { /* texts are copied */
    bool post;
    bool staff;         /* who asks may use our credentials at somebody else's server */
    struct slice path;  /* below the service's own root, without the slash at its begin */
    struct slice query; /* without '?' */
    struct slice content_type;
    struct slice body;
};

struct service_http_reply {   /* borrowed until the function returns */
    int status;               /* 502: it was not reached; body tells why */
    const char *content_type; /* NULL = none */
    const char *location;     /* below its own root, as path; NULL = none */
    struct slice body;
};

typedef void (*service_http_fn)(void *arg, const struct service_http_reply *reply);

/* -ENOENT, -EINVAL (the path), -EACCES (not staff), -ENOTCONN (it does not run), -EBUSY. */
int services_http(struct services *services, const char *name, const struct service_http *request,
                  service_http_fn done, void *arg, struct err *err);

/* Writes the metrics of the services. */
void services_expose(const struct services *services, struct exposition *exposition);
