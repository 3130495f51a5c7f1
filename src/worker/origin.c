#include "worker/origin.h"

#include <stdio.h>
#include <string.h>

#include "http/server.h"
#include "worker/worker_priv.h"

static _Thread_local struct origin *current;

void origin_begin(struct origin *origin, const struct http_request *request)
{
    *origin = (struct origin){.request = request, .outer = current};
    if (!request && current) {
        origin->request = current->request;
        origin->walker = origin_walker(current);
        origin->lines = current->lines;
    }
    current = origin;
}

void origin_end(struct origin *origin)
{
    current = origin->outer;
}

void origin_add_nested(uint64_t nested_ns)
{
    if (current) {
        current->nested_ns += nested_ns;
    }
}

struct origin *origin_current(void)
{
    return current;
}

/* "/actions/" and the name; too long a name is nobody's. */
static struct slice path_of(struct origin *origin)
{
    static const struct slice start = SLICE("/actions/");
    struct slice action = origin->action;
    if (start.size + action.size > STATS_NAME_MAX) {
        return SLICE(STATS_OTHER);
    }
    memcpy(origin->path, start.data, start.size);
    memcpy(origin->path + start.size, action.data, action.size);
    return (struct slice){origin->path, start.size + action.size};
}

/* Only the daemon, which speaks through our Unix socket, is believed. */
static struct slice told_walker(const struct http_request *request)
{
    return http_request_listener(request) == LISTENER_UNIX
               ? http_request_header(request, "X-Jsorc-Walker")
               : (struct slice){0};
}

struct slice origin_walker(struct origin *origin)
{
    if (origin && origin->walker.size == 0 && origin->request) {
        origin->walker = told_walker(origin->request);
        if (origin->walker.size == 0 && origin->action.size > 0) {
            origin->walker = path_of(origin);
        }
    }
    bool told = origin && origin->walker.size > 0 && origin->walker.size <= STATS_NAME_MAX;
    return told ? origin->walker : SLICE(STATS_OTHER);
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
    if (origin && origin->lines.size > 0) {
        return origin->lines;
    }
    size_t used = put_line(lines, 0, "X-Jsorc-Walker", origin_walker(origin));
    for (size_t i = 0; origin && origin->request && i < sizeof(passed) / sizeof(passed[0]); i++) {
        used = put_line(lines, used, passed[i], http_request_header(origin->request, passed[i]));
    }
    return (struct slice){lines, used};
}
