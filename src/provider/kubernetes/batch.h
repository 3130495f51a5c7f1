/* Objects applied once, one after the other, with what became of each: for a person who brings a
 * manifest, or asks what one would change. Nothing is remembered of them. */
#pragma once

#include <stdbool.h>

struct json_object;
struct kube;
struct manifest;

struct batch_options {
    bool dry_run; /* the server checks all and keeps nothing */
    bool force;   /* takes fields over that others have set */
};

/* results: [{"kind", "name", "namespace", "result": "created", "patched", "unchanged" or "error",
 * "message", "changes": [...] as manifest_changes}], in the order of making; owned by done. */
typedef void (*batch_fn)(void *arg, struct json_object *results);

/* manifest is taken over. done runs in the client's loop, at once when the
 * manifest is empty. A namespace that
 * is missing is made, but for a dry run. */
void batch_apply(struct kube *kube, struct manifest *manifest, const struct batch_options *options,
                 batch_fn done, void *arg);
