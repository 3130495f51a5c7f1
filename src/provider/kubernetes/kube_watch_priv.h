/* Shared by kube_watch.c (its life, the list) and kube_watch_stream.c. */
#pragma once

#include "provider/kubernetes/kube_known.h"
#include "provider/kubernetes/kube_priv.h"

struct kube_watch {
    struct kube *kube;
    struct kube_watch *next, *previous;
    struct kube_ref ref; /* a copy, without a name: the query selects it */
    char *query;
    char *path;                       /* of the collection, with query; owned */
    char *group, *plural, *namespace; /* for texts; owned */
    struct kube_watch_events events;
    struct kube_lookup lookup;
    struct kube_pager pager;
    struct kube_exchange stream;
    struct loop_timer again;
    struct loop_timer silence;
    struct kube_known *known;
    char *version;     /* to read on from; NULL = list anew */
    unsigned failures; /* in a row */
    bool unreached;    /* the last of them: no answer, or a 5xx */
    bool hurried;      /* its pause was cut short, once in that row */
    bool listed;       /* at least once */
    bool streamed;     /* likewise */
    bool synced;
    bool heard;             /* a line came on this stream */
    bool troubled;          /* the receiver was told so */
    enum kube_outcome told; /* why */
    bool dead;
};

/* ---- kube_watch.c ---- */

/* A try is over; the next one follows after a pause. quiet: the receiver need not know. */
void kube_watch_failed(struct kube_watch *watch, const struct kube_result *result, bool quiet);
void kube_watch_pause(struct kube_watch *watch, uint64_t retry_after_ms);
void kube_watch_well(struct kube_watch *watch);      /* it is live: ends the trouble */
void kube_watch_list_anew(struct kube_watch *watch); /* at the next try */
/* An object as it is now, to the receiver if it is news. False: the watch is dead, or this list or
 * stream is over. */
bool kube_watch_take(struct kube_watch *watch, struct json_object *object);

/* ---- kube_watch_stream.c ---- */

void kube_watch_stream(struct kube_watch *watch); /* from watch->version on */
