/* Keeps the cluster's objects as they are wanted: one set of objects a module or service, applied
 * in order, watched, mended when somebody changes them, taken away when nobody wants them any more.
 * What to do is decided by manifest/reconcile.h; here it is done, through the client.
 *
 * What is ours is found again by its labels, after a crash as well: objects with our owner's label
 * that no set has are taken away (reconciler_sweep). All functions are for the client's loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manifest/condition.h"
#include "provider/kubernetes/endpoints.h"

struct histogram;
struct json_object;
struct kube;
struct loop;
struct manifest;
struct manifest_owner;
struct reconciler;
struct reconciler_set;

#define RECONCILER_WATCHES_MAX 256 /* kinds and namespaces; each is one connection or stream */

/* owner: of this installation, a label's value; copied. loop and kube are borrowed. */
struct reconciler *reconciler_new(struct loop *loop, struct kube *kube, const char *owner,
                                  uint64_t seed);
/* Ends its watches; the objects stay. Before kube_free. */
struct reconciler *reconciler_free(struct reconciler *reconciler);

/* From now on objects that are ours and in no set are taken away. Not before all sets of an earlier
 * life are wanted again. */
void reconciler_sweep(struct reconciler *reconciler);

/* Passive: objects are only looked at, for another daemon of the same installation makes, mends and
 * deletes them. A new reconciler is not. */
void reconciler_set_passive(struct reconciler *reconciler, bool passive);

/* Told in the loop when something of a set changed that the functions below tell; not while one of
 * the reconciler's functions is running. */
typedef void (*reconciler_changed_fn)(void *arg);

/* Wants the objects of manifest (taken over; labelled here). owner: its kind and name are copied;
 * one set for each. */
struct reconciler_set *reconciler_want(struct reconciler *reconciler,
                                       const struct manifest_owner *owner,
                                       struct manifest *manifest, reconciler_changed_fn changed,
                                       void *arg);
/* Wants these instead (taken over). */
void reconciler_change(struct reconciler_set *set, struct manifest *manifest);
/* Wants none: they are deleted. The set lasts until reconciler_forget. */
void reconciler_unwant(struct reconciler_set *set);
/* Looks after it no more; the objects stay as they are. NULL allowed; returns NULL. */
struct reconciler_set *reconciler_forget(struct reconciler_set *set);

/* All is applied (or, unwanted, deleted), but for claims that are guarded. */
bool reconciler_is_settled(const struct reconciler_set *set);
/* It is settled, and what makes pods has made all of them from its present spec. */
bool reconciler_is_rolled_out(const struct reconciler_set *set);
/* What keeps the set from that; false = nothing that is known. */
bool reconciler_condition(const struct reconciler_set *set, struct condition *ret_condition);
/* Where its first Service is answered now; borrowed until the next turn of the loop. */
const struct endpoint *reconciler_endpoints(const struct reconciler_set *set, size_t *ret_count);
/* [{"kind", "namespace", "name", "state": "applied|applying|waiting|deleting|guarded|failed",
 * "reason", "message"}]; the caller's. */
struct json_object *reconciler_objects(const struct reconciler_set *set);

struct reconciler_figures { /* since reconciler_new, but for those that say "now" */
    uint64_t applied;       /* requests that made or changed an object */
    uint64_t deleted;
    uint64_t failed;   /* requests that did not */
    uint64_t repaired; /* of those applied: what somebody had changed or deleted */
    uint64_t turning_ns;
    uint64_t settling_ns;
    const struct histogram *turning;  /* each turn over all sets; borrowed */
    const struct histogram *settling; /* each time from the first thing to do for a set to all of it
                                       * done; borrowed */
    size_t sets;                      /* now */
    size_t unsettled;                 /* now: of those */
    size_t objects;                   /* now */
    size_t asking;                    /* now: objects with a request under way */
    size_t failing;                   /* now: others whose last request failed */
    size_t watches;                   /* now */
};
void reconciler_figures_read(const struct reconciler *reconciler, struct reconciler_figures *ret);
