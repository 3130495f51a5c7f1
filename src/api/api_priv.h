/* One request on its way through the API: shared by api_http.c, route.c and openapi.c. */
#pragma once

#include <stdatomic.h>

#include "api/api_http.h"
#include "api/op.h"
#include "api/route.h"
#include "loop/loop.h"
#include "share/share.h"

struct api_http {
    struct api_http_config config;
    atomic_bool running;
    atomic_uint calls;
};

struct api_call {
    struct api_http *front;       /* borrowed */
    struct http_request *request; /* ours until it is answered */
    const struct op *op;          /* one of the two is set */
    const struct route *route;
    char *variable; /* decoded; owned; NULL = the path has none */
    struct op_caller caller;
    struct json_object *body; /* owned; set in the control thread */
    struct loop_task task;
    struct share_wait wait; /* for the state to be reached */
    uint64_t begun_ns;
    uint64_t latency_ns; /* from begun_ns to its end; set then */
    bool has_secret;     /* the body holds one: the answer is not logged */
};

/* The call has been answered: frees it. */
void api_call_end(struct api_call *call);
