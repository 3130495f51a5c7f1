#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/json.h"
#include "http/server_priv.h"

const char *http_status_text(int status)
{
    switch (status) {
#define ROW(number, name, text)                                                                    \
    case number:                                                                                   \
        return #text;
        HTTP_STATUS_MAP(ROW)
#undef ROW
    default:
        return "";
    }
}

/* The text changes once a second; each thread keeps its own copy. */
static size_t put_date(char *at)
{
    static _Thread_local int64_t second;
    static _Thread_local char text[40];
    static _Thread_local size_t size;
    int64_t now = clock_unix_s();
    if (now != second) {
        struct tm utc;
        time_t time = (time_t)now;
        (void)gmtime_r(&time, &utc);
        size = strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
        second = now;
    }
    memcpy(at, text, size);
    return size;
}

static size_t put(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return size;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

size_t response_head(char *head, const struct http_response *response, bool http_1_0,
                     bool keep_alive)
{
    char *at = head;
    if (response->status == 200) {
        at += PUT(at, "HTTP/1.1 200 OK\r\n");
    } else {
        at += snprintf(at, 80, "HTTP/1.1 %d %s\r\n", response->status,
                       http_status_text(response->status));
    }
    at += put_date(at);
    if (response->content_type) {
        size_t size = strnlen(response->content_type, 100);
        at += PUT(at, "Content-Type: ");
        at += put(at, response->content_type, size);
        at += PUT(at, "\r\n");
    }
    if (response->status >= 200 && response->status != 204 && response->status != 304) {
        at += PUT(at, "Content-Length: ");
        at += digits_put(at, response->body.size);
        at += PUT(at, "\r\n");
    }
    if (!keep_alive) {
        at += PUT(at, "Connection: close\r\n");
    } else if (http_1_0) {
        at += PUT(at, "Connection: keep-alive\r\n");
    }
    return (size_t)(at - head);
}

static size_t put_request_id(char *at, const char *request_id)
{
    size_t size = strlen(request_id), used = 0;
    if (size > 0) {
        used += PUT(at, "X-Request-Id: ");
        used += put(at + used, request_id, size);
        used += PUT(at + used, "\r\n");
    }
    return used;
}

/* Gives the connection back: idle, or to the loop when there is something to do for it. */
static void release(struct http_request *conn, bool needs_loop)
{
    unsigned before = atomic_load(&conn->state), after;
    do {
        after = before & ~(unsigned)CONN_BUSY;
        if (!(before & CONN_DISPATCHING) &&
            (needs_loop || (before & (CONN_READABLE | CONN_GONE | CONN_LEAVES)))) {
            after |= CONN_POSTED;
        }
    } while (!atomic_compare_exchange_weak(&conn->state, &before, after));
    if (after & CONN_POSTED) {
        loop_post(conn->server->loop, &conn->task);
    }
}

void http_respond(struct http_request *conn, const struct http_response *response)
{
    if (conn->server->observe) {
        conn->server->observe(conn->server->observe_arg, conn, response);
    }
    char head[RESPONSE_HEAD_MAX];
    /* RFC 9110 6.4.1: what ends with its head. More would be taken for the next answer's. */
    bool bodiless = conn->message.parser.method == HTTP_HEAD || response->status < 200 ||
                    response->status == 204 || response->status == 304;
    bool old = conn->message.parser.http_major == 1 && conn->message.parser.http_minor == 0;
    bool keep_alive =
        conn->message.keep_alive && !response->close && !conn->closing && !conn->server->draining;
    size_t size = response_head(head, response, old, keep_alive);
    size += put_request_id(head + size, conn->note.request_id);
    conn->closing = !keep_alive;

    /* One copy of the handler's header lines keeps the write at two parts. */
    char line_buffer[1024];
    CLEANUP(str_free) char *allocated = NULL;
    char *lines = line_buffer;
    size_t lines_size = size + response->headers.size + 2;
    if (lines_size > sizeof(line_buffer)) {
        lines = allocated = xcalloc(1, lines_size);
    }
    memcpy(lines, head, size);
    if (response->headers.size > 0) {
        memcpy(lines + size, response->headers.data, response->headers.size);
    }
    memcpy(lines + lines_size - 2, "\r\n", 2);

    struct slice first = {lines, lines_size};
    struct slice body = bodiless ? (struct slice){0} : response->body;
    ssize_t put = stream_write(&conn->stream, first, body);
    if (put < 0 && put != -EAGAIN) {
        conn->closing = true;
        conn->lingering = false;
        put = (ssize_t)(first.size + body.size);
    }
    size_t done = put > 0 ? (size_t)put : 0;
    struct slice rest = slice_from(first, done);
    struct slice rest_body = slice_from(body, done > first.size ? done - first.size : 0);
    if (buf_append(&conn->out, rest.data, rest.size) < 0 ||
        buf_append(&conn->out, rest_body.data, rest_body.size) < 0) {
        conn->closing = true; /* no memory for the rest: a cut answer, and the peer sees it */
        buf_done(&conn->out);
    }
    bool pipelined = buf_size(&conn->in) > conn->message.parsed;
    bool large = conn->in.capacity > CONN_KEEP_BYTES;
    if (!conn->closing && !pipelined && !large && buf_size(&conn->out) == 0) {
        http_message_end(&conn->message);
        release(conn, false);
    } else {
        release(conn, true);
    }
}

void http_respond_detail(struct http_request *request, int status, const char *text)
{
    CLEANUP(json_put) struct json_object *body = json_object_new_object();
    json_set_str(body, "detail", text);
    http_respond(request, &(struct http_response){
                              .status = status,
                              .content_type = "application/json",
                              .body = slice_str(json_text(body)),
                          });
}
