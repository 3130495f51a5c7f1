#include "worker/origin.h"

#include <stdio.h>

#include "http/server.h"
#include "worker/worker_priv.h"

static _Thread_local struct origin *current;

void origin_begin(struct origin *origin, const struct http_request *request)
{
    *origin = (struct origin){.request = request, .outer = current};
    if (!request && current) {
        origin->request = current->request;
        origin->walker = current->walker;
        origin->looked = current->looked;
        origin->lines = current->lines;
    }
    current = origin;
}

void origin_end(struct origin *origin)
{
    current = origin->outer;
}

struct origin *origin_current(void)
{
    return current;
}

struct slice origin_walker(struct origin *origin)
{
    /* Only the daemon, which speaks through our Unix socket, is believed. */
    if (origin->walker.size == 0 && !origin->looked) {
        origin->looked = true;
        if (origin->request && http_request_listener(origin->request) == LISTENER_UNIX) {
            origin->walker = http_request_header(origin->request, "X-Jsorc-Walker");
        }
    }
    return origin->walker;
}

static size_t put_line(char *lines, size_t used, const char *name, struct slice value)
{
    if (value.size == 0 || used + strlen(name) + value.size + 5 > ORIGIN_LINES_MAX) {
        return used;
    }
    return used + (size_t)snprintf(lines + used, ORIGIN_LINES_MAX - used, "%s: %.*s\r\n", name,
                                   (int)value.size, value.data);
}

struct slice origin_lines(struct origin *origin, char *lines)
{
    static const char *const passed[] = {"X-Request-Id", "traceparent", "tracestate"};
    if (origin->lines.size > 0) {
        return origin->lines;
    }
    size_t used = put_line(lines, 0, "X-Jsorc-Walker", origin_walker(origin));
    for (size_t i = 0; origin->request && i < sizeof(passed) / sizeof(passed[0]); i++) {
        used = put_line(lines, used, passed[i], http_request_header(origin->request, passed[i]));
    }
    return (struct slice){lines, used};
}
