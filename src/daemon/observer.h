/* Looks at the requests of one I/O thread as they come and as they are answered: gives each an id,
 * counts it, and tells the access log and the tracer what is known of it. */
#pragma once

#include <stdint.h>

struct access_log;
struct http_request;
struct http_response;
struct request_stats;
struct tracer;

struct observer {
    struct request_stats *requests; /* owned */
    struct access_log *access_log;  /* borrowed; NULL = none. Any thread may answer */
    struct tracer *tracer;          /* likewise */
    uint64_t random;                /* the I/O thread's */
};

void observer_init(struct observer *observer, struct access_log *access_log, struct tracer *tracer);
void observer_done(struct observer *observer);

/* Before anybody else sees the request. */
void observer_begin(struct observer *observer, struct http_request *request);

/* An http_observe_fn; arg is the observer. */
void observer_answer(void *arg, const struct http_request *request,
                     const struct http_response *response);
