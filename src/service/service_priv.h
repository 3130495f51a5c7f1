/* What the files of service/ share. service.c: one service, its config and its steps; services.c:
 * all of them, the pass; service_job.c: what blocks; service_use.c: methods and HTTP for others;
 * service_wait.c: who waits; service_boot.c: the database before there is a store.
 * service_cluster.c: what is pods of a cluster. One file a kind, e.g. redis.c; kinds.c lists them.
 */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "base/json.h"
#include "loop/loop.h"
#include "service/keep.h"
#include "service/manifests.h"
#include "service/service.h"

struct job_pool;
struct program;
struct program_spec;
struct service;

/* Who makes the service. */
enum service_provider {
    PROVIDER_NONE,     /* off */
    PROVIDER_EMBEDDED, /* the daemon itself stands in */
    PROVIDER_PROCESS,  /* a process of this host, ours */
    PROVIDER_ADDRESS,  /* somebody else's server */
    PROVIDER_CLUSTER,  /* pods of a cluster, ours: "kubernetes" */
};

/* ---- a kind of service ---- */

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_FLAG };

struct service_key {
    const char *name; /* NULL ends the list */
    enum key_type type;
    const char *variables[2]; /* of the environment: the first that is set gives the default */
    const char *fallback;     /* JSON text; NULL = null */
    double min;               /* of a number, which may also be written as text */
    double max;
    bool address; /* who gives it means a server of somebody else's */
};

struct service_job;

struct service_method {
    const char *name;   /* NULL ends the list */
    const char *params; /* their names, a blank between, e.g. "name value" */
    unsigned args_min;  /* the further ones may be left out */
    /* Job thread. *ret is owned by the caller; NULL = null. 0 or -errno with err. */
    int (*run)(struct service_job *job, struct json_object **ret, struct err *err);
};

struct service_ops {
    const char *name;
    const char *alias;  /* of the original's other version; NULL = none */
    const char *title;  /* the original's class, which its messages name */
    const char *config; /* the config's name */
    const char *needs;  /* the service that must run first; NULL = none */
    const struct service_key *keys;
    const char *const *others; /* further names of a config, ended by NULL; may be NULL */
    bool passes_on;   /* the original gives all names to a library: what we know not is warned of */
    bool embedded;    /* the daemon stands in for it */
    const char *mark; /* struct program_spec: before the path of config_file */
    const char *config_file; /* in its folder */
    const char *secret_of;   /* the service whose password it has, too; NULL = its own */
    const char *part_of;     /* the service whose config it shares; NULL = it has its own */
    int stop_signal;         /* that asks the process to end; 0 = SIGTERM */
    const char *reason_mark; /* in its log: of the line that tells why it ended; NULL = the last */
    /* Puts what older configs say into the one that is set (NULL = none); owned. May be NULL. */
    struct json_object *(*older)(struct store *store, struct json_object *set);
    /* What is left of the config beyond its keys' types: -EINVAL. May be NULL. */
    int (*check_config)(struct json_object *config, struct err *err);
    /* Who makes it, where service_config_provider's rule is not enough; may be NULL. */
    enum service_provider (*provider)(struct json_object *stored, enum service_provider usual);
    /* Job thread: writes what the process reads, fills in job->args and job->changed. 0 or -errno.
     */
    int (*prepare)(struct service_job *job, struct err *err);
    /* With the provider `kubernetes`: the file of manifests/services (NULL = not with it), and what
     * "$j{config...}" stands for in it. Job thread. 0 or -errno. */
    const char *manifest;
    int (*fill)(const struct service_job *job, struct json_object *config, struct err *err);
    /* Job thread. err tells why it is not good. */
    enum check_outcome (*check)(struct service_job *job, struct err *err);
    /* The URL of what it serves over HTTP, without a slash at its end; owned by the caller; NULL =
     * nothing. Any thread. */
    char *(*root_url)(const struct service_job *job);
    /* What a POST to it may ask for without being staff's; NULL = anything. */
    const char *open_post;
    char *(*user)(const struct service_job *job); /* "NAME:PASSWORD" for it; owned; NULL = none */
    const struct service_method *methods;
    /* Run with the argument "schedule" when a good check has said so; NULL = none. */
    const struct service_method *upkeep;
};

extern const struct service_ops *const SERVICE_KINDS[]; /* ended by NULL */
#define SERVICE_KINDS_MAX 16

/* ---- one service ---- */

struct service_paths { /* made once, read by jobs, too; owned */
    char *folder;      /* its data */
    char *config_file;
    char *socket;
    char *log;
};

struct service_waiter {
    struct service_waiter *next;
    uint64_t deadline_ms;
    service_done_fn done;
    void *arg;
};

struct service {
    struct services *all; /* borrowed */
    const struct service_ops *ops;
    struct service_paths paths;
    struct keep keep;
    enum service_provider provider;
    struct json_object *stored; /* what was set, as it is in use; {} = nothing; owned */
    struct json_object *config; /* that with all defaults; owned */
    struct json_object *good;   /* the last `stored` with which it ran; owned; NULL = none */
    char *before; /* what was stored before service_config_set, until the new one runs; owned */
    bool was_put_back; /* and those who wait have not heard of it */
    bool can_put_back; /* before holds (NULL = nothing was stored) */
    bool enabled, automated, quiet;
    bool asked;   /* somebody used it, or it is to be loaded at start */
    bool adopted; /* found running; its files are still to be compared */
    bool ending;  /* the process was asked to end */
    bool placed;  /* its objects are wanted in the cluster */
    int port;     /* that it listens on; 0 = none yet */
    struct program *program;
    char *error;   /* NULL = none */
    char *refused; /* why the last good config runs instead of a later one; NULL = it does not */
    int64_t last_ok_ms; /* unix time; 0 = never */
    uint64_t restarts;  /* starts but the first */
    bool started_once;
    bool upkeep_runs;
    uint64_t upkeep_next_ms; /* after one that failed */
    char *upkeep_error;      /* of the last one; NULL = none */
    struct service_waiter *waiters;
};

struct services {
    struct service_parts parts;
    struct service_settings settings;
    struct keep_rules rules;
    struct job_pool *keeping; /* preparing and checking */
    struct job_pool *using;   /* methods and pages: what hangs there must not delay a check */
    struct service items[SERVICE_KINDS_MAX];
    size_t count;
    bool loop_on;                /* JSORC_CONFIG's automation */
    struct json_object *preload; /* array of names; owned */
    double backoff_s;
    struct loop_timer timer;
    bool woken;      /* during this turn */
    uint64_t random; /* state of the stream */
    unsigned jobs_out;
    atomic_bool stopping; /* read by jobs */
    void (*stopped)(void *arg);
    void *stopped_arg;
    uint64_t stop_deadline_ms;
};

#define SERVICE_JOBS_MAX 64 /* calls of methods and HTTP at once: each holds a request */

/* ---- jobs ---- */

enum job_kind { JOB_PREPARE, JOB_CHECK, JOB_METHOD, JOB_HTTP };

struct service_job { /* what a job's thread may look at: copies, and what never changes */
    enum job_kind kind;
    struct service *service; /* control thread only */
    const struct service_ops *ops;
    const struct service_paths *paths;
    enum service_provider provider;
    struct json_object *config; /* a copy of its own */
    char *metrics_url;          /* NULL = none */
    char *metrics_token;        /* NULL = none */
    int node_exporter_port;     /* 0 = does not run */
    bool is_running;            /* its own process is: its port is taken by itself */
    bool is_well;               /* the last check was good */
    uint64_t timeout_ms;
    const atomic_bool *stopping; /* end soon */
    int port;                    /* in: as known; out: as chosen */
    /* Of a service of the cluster: the password that it asks for (NULL = none could be made), and
     * where a pod of it answers; away: why there is none (NULL = there is one). */
    char *secret;
    char host[MANIFESTS_HOST_SIZE];
    char *away;
    bool stuck; /* and waiting alone will not mend it */

    char **args; /* JOB_PREPARE: of the process; ended by NULL; owned */
    bool changed;
    struct json_object *manifest; /* or the objects in the cluster */
    enum check_outcome outcome;   /* JOB_CHECK */
    bool upkeep_due;

    const struct service_method *method; /* JOB_METHOD */
    struct json_object *method_args;     /* array; a copy */
    struct json_object *result;
    service_call_fn call_done;

    bool post; /* JOB_HTTP */
    char *path;
    char *content_type;
    struct buf body; /* of the request, then of the answer */
    int status;
    char *reply_type;
    char *location;
    service_http_fn http_done;

    void *arg; /* of the two functions */
    int failed;
    char *error; /* NULL = none */
};

/* A job with the copies that it needs; services->jobs_out counts it. */
struct service_job *service_job_new(struct service *service, enum job_kind kind);
void service_job_submit(struct service_job *job);
void service_job_free(struct service_job *job);

/* Argument i of the method's call, NULL beyond the last; a text, whatever it was. Borrowed. */
const char *service_job_text(const struct service_job *job, size_t i);
/* The same with whatever bytes it has, zeros too; no data beyond the last. */
struct slice service_job_slice(const struct service_job *job, size_t i);

/* ---- service.c ---- */

/* Takes over the process that an earlier daemon left. */
void service_adopt(struct service *service);

void service_paths_init(struct service_paths *paths, const struct service_parts *parts,
                        const struct service_ops *ops);
void service_paths_done(struct service_paths *paths);
/* How its process is started and found; args are still to be filled in. Texts are borrowed. */
struct program_spec service_program_spec(const struct service_ops *ops,
                                         const struct service_paths *paths);
/* It holds our own state, so its config cannot lie in the store. */
bool service_holds_state(const struct service *service);
void service_init(struct service *service, struct services *all, const struct service_ops *ops);
void service_done(struct service *service);
/* Ends what runs and starts it anew with the config that service_load read. */
void service_restart(struct service *service);
/* Takes the steps that are due. The time at which to look again. */
uint64_t service_turn(struct service *service, uint64_t now_ms);
void service_job_finished(struct service *service, struct service_job *job);
bool service_is_wanted(const struct service *service);

/* ---- service_wait.c ---- */

/* Those who wait hear of it when it is settled, or their time is over. */
void service_tell(struct service *service, uint64_t now_ms);
/* They hear that jsorc ends. */
void service_release(struct service *service);

/* ---- service_good.c ---- */

/* Reads the stored config; what is wrong with it becomes the service's error. True = it is another
 * one than before. */
bool service_load(struct service *service);
/* Its config never ran, and there is one that did. */
bool service_is_on_trial(const struct service *service);
/* It runs: from here on this config is the one to come back to. */
void service_keep_config(struct service *service);
/* Back to that one; what service_config_set stored is put back as well. */
void service_revert(struct service *service);

/* ---- service_use.c ---- */

/* Runs what its checks say is due, unless that is under way or has failed a short while ago. */
void service_upkeep(struct service *service);

/* ---- service_config.c: pure but for the environment ---- */

/* Defaults and environment under what is stored (NULL = nothing); owned by the caller. */
struct json_object *service_config_merge(const struct service_ops *ops, struct json_object *stored);
/* base's members (NULL = none) with stored's over them; owned by the caller. */
struct json_object *service_config_over(struct json_object *base, struct json_object *stored);
/* What given (name -> config, or NULL) has for that kind, or for the whole that it is a part of;
 * borrowed; NULL = nothing. */
struct json_object *service_config_given(const struct service_ops *ops, struct json_object *given);
/* Whether a config may have that name; *ret_nearest (may be NULL) is else what it may mean. */
bool service_config_knows(const struct service_ops *ops, const char *name,
                          const char **ret_nearest);
/* The names, the types and ranges of the keys, and ops->check_config. 0 or -EINVAL. */
int service_config_check(const struct service_ops *ops, struct json_object *config,
                         struct err *err);
/* cluster: there is one, so that what is not said to be elsewhere is made there. */
enum service_provider service_config_provider(const struct service_ops *ops,
                                              struct json_object *stored, bool cluster);
/* The key `url` without a slash at its end; owned by the caller; NULL = none. */
char *service_config_url(struct json_object *config);
/* "USER:PASSWORD" of the keys of that name; owned by the caller; NULL = no user. */
char *service_config_user(struct json_object *config);
/* A URL of somebody else's server. 0 or -EINVAL. */
int service_url_check(const char *url, struct err *err);
/* Without the flags enabled, automated and quiet; owned by the caller. */
struct json_object *service_config_plain(struct json_object *config);
/* The number of a key, also when it is written as text. */
double service_config_number(struct json_object *config, const char *key, double fallback);

/* ---- services.c ---- */

struct service *services_find(const struct services *services, const char *name);
/* Who waits hears of it when the service is settled. */
void service_await(struct service *service, const struct service_wait *wait);
/* Soon, not at once. */
void services_wake(struct services *services);
uint64_t services_random(struct services *services);

/* Whether a GET of that URL is answered with 200; user as of struct fetch. Job thread. */
enum check_outcome service_http_check(const struct service_job *job, const char *url,
                                      const char *user, struct err *err);

/* Makes job->args of these words, ended by NULL. */
void service_job_args(struct service_job *job, ...) __attribute__((sentinel));

/* ---- service_cluster.c ---- */

/* Job thread: job->manifest from the built-in one and the config. 0 or -errno. */
int service_cluster_prepare(struct service_job *job, struct err *err);
/* Base64 (RFC 4648, section 4) of the text; owned by the caller. */
char *service_cluster_coded(const char *text);
/* For ops->fill: a file of the Secret that the manifest has, "$j{config.files}". */
void service_cluster_file(struct json_object *config, const char *name, const char *text);
/* A copy of what the job must know: secret and address. */
void service_cluster_look(struct service_job *job);
/* "http://HOST:PORT" of the pod that answers; owned by the caller. */
char *service_cluster_url(const struct service_job *job);
/* Wants the job's objects. 0 or -errno. */
int service_cluster_keep(struct service_job *job, struct err *err);
/* Wants them no more. Claims stay. */
void service_cluster_drop(struct service *service);
bool service_cluster_is_there(const struct services *services);

/* ---- redis.c ---- */

/* What services_redis_address gives, of that job. */
struct json_object *service_redis_address(const struct service_job *job);

/* ---- service_files.c: job thread ---- */

/* Makes it, mode 0700, with the folder above it. 0 or -errno. */
int service_folder_make(const char *path, struct err *err);

/* Writes text to path (mode 0600), whole or not at all, unless it is there already. *ret_changed
 * is set when it was written. 0 or -errno. */
int service_file_put(const char *path, const char *text, bool *ret_changed, struct err *err);
/* A port of 127.0.0.1 that is free now: wanted if that is; 0 = none. */
int service_free_port(int wanted);
/* The text of a small file without its line end; owned by the caller; NULL = none. */
char *service_file_get(const char *path);
/* A secret of 32 hexadecimal digits in that file, made when there is none; owned; NULL = failed. */
char *service_secret(const char *path, struct err *err);
