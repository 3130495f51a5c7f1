/* Shared by reconciler.c (sets and turns), reconciler_item.c (their objects), reconciler_watch.c
 * (what the cluster tells), reconciler_read.c (what was there before) and reconciler_act.c
 * (requests). */
#pragma once

#include "loop/loop.h"
#include "manifest/manifest.h"
#include "manifest/reconcile.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/reconciler.h"

#define RECONCILER_ITEMS_MAX  (2 * MANIFEST_OBJECTS_MAX) /* of a set: wanted ones and old ones */
#define RECONCILER_PODS_MAX   1024                       /* of a set, for their conditions */
#define RECONCILER_SLICES_MAX 64                         /* of a set: 100 endpoints each */

struct item { /* one object: wanted, there, or both */
    struct reconciler_set *set;
    char *api_version;
    char *kind;
    char *namespace; /* "" = none */
    char *name;
    char *owner_kind; /* of an orphan: the label that says whose it was; else NULL */
    char *owner_name;
    char *wanted; /* JSON: parsed it takes twenty times as much; NULL = not wanted */
    char wanted_hash[MANIFEST_HASH_SIZE];
    char *wanted_version; /* NULL = none */
    bool seen;
    bool told; /* of that by a watch, not only by the answer to a request */
    bool going;
    bool ended; /* by us */
    bool lost;  /* somebody deleted it, though it is wanted */
    bool drifted;
    char seen_hash[MANIFEST_HASH_SIZE];
    char *seen_version;
    char *uid;
    int64_t mark;
    int64_t mark_at_end;
    bool rolled_out;
    bool has_condition; /* of the object's status */
    struct condition condition;
    unsigned failures; /* requests in a row */
    uint64_t retry_ms;
    struct condition failure; /* of the last request; reason "" = none */
    enum reconcile_step step; /* of the last turn */
    bool makes;               /* the request is to bring it into being */
    struct kube_request *request;
};

struct pod_seen {
    char *name;
    bool has_condition;
    struct condition condition;
};

struct slice_seen {
    char *name;
    struct endpoint *endpoints;
    size_t count;
};

#define RECONCILER_READINGS 2 /* kinds: pods, slices */

struct reading { /* of what of a kind is there already */
    struct reconciler_set *set;
    const char *api_version;
    const char *kind;
    struct kube_request *request;
    struct loop_timer again; /* after a failure */
    unsigned failures;       /* in a row */
    bool late;               /* the watch had begun to tell when the set was wanted */
    bool stale;              /* a watch has told something meanwhile, and may be ahead of it */
};

struct reconciler_set {
    struct reconciler_set *next;
    struct reconciler *reconciler; /* borrowed */
    const char *owner_kind;        /* MANIFEST_ACTION or MANIFEST_SERVICE; NULL: the orphans */
    char *owner_name;
    char label[MANIFEST_LABEL_MAX + 1];
    char *key; /* in the table of sets; owned */
    bool may_delete_claims;
    bool wanted;
    char *service; /* of the first Service: "" = none */
    char *service_namespace;
    char *port_name;
    struct item **items;
    size_t item_count;
    struct pod_seen *pods;
    size_t pod_count;
    struct slice_seen *slices;
    size_t slice_count;
    struct reading readings[RECONCILER_READINGS];
    struct endpoint *endpoints; /* of all slices together */
    size_t endpoint_count;
    bool dirty;              /* to be decided anew */
    bool news;               /* to be told */
    struct set_queue *queue; /* where it stands; borrowed; NULL = in none */
    struct reconciler_set *queue_next, *queue_previous;
    bool settled;
    uint64_t begun_ns;       /* when it became unsettled; 0 = it is settled */
    struct loop_timer timer; /* to be decided anew then */
    reconciler_changed_fn changed;
    void *arg;
};

struct set_queue {
    struct reconciler_set *first, *last;
};

struct watched {
    struct reconciler *reconciler;
    char *api_version;
    char *kind;
    char *namespace; /* "" = cluster-wide */
    struct kube_watch *watch;
    bool synced;   /* all there was has been told once; what changes since comes, maybe late */
    bool has_told; /* something, of that maybe: who comes now may have missed it */
    bool blind;    /* it must not be watched: what is there is not known */
};

struct reconciler {
    struct loop *loop;
    struct kube *kube;
    char *owner;
    char *selector;
    uint64_t random;
    struct reconciler_set *sets;
    struct lh_table *by_owner; /* key -> set; borrows both */
    struct reconciler_set orphans;
    bool sweeping;
    bool passive; /* another daemon does what is to be done */
    struct watched *watches[RECONCILER_WATCHES_MAX];
    size_t watch_count;
    struct set_queue waiting; /* for a turn: dirty, or with news. Others cost a turn nothing */
    struct set_queue telling; /* within a turn */
    struct loop_timer timer;  /* the next turn */
    struct kube_request *namespace_request; /* one that is made; NULL = none */
    struct reconciler_figures figures;
    struct histogram *turning, *settling; /* of figures */
};

/* reconciler.c */
void set_decide(struct reconciler_set *set); /* anew, in the next turn */
void set_tell(struct reconciler_set *set);   /* its owner, in the next turn */
void set_touch(struct reconciler_set *set);  /* both */
struct reconciler_set *set_find(const struct reconciler *reconciler, const char *owner_kind,
                                const char *label);

/* reconciler_item.c */
struct item *item_find(const struct reconciler_set *set, const char *kind, const char *namespace,
                       const char *name);
/* NULL when the set is full. */
struct item *item_new(struct reconciler_set *set, const struct json_object *object);
void item_free(struct item *item);
void item_put(struct reconciler_set *set, struct item *item);
/* What is wanted, parsed; the caller's. NULL = it is not wanted. */
struct json_object *item_wanted(const struct item *item);
void item_take_out(struct item *item); /* of its set */
void item_drop(struct item *item);     /* takes it out and frees it */

/* reconciler_watch.c */
/* Sees to it that objects of that kind there are watched. */
void watch_kind(struct reconciler *reconciler, const char *api_version, const char *kind,
                const char *namespace);
/* Whether the cluster has told all there is of the item's kind, or cannot. */
bool is_known(const struct reconciler *reconciler, const struct item *item);
/* Whether a watch will tell when the item changes. */
bool is_watched(const struct reconciler *reconciler, const struct item *item);
/* What an object is like now. */
void item_see(struct item *item, struct json_object *object);
void item_unsee(struct item *item);
void watches_end(struct reconciler *reconciler);
void set_merge_endpoints(struct reconciler_set *set);
void set_forget_seen(struct reconciler_set *set);
/* Puts an object where it belongs, if it is ours. */
void see_object(struct reconciler *reconciler, struct json_object *object);
/* Whether a watch of that kind there has told anything yet. */
bool has_told(const struct reconciler *reconciler, const char *kind, const char *namespace);

/* reconciler_read.c */
/* The Service at which the set's pods answer; NULL = none. When it differs from the one before, in
 * its port as well, pods and EndpointSlices that are there already become known, as those to come.
 */
void set_note_service(struct reconciler_set *set, const struct json_object *object);
/* The item is there, and it was not made just now. Behind a Service there may be pods, then, that
 * the set has missed; behind one that we make there are none yet. */
void set_read_behind(struct item *item);
/* A watch has told something of that kind that may be the set's: what is being read may be older.
 */
void set_read_stale(struct reconciler_set *set, const char *kind);
void set_read_end(struct reconciler_set *set);
/* Reads once what may have been left of an earlier life, kinds that nobody watches. */
void sweep_begin(struct reconciler *reconciler);

/* reconciler_act.c */
void item_apply(struct item *item);
void item_delete(struct item *item);
