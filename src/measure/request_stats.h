/* Figures of the HTTP requests of one I/O thread. Added to by whoever answers, read by any. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct exposition;
struct histogram;

enum request_kind { REQUEST_OTHER, REQUEST_ACTION, REQUEST_WALKER, REQUEST_API, REQUEST_KINDS };

const char *request_kind_name(enum request_kind kind);

#define REQUEST_STATUS_MIN 100
#define REQUEST_STATUS_MAX 599

struct request_stats {
    struct {
        atomic_uint_fast64_t by_status[REQUEST_STATUS_MAX - REQUEST_STATUS_MIN + 1];
        atomic_uint_fast64_t duration_ns; /* sum */
        atomic_uint_fast64_t bytes_in;
        atomic_uint_fast64_t bytes_out;
        struct histogram *duration; /* owned */
    } kinds[REQUEST_KINDS];
};

struct request_stats *request_stats_new(void);
struct request_stats *request_stats_free(struct request_stats *stats); /* NULL allowed */

void request_stats_add(struct request_stats *stats, enum request_kind kind, int status,
                       uint64_t duration_ns, size_t bytes_in, size_t bytes_out);

/* The METRIC_HTTP_* of all of them together, but for the connections. */
void request_stats_expose(struct exposition *exposition, const struct request_stats *const *all,
                          size_t count);
