/* What to do next so that the cluster has the objects that are wanted and none of ours besides.
 *
 * Pure: no I/O, no clock. One decision looks at the objects of one owner (a module or a service),
 * so it does not matter how the difference came about: a change of the manifest, a hand in the
 * cluster, a crash between two requests. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manifest/manifest.h"

struct reconcile_object {
    const char *kind;
    bool wanted;             /* the manifest has it */
    bool seen;               /* the cluster has it, with our label */
    bool going;              /* its deletion has begun */
    bool busy;               /* a request about it is under way */
    bool unread;             /* whether the cluster has it is not known yet */
    const char *wanted_hash; /* MANIFEST_HASH of what is wanted and of what is there; NULL = none */
    const char *seen_hash;
    const char *wanted_version; /* the label config_version; NULL counts as "1" */
    const char *seen_version;
    bool drifted;        /* what is there lacks a member that is wanted */
    int64_t mark;        /* of its state: metadata.generation, or what changes with each change */
    int64_t mark_at_end; /* mark after our last apply; 0 = not known */
    uint64_t retry_ms;   /* a request failed: not before */
};

enum reconcile_step {
    RECONCILE_KEEP,
    RECONCILE_WAIT,  /* for a request, a deletion, an object before it, or for time */
    RECONCILE_APPLY, /* create or patch: the same request */
    RECONCILE_DELETE,
    RECONCILE_GUARD, /* would be deleted, but its data are nobody's to throw away */
};

struct reconcile_plan {
    enum reconcile_step *steps; /* [count], the caller's */
    bool settled;               /* nothing is left to do, but for guarded ones */
    uint64_t wake_ms;           /* look again then at the latest; UINT64_MAX = only on an event */
};

/* objects[count], in any order. */
void reconcile_decide(const struct reconcile_object *objects, size_t count, bool may_delete_claims,
                      uint64_t now_ms, struct reconcile_plan *ret_plan);

#define RECONCILE_BACKOFF_MS_MIN 500
#define RECONCILE_BACKOFF_MS_MAX (5 * 60 * 1000)

/* Pause after failure number n (1 = first) in a row, in ms: RECONCILE_BACKOFF_MS_MIN doubled n - 1
 * times, at most RECONCILE_BACKOFF_MS_MAX, of which the half up to the whole by chance. Source:
 * Brooker, "Exponential backoff and jitter" (AWS Architecture Blog, 2015), "equal jitter". */
uint64_t reconcile_backoff_ms(unsigned failures, uint64_t random);
