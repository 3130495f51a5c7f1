#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/target.h"
#include "base/alloc.h"
#include "base/digits.h"
#include "base/utf8.h"
#include "call/caller_priv.h"
#include "http/server.h"

#define PASSED_MAX  512  /* bytes of a header line's value that is sent on */
#define QUERY_MAX   1024 /* bytes of a walker's query that are sent on; longer: none */
#define EXEC_NS_MAX (UINT64_C(1000000000) * 1000000) /* 11 days: longer is nonsense */

/* Where an external server serves the function: its bare name, the part after the last dot. */
static const char *bare_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* Written without printf: each call has a head. */
struct head {
    char *data; /* [CALL_HEAD_MAX] */
    size_t used;
    bool full; /* something did not fit */
};

static void put(struct head *head, struct slice text)
{
    if (head->full || text.size > CALL_HEAD_MAX - head->used) {
        head->full = true;
        return;
    }
    if (text.size > 0) {
        memcpy(head->data + head->used, text.data, text.size);
        head->used += text.size;
    }
}

static void put_text(struct head *head, const char *text)
{
    put(head, slice_str(text));
}

static void put_number(struct head *head, size_t number)
{
    char digits[DIGITS_MAX];
    put(head, (struct slice){digits, digits_put(digits, number)});
}

/* A line that the call can do without: left out when it is empty or too long. */
static void put_line(struct head *head, struct slice name, struct slice value)
{
    if (value.size > 0 && value.size < PASSED_MAX &&
        head->used + name.size + value.size + 6 <= CALL_HEAD_MAX) {
        put(head, name);
        put(head, SLICE(": "));
        put(head, value);
        put(head, SLICE("\r\n"));
    }
}

static void put_walker_path(struct head *head, const struct call *call)
{
    struct slice query = http_request_query(call->request);
    put_text(head, call->name);
    if (query.size > 0 && query.size <= QUERY_MAX) {
        put(head, SLICE("?"));
        put(head, query);
    }
}

static void put_path(struct head *head, const struct call *call, const struct target *target)
{
    if (call->walker) {
        put_walker_path(head, call);
    } else if (call->path) {
        put_text(head, call->path);
    } else if (target->external) {
        put_text(head, target->base_path);
        put(head, SLICE("/"));
        put_text(head, bare_name(call->name));
        put_text(head, call->without_slash ? "" : "/");
    } else {
        put(head, SLICE("/"));
        put_text(head, call->name);
        put(head, SLICE("/"));
    }
}

/* Of a client's header lines those that a walker may want to know: not what is about the connection
 * or the body, which is another one here, nor what lets somebody in. */
static bool is_walkers_to_know(struct slice name)
{
    static const char *const others[] = {
        "Host",       "Content-Type", "Content-Length", "Transfer-Encoding",
        "Connection", "Keep-Alive",   "Upgrade",        "TE",
        "Trailer",    "Expect",       "Authorization",  "Proxy-Authorization",
        "Cookie",     "X-Request-Id", "traceparent",    "tracestate"};
    static const char ours[] = "X-Jsorc-";
    bool known =
        name.size >= sizeof(ours) - 1 && strncasecmp(name.data, ours, sizeof(ours) - 1) == 0;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && !known; i++) {
        known = slice_eq_nocase(name, slice_str(others[i]));
    }
    return !known;
}

static void put_walkers_lines(struct head *head, const struct call *call)
{
    for (size_t i = 0; i < http_request_header_count(call->request); i++) {
        struct slice name, value;
        http_request_header_at(call->request, i, &name, &value);
        if (is_walkers_to_know(name)) {
            put_line(head, name, value);
        }
    }
}

/* What keeps its meaning one hop further. */
static void put_passed(struct head *head, const struct call *call, const struct target *target)
{
    const struct http_note *note = http_request_noted(call->request);
    struct slice id = slice_str(note->request_id);
    put_line(head, SLICE("X-Request-Id"),
             id.size > 0 ? id : http_request_header(call->request, "X-Request-Id"));
    if (note->trace.known) {
        char parent[TRACE_PARENT_SIZE];
        trace_context_write(&note->trace,
                            target->external ? note->trace.hop_id : note->trace.exec_id, parent);
        put_line(head, SLICE("traceparent"), (struct slice){parent, sizeof(parent)});
    } else {
        put_line(head, SLICE("traceparent"), http_request_header(call->request, "traceparent"));
    }
    put_line(head, SLICE("tracestate"), http_request_header(call->request, "tracestate"));
}

size_t call_head(const struct call *call, const struct target *target, size_t body_size, char *data)
{
    struct head head = {.data = data};
    put(&head, SLICE("POST "));
    put_path(&head, call, target);
    head.full |= head.used > CALL_HEAD_MAX / 2;
    put(&head, SLICE(" HTTP/1.1\r\nHost: "));
    put_text(&head, target->host);
    put(&head, SLICE("\r\nContent-Type: application/json\r\nContent-Length: "));
    put_number(&head, body_size);
    put(&head, SLICE("\r\n"));
    put_line(&head, SLICE("X-Jsorc-User"), slice_str(call->user));
    if (!target->external) {
        put_line(&head, SLICE("X-Jsorc-Walker"), call->caller_walker);
    }
    put_passed(&head, call, target);
    if (call->walker) {
        put_walkers_lines(&head, call);
    }
    put(&head, SLICE("\r\n"));
    return head.full ? 0 : head.used;
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

/* The time behind key, in ns; 0 = none that makes sense. */
static uint64_t timing_ns(struct slice text, struct slice key)
{
    if (!slice_starts(text, key)) {
        return 0;
    }
    text = slice_from(text, key.size);
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

uint64_t call_exec_ns(struct slice server_timing)
{
    return timing_ns(server_timing, SLICE("exec;dur="));
}

uint64_t call_nested_ns(struct slice server_timing)
{
    const char *comma =
        server_timing.size > 0 ? memchr(server_timing.data, ',', server_timing.size) : NULL;
    uint64_t exec_ns = call_exec_ns(server_timing);
    uint64_t nested_ns =
        comma ? timing_ns(slice_from(server_timing, (size_t)(comma - server_timing.data)),
                          SLICE(", nested;dur="))
              : 0;
    return nested_ns < exec_ns ? nested_ns : exec_ns;
}
