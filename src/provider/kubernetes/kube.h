/* A client of the Kubernetes API: small and dynamic. It knows no kinds: paths come from the
 * server's discovery, objects are JSON as in a manifest.
 *
 * Threads. A client belongs to one loop: in the daemon the control thread's, in a command that of
 * the command (kube_wait takes its turns). All functions are called in that thread and all
 * callbacks run there, never before the function that began the request has returned. Nothing
 * blocks: libcurl (multi, by sockets) hangs on the loop, names are resolved in a thread of
 * libcurl's, an exec plugin of the kubeconfig runs as a job. kube_config_load alone reads files at
 * once: call it at start, or in a job.
 *
 * What is sent again, and what is not. A server that says "later" (429, 503) is believed: the
 * request waits for Retry-After, or for a back-off with jitter, and goes again. After a lost
 * connection, a time-out or a 5xx only requests go again that may be executed twice with the same
 * result: get, list, apply, patch, and delete with a uid. A 401 makes the credentials be read anew,
 * once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/slice.h"

struct buf;
struct histogram;
struct job_pool;
struct json_object;
struct kube;
struct kube_config;
struct kube_request;
struct kube_watch;
struct loop;

#define KUBE_FIELD_MANAGER "jsorc" /* owner of the fields that we apply */
#define KUBE_NAMESPACES    "*"     /* as a namespace: all of them; list and watch only */

#define KUBE_REPLY_BYTES_MAX (16 * 1024 * 1024) /* an object has 1.5 MiB in etcd, a page many */
#define KUBE_EVENT_BYTES_MAX (8 * 1024 * 1024)  /* one line of a watch: one object */
#define KUBE_LIST_ITEMS_MAX  50000         /* of kube_list, which holds all; watch what has more */
#define KUBE_LOG_BYTES_MAX   (1024 * 1024) /* of kube_log: for a person */
#define KUBE_WAITING_MAX     16384 /* requests begun and not answered; beyond, a caller runs away */

/* ---- where and who ---- */

struct kube_config_options { /* all may be NULL or false */
    bool in_cluster;         /* the pod's service account; else a kubeconfig */
    const char *kubeconfig;  /* path; NULL = $KUBECONFIG (several, by ':'), else ~/.kube/config */
    const char *context;     /* NULL = current-context */
    const char *namespace;   /* NULL = of the context, of the pod, else "default" */
    const char *api_server;  /* URL; given without kubeconfig and in_cluster, none is read */
    const char *token_file;
    const char *ca_file;
    bool insecure;                      /* does not verify the server: for trials */
    const char *service_account_folder; /* NULL = where a pod has it */
};

/* 0 and a configuration of the caller's, or -errno: -ENOENT (no kubeconfig, not in a cluster),
 * -EINVAL (what it says cannot be used; the text says which entry). Blocks. */
int kube_config_load(const struct kube_config_options *options, struct kube_config **ret_config,
                     struct err *err);
struct kube_config *kube_config_free(struct kube_config *config); /* NULL allowed */
DEFINE_CLEANUP(struct kube_config *, kube_config_free)

/* Borrowed for the configuration's life; of a client's: for the client's. */
const char *kube_config_server(const struct kube_config *config);
const char *kube_config_namespace(const struct kube_config *config);

struct kube_settings {       /* 0 = the default */
    uint64_t try_timeout_ms; /* 30 s: of one try, from connect to the last byte */
    uint64_t silence_ms_max; /* 90 s: a watch without a byte for so long is begun anew; the
                              * server sends a bookmark each minute */
    uint64_t backoff_ms_min; /* 200 ms, doubled a try, with jitter */
    uint64_t backoff_ms_max; /* 30 s; "later" (Retry-After) is followed to this bound, too */
    unsigned tries_max;      /* 5 for one request; a watch never gives up */
    unsigned page_items;     /* 50: of a list. A pod takes 64 KB as it is parsed */
    uint64_t seed;           /* of the jitter; 0 = from the kernel */
};

/* Never NULL. Takes config; loop and jobs (for exec plugins) are borrowed for its life; settings
 * may be NULL. Nothing is sent before the first request. */
struct kube *kube_new(struct loop *loop, struct job_pool *jobs, struct kube_config *config,
                      const struct kube_settings *settings);

/* Ends all requests and watches without a callback. NULL allowed; not within a callback of its. */
struct kube *kube_free(struct kube *kube);
DEFINE_CLEANUP(struct kube *, kube_free)

const struct kube_config *kube_configuration(const struct kube *kube);

enum kube_verb {
    KUBE_VERB_GET,
    KUBE_VERB_LIST,
    KUBE_VERB_WATCH,
    KUBE_VERB_CREATE,
    KUBE_VERB_PATCH, /* apply, too */
    KUBE_VERB_DELETE,
    KUBE_VERB_OTHER, /* access reviews, raw paths */
    KUBE_VERBS
};

enum kube_wait_cause {
    KUBE_WAIT_TURN,  /* more requests were under way than may be at a time */
    KUBE_WAIT_LATER, /* the server said so: 429, 503, Retry-After */
    KUBE_WAIT_FAULT, /* a back-off after a loss or a 5xx */
    KUBE_WAIT_CAUSES
};

/* As RBAC names it: "patch"; "turn", "later", "fault". Static. */
const char *kube_verb_name(enum kube_verb verb);
const char *kube_wait_name(enum kube_wait_cause cause);

#define KUBE_CLASSES 6 /* of answers: status / 100; 0 = none came */

struct kube_figures {  /* since kube_new, but for those that say "now" */
    uint64_t requests; /* HTTP requests sent, with tries, pages and watches */
    uint64_t answers[KUBE_VERBS][KUBE_CLASSES]; /* of those; a watch counts as it begins */
    uint64_t retries;                           /* of those, sent again */
    uint64_t throttled;                         /* answers 429 */
    uint64_t failures; /* requests that were answered with an outcome other than KUBE_OK */
    uint64_t waits[KUBE_WAIT_CAUSES]; /* requests held up, and for how long together */
    uint64_t wait_ms[KUBE_WAIT_CAUSES];
    uint64_t restarts; /* of watches: streams after their first */
    uint64_t relists;  /* lists of watches after their first */
    uint64_t events;   /* lines of watches */
    uint64_t body_bytes;
    uint64_t answering_ns;             /* from sent to answered, without watches, together */
    const struct histogram *answering; /* each; borrowed */
    unsigned flying;                   /* now: sent and not answered, without watches */
    unsigned queued;                   /* now: they wait for their turn */
    unsigned watches;                  /* now */
    unsigned watches_live;             /* now: all was told, and it is connected */
};
void kube_figures_read(const struct kube *kube, struct kube_figures *ret);

/* ---- requests ---- */

enum kube_outcome {
    KUBE_OK,
    KUBE_UNREACHABLE,  /* no answer: connect, TLS, time-out, cut. It may have been executed */
    KUBE_UNAUTHORIZED, /* 401: who we are is not known, or the credentials cannot be had */
    KUBE_FORBIDDEN,    /* 403 by RBAC: the text says which verb on what is missing */
    KUBE_REFUSED,      /* 403 by admission: quota, pod security, a webhook */
    KUBE_NO_KIND,      /* the server does not know this apiVersion or kind (yet) */
    KUBE_NOT_FOUND,    /* 404: the object, or its namespace */
    KUBE_EXISTS,       /* 409 AlreadyExists */
    KUBE_CONFLICT,     /* 409: another field manager, resourceVersion or uid */
    KUBE_GONE,         /* 410: the resourceVersion or the continue token is too old */
    KUBE_INVALID,      /* 400, 413, 415, 422: the text says which field */
    KUBE_BUSY,         /* 429, 503 still after the last try */
    KUBE_FAILED,       /* other 4xx and 5xx */
    KUBE_BROKEN,       /* what came is no JSON object, or over a limit */
};

/* "forbidden"; static. */
const char *kube_outcome_name(enum kube_outcome outcome);

struct kube_reply { /* borrowed until the callback returns; json_ref keeps object */
    enum kube_outcome outcome;
    int status;                 /* HTTP; 0 = none came */
    const char *reason;         /* the Status' reason, as "AlreadyExists"; NULL = none */
    struct json_object *object; /* KUBE_OK: the object or list; else the Status; may be NULL */
    struct slice text;          /* of kube_log and kube_raw; else empty */
    const struct err *err;      /* what, why and what to do; NULL for KUBE_OK */
};
typedef void (*kube_reply_fn)(void *arg, const struct kube_reply *reply);

struct kube_ref {            /* borrowed until the function returns */
    const char *api_version; /* "v1", "apps/v1" */
    const char *kind;        /* "Deployment" */
    const char *namespace;   /* NULL = the configuration's; not looked at for cluster-wide kinds */
    const char *name;
    const char *subresource; /* "scale", "status"; NULL = the object itself */
};

/* The ref that a manifest names, borrowed from it. 0, or -EINVAL: a part is missing. */
int kube_ref_of(const struct json_object *object, struct kube_ref *ret_ref, struct err *err);

/* All of these: fn is called exactly once, also when the request cannot be made, unless it is
 * cancelled before. What is given is copied. The result is valid until fn returns. */

struct kube_request *kube_get(struct kube *kube, const struct kube_ref *ref, kube_reply_fn fn,
                              void *arg);

struct kube_select {
    const char *labels; /* "app=web,tier!=x"; NULL = all */
    const char *fields; /* "status.phase=Running"; NULL = all */
};

/* All pages in one List object {"items": [...], "metadata": {"resourceVersion": ...}}. The items
 * carry apiVersion and kind, which the server leaves out. select may be NULL; ref->name is not
 * looked at. */
struct kube_request *kube_list(struct kube *kube, const struct kube_ref *ref,
                               const struct kube_select *select, kube_reply_fn fn, void *arg);

struct kube_write {
    bool dry_run; /* all checks of the server (admission too), and nothing is kept */
    bool force;   /* apply: takes fields from other field managers, instead of KUBE_CONFLICT */
    bool again;   /* patch with a resourceVersion: may be sent again after a lost connection, when
                   * KUBE_CONFLICT may come of our own first one */
};

/* Server-side apply with KUBE_FIELD_MANAGER: creates or changes, and takes away what we applied
 * before and apply no more. options may be NULL. Members that are null are the caller's to strip.
 */
struct kube_request *kube_apply(struct kube *kube, struct json_object *object,
                                const struct kube_write *options, kube_reply_fn fn, void *arg);

/* Merge patch (RFC 7396). With metadata.resourceVersion in patch it is a compare-and-swap:
 * KUBE_CONFLICT when another was faster (and then it is not sent again after a lost connection,
 * unless options say so). */
struct kube_request *kube_patch(struct kube *kube, const struct kube_ref *ref,
                                struct json_object *patch, const struct kube_write *options,
                                kube_reply_fn fn, void *arg);

struct kube_request *kube_create(struct kube *kube, struct json_object *object,
                                 const struct kube_write *options, kube_reply_fn fn, void *arg);

enum kube_propagation {
    KUBE_BACKGROUND, /* the object goes at once, what it owns after it */
    KUBE_FOREGROUND, /* what it owns goes first */
    KUBE_ORPHAN,     /* what it owns stays */
};

struct kube_remove {
    enum kube_propagation propagation;
    const char *uid;     /* only this one: KUBE_CONFLICT if the name has a new owner; may be NULL */
    const char *version; /* resourceVersion: only as it was then; may be NULL */
    int64_t grace_s;     /* for the pods to end; 0 = as the object says; -1 = none */
    bool dry_run;
};

/* options may be NULL. KUBE_OK: it is gone or going (finalizers, grace); a watch says when. */
struct kube_request *kube_delete(struct kube *kube, const struct kube_ref *ref,
                                 const struct kube_remove *options, kube_reply_fn fn, void *arg);

struct kube_log_options {
    const char *container; /* NULL = the pod's only one */
    bool previous;         /* of the container before its last restart */
    unsigned lines_max;    /* the last ones; 0 = all, to KUBE_LOG_BYTES_MAX */
};

/* A pod's output in reply->text. options may be NULL. */
struct kube_request *kube_log(struct kube *kube, const char *namespace, const char *pod,
                              const struct kube_log_options *options, kube_reply_fn fn, void *arg);

/* The List of v1 Events about an object as it was got (metadata.uid counts), newest last. */
struct kube_request *kube_events(struct kube *kube, const struct json_object *object,
                                 kube_reply_fn fn, void *arg);

/* May we do that? The reply's object is a SelfSubjectAccessReview. verb as in RBAC: "patch". */
struct kube_request *kube_access(struct kube *kube, const char *verb, const struct kube_ref *ref,
                                 kube_reply_fn fn, void *arg);
bool kube_access_allowed(const struct json_object *review);

/* All that we may do in a namespace (NULL = the configuration's): a SelfSubjectRulesReview. */
struct kube_request *kube_rules(struct kube *kube, const char *namespace, kube_reply_fn fn,
                                void *arg);

/* Any path, for what has no object: "/readyz", "/version", a service's proxy. body NULL = none. The
 * reply's text is the body, and object is set when it is a JSON object. Sent again only for GET. */
struct kube_request *kube_raw(struct kube *kube, const char *method, const char *path,
                              struct json_object *body, kube_reply_fn fn, void *arg);

/* "/api/v1/namespaces/N/services/NAME:PORT/proxy/": behind it the API server passes requests on.
 * what: "services" or "pods". Owned by the caller. */
char *kube_proxy_path(const struct kube *kube, const char *what, const char *namespace,
                      const char *name, int port);

/* No callback any more. The server may execute it nevertheless. */
void kube_cancel(struct kube_request *request);

/* ---- watches ---- */

enum kube_change { KUBE_ADDED, KUBE_MODIFIED, KUBE_DELETED };

/* All objects at first (KUBE_ADDED each, then synced), then each change. After a cut connection
 * or a resourceVersion that is too old (410), the watch goes on by itself: what was missed comes as
 * changes, each object once at most, and synced is called again after a list. Of what is gone in
 * the meantime KUBE_DELETED tells only apiVersion, kind and metadata's name, namespace and uid: the
 * watch keeps no objects, only their resourceVersions. */
struct kube_watch_events {
    void (*change)(void *arg, enum kube_change change, struct json_object *object);
    void (*synced)(void *arg); /* all that exists has been told; may be NULL */
    /* Cannot be watched since now, or for another reason than before (reply->err says why); NULL =
     * watched again. Not called for a connection that is back within a try. May be NULL. */
    void (*trouble)(void *arg, const struct kube_reply *reply);
    void *arg;
};

#define KUBE_WATCHED_MAX 100000 /* objects of one watch: 20 MB of names and versions */

/* What is given is copied; select may be NULL. ref->name not NULL watches this one object. Never
 * NULL, and never gives up: a kind that does not exist is asked for again with back-off. */
struct kube_watch *kube_watch_new(struct kube *kube, const struct kube_ref *ref,
                                  const struct kube_select *select,
                                  const struct kube_watch_events *events);
struct kube_watch *kube_watch_free(struct kube_watch *watch); /* also within its callbacks */
bool kube_watch_is_synced(const struct kube_watch *watch);    /* what was told is all, and live */

/* ---- a connection for what is no request: an upgrade ---- */

struct kube_link;

/* err NULL: the connection stands. Else it does not come about: only kube_link_free is left. */
typedef void (*kube_link_fn)(void *arg, const struct err *err);

/* Connects by HTTP/1.1, over TLS with our certificate where the configuration has one. Never NULL;
 * fn is called once, and not before this has returned. */
struct kube_link *kube_link_new(struct kube *kube, kube_link_fn fn, void *arg);
struct kube_link *kube_link_free(struct kube_link *link); /* NULL allowed; also within fn */

/* The begin of a request's head: "GET path", Host, and who we are; without the empty line. */
void kube_link_head(const struct kube_link *link, const char *path, struct buf *out);
/* The server knows not who we are (401): the next link has the credentials anew. */
void kube_link_refused(struct kube_link *link);

int kube_link_fd(
    const struct kube_link *link); /* to be watched; read until -EAGAIN: TLS keeps some */
/* Bytes read, 0 = closed, -EAGAIN, or -EIO. */
ssize_t kube_link_read(struct kube_link *link, void *data, size_t size);
/* Bytes taken, -EAGAIN, or -EIO. After -EAGAIN the same bytes come first. */
ssize_t kube_link_write(struct kube_link *link, struct slice data);

/* ---- for a thread that may wait: commands, tests ---- */

struct kube_answer { /* zeroed before use, kube_answer_done after it */
    bool come;
    enum kube_outcome outcome;
    int status;
    struct json_object *object; /* owned; may be NULL */
    char *text;                 /* owned; of kube_log and kube_raw */
    struct err err;
};

/* As fn of a request, with a struct kube_answer as arg: keeps what came. */
void kube_keep(void *arg, const struct kube_reply *reply);

/* Takes turns of the client's loop until the answer has come: kube_get(kube, &ref, kube_keep,
 * &answer); then kube_wait(kube, &answer). Returns its outcome. Never in a callback. */
enum kube_outcome kube_wait(struct kube *kube, struct kube_answer *answer);
void kube_answer_done(struct kube_answer *answer);
