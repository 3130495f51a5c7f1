/* The I/O threads' part of GET /metrics. */
#include "call/caller.h"
#include "daemon/io.h"
#include "measure/exposition.h"
#include "measure/request_stats.h"

void ios_expose(struct io *const *ios, unsigned count, struct exposition *exposition)
{
    const struct request_stats *requests[IO_THREADS_MAX];
    unsigned connections = 0, parked = 0;
    for (unsigned i = 0; i < count; i++) {
        requests[i] = io_requests(ios[i]);
        connections += io_connections(ios[i]);
        parked += caller_parked(io_caller(ios[i]));
    }
    request_stats_expose(exposition, requests, count);
    exposition_single(exposition, METRIC_HTTP_CONNECTIONS, connections);
    exposition_single(exposition, METRIC_CALLS_PARKED, parked);
    exposition_begin(exposition, METRIC_CALL_FAILURES);
    for (enum call_outcome outcome = 0; outcome < CALL_OUTCOMES; outcome++) {
        uint64_t failures = 0;
        for (unsigned i = 0; i < count; i++) {
            failures += caller_failures(io_caller(ios[i]), outcome);
        }
        exposition_value(exposition, (const char *const[]){call_outcome_row(outcome)->type},
                         (double)failures);
    }
}
