/* Hands snapshots from the control thread to the I/O loops. Readers never lock: a loop looks at
 * the pointer once a turn and uses that snapshot for the whole turn; at the end of the turn it
 * holds nothing of it (a call keeps references to targets instead). So a snapshot can be freed
 * when every loop has begun a turn with a newer one (quiescent-state-based reclamation, McKenney
 * and Slingwine, "Read-Copy Update", 1998). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct auth_table;
struct publisher;
struct snapshot;

struct publisher *publisher_new(unsigned loops, void (*auth_unref)(struct auth_table *));

/* Frees all snapshots; the loops must have ended. */
struct publisher *publisher_free(struct publisher *publisher);

/* Control thread: gives the snapshot its version and makes it the current one (owned). */
void publisher_publish(struct publisher *publisher, struct snapshot *snapshot);

/* Control thread: frees what no loop can see any more. */
void publisher_reclaim(struct publisher *publisher);

/* Control thread: every loop uses the current snapshot. */
bool publisher_settled(const struct publisher *publisher);

/* Loop number loop, between two turns: drops the former snapshot and takes the current one. */
const struct snapshot *publisher_take(struct publisher *publisher, unsigned loop);
