/* What the files of the client share. From below: kube_net.c (libcurl on the loop: one transfer),
 * kube_credential.c (who we are), kube_exchange.c (a transfer with its tries), kube_discovery.c
 * (kind -> path), kube_request.c and kube_ops.c (the requests of kube.h), kube_watch.c, kube_link.c
 * (a connection for an upgrade). Without I/O: kube_figures.c (what is counted), kube_status.c (what
 * an answer means), kube_stream.c (lines of a watch), kube_resources.c (a discovery document),
 * kube_path.c. */
#pragma once

#include <curl/curl.h>

#include "base/buf.h"
#include "loop/loop.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/kube_config.h"
#include "provider/kubernetes/kube_resources.h"
#include "provider/kubernetes/kube_status.h"

#define KUBE_FLIGHT_MAX      32 /* requests sent and not answered; more wait. Watches do not count */
#define KUBE_CONNECTIONS_MAX 6  /* the same by HTTP/1.1, where each takes one: as browsers do */
#define KUBE_GROUPS_MAX      256 /* apiVersions in use: manifests name a dozen */
#define KUBE_PATH_MAX        4096
#define KUBE_RESOLVE_MS                                                                            \
    2000 /* a kind missing in what discovery said is asked for again after it                      \
          */
#define KUBE_CONNECT_MS  10000
#define KUBE_TOKEN_MS    10000 /* a token file is read again after it: kubelets rotate them */
#define KUBE_WATCH_S_MIN 300   /* the server ends a watch after MIN to 2 MIN: spreads reconnects */

/* ---- kube_net.c, kube_transfer.c ---- */

struct kube_net; /* a libcurl multi handle: connections and what is under way on them */

struct kube_transfer {    /* one HTTP request and its answer; embedded in its owner */
    struct kube_net *net; /* borrowed; NULL = not under way */
    struct kube_transfer *next, *previous;
    CURL *easy;                    /* owned while under way, and until kube_transfer_done */
    struct curl_slist *headers;    /* owned */
    struct curl_slist *connect_to; /* owned */
    char text[CURL_ERROR_SIZE];    /* libcurl's own words for what failed */
    struct buf body;               /* what came and was not consumed */
    uint64_t *byte_count;          /* borrowed: bodies of the whole client */
    size_t bytes_max;
    bool too_large;
    bool begun; /* headers have come: status is set */
    bool dirty; /* came is to be called */
    bool link;  /* only connects, and stays attached: a kube_link's */
    int status;
    uint64_t retry_after_ms; /* 0 = the answer did not say */
    void (*came)(void *arg); /* headers or bytes came; may cancel. NULL = only the end matters */
    void (*ended)(void *arg, CURLcode code); /* the transfer is not under way any more */
    void *arg;
};

struct kube_send { /* borrowed until begin returns; body until the end */
    const char *method;
    const char *path; /* with query */
    const char *content_type;
    struct slice body;
    uint64_t timeout_ms; /* 0 = none: a watch */
    bool fresh;          /* on a connection of its own: else libcurl may send it twice */
    bool link;           /* connects, by HTTP/1.1, and sends nothing */
};

/* came, ended, arg and bytes_max are set by the owner; all else zero. */
void kube_transfer_begin(struct kube_transfer *transfer, struct kube *kube,
                         const struct kube_send *send);
void kube_transfer_set_up(struct kube_transfer *transfer, struct kube *kube,
                          const struct kube_send *send); /* kube_transfer.c; of begin */
/* Ends it without a callback, and frees what it holds. Also for one that never began. */
void kube_transfer_done(struct kube_transfer *transfer);

/* New transfers get new connections; those under way end on the old ones. For a connection that is
 * dead without a sign: all that share it would wait for nothing. */
void kube_net_renew(struct kube *kube, const struct kube_net *seen);
void kube_net_free_all(struct kube *kube);

/* ---- kube_credential.c ---- */

struct kube_exec_job;

struct kube_credential {
    char *authorization; /* header line; owned; NULL = none */
    char *certificate;   /* PEM of an exec plugin; owned; else the configuration's count */
    char *key;
    int64_t expires_ms; /* unix time; 0 = never */
    uint64_t tried_ms;  /* token file read, or plugin run */
    bool valid;
    struct err err;            /* of the plugin's last run */
    struct kube_exec_job *job; /* under way; owned by the job pool */
};

enum kube_ready { KUBE_READY, KUBE_READY_LATER, KUBE_READY_NEVER };

/* READY: authorization, certificate and key can be used. LATER: a plugin runs; kube_pump follows.
 * NEVER: err says why. */
enum kube_ready kube_credential_ready(struct kube *kube, struct err *err);
void kube_credential_renew(struct kube *kube); /* the server refused it */
void kube_credential_done(struct kube *kube);

/* ---- kube_exchange.c ---- */

struct kube_result {
    enum kube_outcome outcome;
    int status;
    struct json_object *object; /* owned by the exchange until ended returns; TAKE it */
    struct slice text;          /* of the body, borrowed */
    uint64_t retry_after_ms;
    struct err err;
};

struct kube_exchange { /* embedded in its owner */
    struct kube *kube;
    struct kube_exchange *next, *previous; /* of the queue */
    enum { KUBE_IDLE, KUBE_QUEUED, KUBE_FLYING, KUBE_PAUSED } state;
    const char *method;       /* static */
    const char *content_type; /* static; NULL = no body */
    char *path;               /* owned */
    char *body;               /* owned */
    struct kube_deed deed;    /* owned texts */
    uint64_t timeout_ms;      /* of a try; 0 = the settings' */
    bool repeatable;          /* may be executed twice with the same result */
    bool stream;              /* a watch: one try, no limit of time, not counted */
    bool text;                /* the body is no JSON, or need not be */
    bool renewed;             /* credentials, after a 401 */
    bool counted;             /* the answer to this try */
    unsigned tries;
    uint64_t since_ms; /* queued, or paused */
    uint64_t sent_ns;
    struct loop_timer timer;
    const struct kube_net *net; /* of the last try; only compared */
    struct kube_transfer transfer;
    void (*came)(void *arg); /* stream: transfer.body or transfer.begun has news; may be NULL */
    void (*ended)(void *arg, struct kube_result *result);
    void *arg;
};

struct kube_queue {
    struct kube_exchange *first, *last;
    unsigned count;
};

/* Queues it; the first callback comes from the loop. path, body and deed are the exchange's. */
void kube_exchange_start(struct kube_exchange *exchange);
/* No callback any more; frees what it holds; it may be started anew after setting path again. */
void kube_exchange_done(struct kube_exchange *exchange);
void kube_pump_soon(struct kube *kube);

/* Pause before try n (1 = the second try), in ms: half to all of backoff_ms_min doubled n - 1
 * times, at most backoff_ms_max; not before retry_after_ms has passed, within the same bound. */
uint64_t kube_backoff_ms(struct kube *kube, unsigned n, uint64_t retry_after_ms);

/* ---- kube_figures.c ---- */

/* What came of the try under way, the first time that it is known. status: of HTTP; 0 = nothing. */
void kube_note_answer(struct kube_exchange *exchange, int status);
/* Something was held up for so long. */
void kube_note_wait(struct kube *kube, enum kube_wait_cause cause, uint64_t wait_ms);

/* ---- kube_discovery.c ---- */

struct kube_group;  /* an apiVersion, and what discovery says of it */
struct kube_waiter; /* a lookup that waits for it */

struct kube_lookup {            /* embedded in who asks; found and arg are set by it */
    struct kube_waiter *waiter; /* NULL = does not wait */
    char *kind;                 /* owned */
    /* resource: borrowed until found returns; NULL: result says why not. */
    void (*found)(void *arg, const struct kube_resource *resource, struct kube_result *result);
    void *arg;
};

/* found may be called before this returns: callers are in the loop already. */
void kube_lookup_start(struct kube_lookup *lookup, struct kube *kube, const char *api_version,
                       const char *kind);
void kube_lookup_cancel(struct kube_lookup *lookup);
/* What was said of this apiVersion is not true any more: the path was not found. */
void kube_lookup_forget(struct kube *kube, const char *api_version);
void kube_discovery_free(struct kube *kube);

/* ---- kube_path.c ---- */

/* Appends "?name=value" or "&name=value", encoded; a NULL value adds nothing. */
void kube_path_query(struct buf *path, const char *name, const char *value);
/* The text, owned by the caller; path is empty afterwards. */
char *kube_path_take(struct buf *path);
/* Path of a collection or an object. 0, or -EINVAL: a part that cannot stand in a path. */
int kube_path_object(struct buf *path, const struct kube_config *config,
                     const struct kube_resource *resource, const struct kube_ref *ref,
                     struct err *err);

/* ---- kube_pager.c ---- */

struct kube_pager { /* a list, page by page; embedded in its owner */
    struct kube_exchange exchange;
    char *path;          /* of the collection, with what selects; owned */
    char *api_version;   /* owned; put into each item, where the server leaves it out */
    char *kind;          /* owned */
    char *next;          /* the continue token; owned */
    char *version;       /* resourceVersion; owned */
    unsigned page_items; /* less after a page that was too large */
    /* One page. False: the pager is done, do not touch it. */
    bool (*page)(void *arg, struct json_object *items);
    /* version: the list's resourceVersion, borrowed; NULL unless KUBE_OK. KUBE_GONE: it took too
     * long, and may be begun anew. */
    void (*ended)(void *arg, struct kube_result *result, const char *version);
    void *arg;
};

/* page, ended and arg are set by the owner; path and deed are the pager's from here on. */
void kube_pager_start(struct kube_pager *pager, struct kube *kube,
                      const struct kube_resource *resource, char *path, struct kube_deed *deed);
void kube_pager_done(struct kube_pager *pager);

/* ---- kube_request.c ---- */

void kube_ref_copy(struct kube_ref *into, const struct kube_ref *ref);
void kube_ref_done(struct kube_ref *ref); /* of a copy */

/* What is done to what, for texts. */
struct kube_deed kube_deed_of(const struct kube *kube, const char *verb,
                              const struct kube_resource *resource, const struct kube_ref *ref);

struct kube_request {
    struct kube *kube;
    struct kube_request *next, *previous;
    struct kube_ref ref; /* a copy; api_version NULL = a raw path */
    const char *verb;    /* static */
    char *asked_verb;    /* of an access review; owned */
    char *query;         /* "?..."; owned; may be NULL */
    bool collection;     /* the path has no name, though ref has one */
    bool listing;
    bool answering; /* fn is on the stack */
    bool looked_again;
    unsigned restarts;         /* of a list */
    struct json_object *items; /* of a list */
    struct kube_lookup lookup;
    struct kube_exchange exchange;
    struct kube_pager pager;
    struct loop_timer begin;
    struct kube_result *early; /* cannot be made: told from the loop; owned, NULL = can */
    /* Makes path and body of the exchange from what was found; NULL = the usual ones. */
    int (*prepare)(struct kube_request *request, const struct kube_resource *resource,
                   struct err *err);
    kube_reply_fn fn;
    void *arg;
};

struct kube_plan { /* of a new request; ref NULL = a raw path */
    const char *verb;
    const char *method;
    const struct kube_ref *ref;
    kube_reply_fn fn;
    void *arg;
};

/* It begins in the next turn of the loop: what follows may still be set. */
struct kube_request *kube_request_new(struct kube *kube, const struct kube_plan *plan);
void kube_request_fail(struct kube_request *request, const struct err *err); /* KUBE_INVALID */
void kube_request_body(struct kube_request *request, const char *content_type,
                       struct json_object *body);
struct kube_request *kube_request_free(struct kube_request *request);

/* ---- kube_watch.c ---- */

/* The server answers again: those that pause because it did not go on now. */
void kube_watches_hurry(struct kube *kube);
void kube_watch_bury(struct kube_watch *watch); /* the memory of one that kube_watch_free ended */

/* ---- kube.c ---- */

struct kube {
    struct loop *loop;     /* borrowed */
    struct job_pool *jobs; /* borrowed */
    struct kube_config *config;
    struct kube_settings settings; /* all set */
    uint64_t random;
    struct kube_net *net; /* the current one is first; then those that run dry */
    struct kube_credential credential;
    struct kube_group *groups[KUBE_GROUPS_MAX];
    unsigned group_count;
    struct kube_queue requests_waiting, streams_waiting;
    unsigned flying;
    bool ailing;      /* a watch was not answered, and nothing was answered well since */
    bool multiplexes; /* the server speaks HTTP/2, as far as is known */
    struct loop_timer pump;
    struct kube_request *requests;
    unsigned request_count;
    struct kube_watch *watches;
    struct kube_figures figures;
    struct histogram *answering; /* of figures */
};
