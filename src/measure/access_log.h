/* The access log: a JSON line for each request that was answered. Whoever answers only copies what
 * is known of the request into a batch; a thread of its own makes the lines and writes them. When
 * that cannot follow, lines are dropped and counted, and nobody waits.
 *
 * {"ts": "2026-01-31T12:00:00.123Z", "request_id": ..., "method": ..., "path": ..., "status": ...,
 * "duration_ms": ..., "exec_ms": ..., "bytes_in": ..., "bytes_out": ..., "kind": ..., "name": ...,
 * "walker": ..., "place": ..., "user": ..., "remote": ...}; what is not known is left out. ts is
 * when it was answered. */
#pragma once

#include <stdint.h>

struct access_log;
struct err;
struct exchange;

#define ACCESS_QUEUE_BYTES (4 * 1024 * 1024) /* about 10000 requests */
#define ACCESS_LINGER_MS   100               /* at most so long until a line is in the file */

/* path: "-" = standard output. The file is appended to; it may be rotated by renaming. NULL and err
 * when it cannot be opened. */
struct access_log *access_log_open(const char *path, struct err *err);

/* Writes what is left; lines that come later are lost. */
void access_log_stop(struct access_log *log);

/* Nobody may add any more. NULL allowed. */
struct access_log *access_log_close(struct access_log *log);

/* Any thread; never waits for the disk. */
void access_log_add(struct access_log *log, const struct exchange *exchange);

/* Any thread: opens the file anew. Not needed after a rotation by renaming, which is noticed. */
void access_log_reopen(struct access_log *log);

uint64_t access_log_written(const struct access_log *log); /* lines; any thread */
uint64_t access_log_dropped(const struct access_log *log);
