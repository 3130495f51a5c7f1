/* Which actions were called how often, and how long they took, while one placement held after the
 * other (jsorc_trackact_*). An entry begins when a module has moved; its figures are what the
 * cumulative ones grew by until the next. Those that are current at a change come a moment later,
 * as workers have to be asked: so a change and the figures at it are told apart. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"

struct figures;
struct json_object;
struct trackact;

#define TRACKACT_ENTRIES_MAX 1000
#define TRACKACT_BYTES_MAX   (4UL * 1024 * 1024) /* of JSON */

/* figures: all so far; owned from here on. */
struct trackact *trackact_new(int64_t unix_ms, struct figures *figures);
struct trackact *trackact_free(struct trackact *trackact); /* NULL allowed */
DEFINE_CLEANUP(struct trackact *, trackact_free)

/* The placement is another one. state: {name: {"mode": ...}}; borrowed. */
void trackact_change(struct trackact *trackact, int64_t unix_ms, struct json_object *state);

/* Closes what the last change ended: figures (owned from here on) are those at it. */
void trackact_settle(struct trackact *trackact, struct figures *figures);

/* All entries, oldest first, the last one up to figures (borrowed). The first kept one has
 * "dropped": the number of those that made room. Owned by the caller. */
struct json_object *trackact_report(const struct trackact *trackact, const struct figures *figures);
