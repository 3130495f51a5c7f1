#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/target.h"
#include "base/alloc.h"
#include "base/utf8.h"
#include "call/caller_priv.h"
#include "http/server.h"

#define EXEC_NS_MAX (UINT64_C(1000000000) * 1000000) /* 11 days: longer is nonsense */

/* Where an external server serves the function: its bare name, the part after the last dot. */
static const char *bare_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static size_t put_path(const struct call *call, const struct target *target, char *at, size_t size)
{
    int used;
    if (call->walker) {
        used = snprintf(at, size, "%s", call->name);
    } else if (call->path) {
        used = snprintf(at, size, "%s", call->path);
    } else if (target->external) {
        used = snprintf(at, size, "%s/%s%s", target->base_path, bare_name(call->name),
                        call->without_slash ? "" : "/");
    } else {
        used = snprintf(at, size, "/%s/", call->name);
    }
    return used > 0 && (size_t)used < size ? (size_t)used : 0;
}

/* Headers that keep their meaning one hop further. */
static size_t put_passed(const struct call *call, char *at, size_t size)
{
    static const char *const names[] = {"traceparent", "tracestate", "X-Request-Id"};
    size_t used = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct slice value = http_request_header(call->request, names[i]);
        if (value.size > 0 && value.size < 512 && used + value.size + 32 < size) {
            used += (size_t)snprintf(at + used, size - used, "%s: %.*s\r\n", names[i],
                                     (int)value.size, value.data);
        }
    }
    return used;
}

size_t call_head(const struct call *call, const struct target *target, size_t body_size, char *head)
{
    static const char before[] = "POST ";
    memcpy(head, before, sizeof(before) - 1);
    size_t used = sizeof(before) - 1;
    size_t path = put_path(call, target, head + used, CALL_HEAD_MAX / 2);
    if (path == 0) {
        return 0;
    }
    used += path;
    int more = snprintf(head + used, CALL_HEAD_MAX - used,
                        " HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n",
                        target->host, body_size);
    if (more < 0 || used + (size_t)more + 40 + 2 * sizeof(call->user) > CALL_HEAD_MAX) {
        return 0;
    }
    used += (size_t)more;
    if (call->user[0]) {
        used +=
            (size_t)snprintf(head + used, CALL_HEAD_MAX - used, "X-Jsorc-User: %s\r\n", call->user);
    }
    if (call->caller_walker.size > 0 && !target->external &&
        call->caller_walker.size < sizeof(call->user)) {
        used += (size_t)snprintf(head + used, CALL_HEAD_MAX - used, "X-Jsorc-Walker: %.*s\r\n",
                                 (int)call->caller_walker.size, call->caller_walker.data);
    }
    used += put_passed(call, head + used, CALL_HEAD_MAX - used - 2);
    memcpy(head + used, "\r\n", 2);
    return used + 2;
}

/* The path of a redirect when it stays on the same server; NULL otherwise. Owned by the caller. */
static char *same_server_path(const struct target *target, struct slice location)
{
    CLEANUP(str_free) char *text = xstrndup(location.data, location.size);
    const char *scheme = target->tls ? "https://" : "http://";
    if (text[0] == '/' && text[1] != '/') {
        return xstrdup(text);
    }
    if (strncasecmp(text, scheme, strlen(scheme)) != 0) {
        return NULL;
    }
    const char *host = text + strlen(scheme);
    size_t host_size = strlen(target->host);
    if (strncasecmp(host, target->host, host_size) != 0 || host[host_size] != '/') {
        return NULL;
    }
    return xstrdup(host + host_size);
}

bool call_redirect(struct call *call, struct target *target, const struct http_reply *reply)
{
    if (!target->external || call->walker) {
        return false;
    }
    bool first_path = !call->without_slash && !call->path;
    bool absent = reply->status == 404 || reply->status == 405;
    if ((reply->status == 307 || reply->status == 308) && !call->redirected) {
        char *path = same_server_path(target, reply->location);
        if (path) {
            call->redirected = true;
            free(call->path);
            call->path = path;
            return true;
        }
    }
    if (first_path && reply->status < 300) {
        atomic_store_explicit(&target->slash_serves, true, memory_order_relaxed);
    }
    /* Once the path with the slash has served, 404 is an action's own word: it was executed. */
    if (first_path && absent && !atomic_load(&target->slash_serves)) {
        call->without_slash = true;
        return true;
    }
    return false;
}

bool call_foreign_error(const struct target *target, const struct http_reply *reply, char *why)
{
    if (!target->external || reply->status < 400 ||
        slice_starts(reply->content_type, SLICE("application/json"))) {
        return false;
    }
    int size = reply->body.size < 512 ? (int)reply->body.size : 512;
    (void)snprintf(why, CALL_WHY_MAX, "status %d: %.*s", reply->status, size, reply->body.data);
    utf8_repair(why, strlen(why));
    return true;
}

uint64_t call_exec_ns(struct slice server_timing)
{
    static const struct slice key = {"exec;dur=", 9};
    if (!slice_starts(server_timing, key)) {
        return 0;
    }
    struct slice text = slice_from(server_timing, key.size);
    uint64_t ns = 0, unit = 1000000; /* of the digit before the point; ms */
    size_t at = 0;
    for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
        ns = ns * 10 + (uint64_t)(text.data[at] - '0') * unit;
        if (ns > EXEC_NS_MAX) {
            return 0;
        }
    }
    if (at < text.size && text.data[at] == '.') {
        for (at++; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
            unit /= 10;
            ns += (uint64_t)(text.data[at] - '0') * unit;
        }
    }
    bool ends = at == text.size || text.data[at] == ';' || text.data[at] == ',';
    return ends ? ns : 0;
}
