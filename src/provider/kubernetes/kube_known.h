/* Which objects a watch has told of, and in which version: so that nothing is told twice and what
 * vanished while nobody watched is noticed. Keeps names, no objects. By name and not by uid: when
 * one of the same name has come instead, the end of the old one is told first. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct json_object;
struct kube_known;

enum kube_news { KUBE_NEWS_NONE, KUBE_NEWS_ADDED, KUBE_NEWS_MODIFIED, KUBE_NEWS_TOO_MANY };

struct kube_known *kube_known_new(void);
struct kube_known *kube_known_free(struct kube_known *known); /* NULL allowed */
DEFINE_CLEANUP(struct kube_known *, kube_known_free)

/* The object as it is now: what it is to who has been told of the earlier ones. *ret_gone: what had
 * this name before and is gone, as of kube_known_sweep (owned by the caller), or NULL. Objects
 * without uid, name or resourceVersion are none. TOO_MANY: KUBE_WATCHED_MAX are known. */
enum kube_news kube_known_put(struct kube_known *known, struct json_object *object,
                              struct json_object **ret_gone);
/* True: it was known, this very one. */
bool kube_known_remove(struct kube_known *known, struct json_object *object);

/* Begins a list: all that is not put from here on is gone. */
void kube_known_mark(struct kube_known *known);
/* After the list: takes out one that was not put since the mark, and describes it as an object with
 * metadata's uid, name and namespace (owned by the caller). NULL = no more; until then nothing else
 * may be called. */
struct json_object *kube_known_sweep(struct kube_known *known);
size_t kube_known_count(const struct kube_known *known);
