/* For the client's tests: an API server that says what the test tells it to, on the client's own
 * loop. It speaks HTTP/1.1 without TLS, one request a connection at a time, and notes what it was
 * asked. The test's function answers (with server_reply, or server_begin and server_chunk), or does
 * not. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/test.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "provider/kubernetes/kube.h"

#define SERVER_CONNS_MAX 64
#define TEST_PATIENCE_MS 60000 /* a test that waits longer has failed; the machine may be busy */

struct server_conn {
    struct server *server;
    struct loop_watch watch;
    struct buf in;
    bool open;
    void (*raw)(struct server_conn *conn); /* reads in by itself from here on; NULL = requests */
};

struct seen { /* a request, borrowed until the function returns */
    const char *method;
    const char *path; /* with query, as sent */
    const char *head; /* all of it, ended by a zero */
    struct slice body;
    unsigned number; /* of the server's requests, from 1 */
};

struct server {
    struct loop *loop;
    struct job_pool *jobs;
    struct kube *kube;
    struct loop_watch listener;
    int port;
    struct server_conn conns[SERVER_CONNS_MAX];
    unsigned connections; /* accepted */
    unsigned requests;
    unsigned discoveries; /* of the requests; server_discover answers them */
    void (*answer)(struct server *server, struct server_conn *conn, const struct seen *seen);
    unsigned step; /* the test's own */
    struct server_conn *held;
};

static inline void server_close(struct server_conn *conn)
{
    if (conn->open) {
        int fd = conn->watch.fd;
        loop_unwatch(conn->server->loop, &conn->watch);
        (void)close(fd);
        buf_done(&conn->in);
        conn->open = false;
    }
}

/* With a reset instead of an orderly end. */
static inline void server_cut(struct server_conn *conn)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(conn->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    server_close(conn);
}

static inline void server_write(struct server_conn *conn, const char *text)
{
    if (conn->open) {
        (void)!send(conn->watch.fd, text, strlen(text), MSG_NOSIGNAL);
    }
}

static inline void server_reply(struct server_conn *conn, int status, const char *headers,
                                const char *body)
{
    char *text = xasprintf("HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%s"
                           "Content-Length: %zu\r\n\r\n%s",
                           status, headers, strlen(body), body);
    server_write(conn, text);
    free(text);
}

/* A stream: then chunks, then server_chunk(conn, "") for its end. */
static inline void server_begin(struct server_conn *conn)
{
    server_write(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static inline void server_chunk(struct server_conn *conn, const char *data)
{
    char *text = xasprintf("%zx\r\n%s\r\n", strlen(data), data);
    server_write(conn, text);
    free(text);
}

/* v1: Pod, Namespace, Secret; apps/v1: Deployment. True: it was a question of discovery. */
static inline bool server_discover(struct server *server, struct server_conn *conn,
                                   const struct seen *seen)
{
    if (strcmp(seen->path, "/api/v1") == 0) {
        server_reply(conn, 200, "",
                     "{\"kind\":\"APIResourceList\",\"resources\":["
                     "{\"name\":\"pods\",\"kind\":\"Pod\",\"namespaced\":true},"
                     "{\"name\":\"pods/log\",\"kind\":\"Pod\",\"namespaced\":true},"
                     "{\"name\":\"events\",\"kind\":\"Event\",\"namespaced\":true},"
                     "{\"name\":\"namespaces\",\"kind\":\"Namespace\",\"namespaced\":false}]}");
    } else if (strcmp(seen->path, "/apis/apps/v1") == 0) {
        server_reply(conn, 200, "",
                     "{\"kind\":\"APIResourceList\",\"resources\":["
                     "{\"name\":\"deployments\",\"kind\":\"Deployment\",\"namespaced\":true}]}");
    } else {
        return false;
    }
    server->discoveries++;
    return true;
}

/* JSON that the test wrote; the caller's. */
static inline struct json_object *server_manifest(const char *text)
{
    struct json_object *object = NULL;
    if (json_parse(slice_str(text), &object, NULL) < 0) {
        abort();
    }
    return object;
}

static inline bool header_has(const struct seen *seen, const char *line)
{
    return strstr(seen->head, line) != NULL;
}

static inline void server_take(struct server_conn *conn)
{
    struct slice all = buf_slice(&conn->in);
    const char *end = all.size ? memmem(all.data, all.size, "\r\n\r\n", 4) : NULL;
    if (!end) {
        return;
    }
    size_t head_size = (size_t)(end - all.data) + 4;
    char *head = xstrndup(all.data, head_size);
    const char *length = strstr(head, "Content-Length: ");
    size_t body_size = length ? strtoul(length + 16, NULL, 10) : 0;
    if (all.size >= head_size + body_size) {
        char *body = xstrndup(all.data + head_size, body_size);
        char *first = xstrndup(head, strcspn(head, "\r"));
        char *rest = first, *method = strsep(&rest, " "), *path = strsep(&rest, " ");
        struct seen seen = {
            method, path ? path : "", head, {body, body_size}, ++conn->server->requests};
        buf_consume(&conn->in, head_size + body_size);
        conn->server->answer(conn->server, conn, &seen);
        free(first);
        free(body);
    }
    free(head);
}

static inline void server_readable(void *arg, uint32_t events)
{
    struct server_conn *conn = arg;
    char data[65536];
    (void)events;
    ssize_t got = recv(conn->watch.fd, data, sizeof(data), MSG_DONTWAIT);
    if (got > 0) {
        (void)buf_append(&conn->in, data, (size_t)got);
        conn->raw ? conn->raw(conn) : server_take(conn);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        server_close(conn);
    }
}

static inline void server_accept(void *arg, uint32_t events)
{
    struct server *server = arg;
    (void)events;
    int fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < SERVER_CONNS_MAX; i++) {
        struct server_conn *conn = &server->conns[i];
        if (!conn->open) {
            *conn = (struct server_conn){.server = server, .open = true};
            conn->watch = (struct loop_watch){.fd = fd, .fn = server_readable, .arg = conn};
            server->connections++;
            if (loop_watch(server->loop, &conn->watch, EPOLLIN) < 0) {
                abort();
            }
            return;
        }
    }
    printf("Bail out! more than %d connections\n", SERVER_CONNS_MAX);
    abort();
}

static const struct kube_settings test_settings = {
    .backoff_ms_min = 1, .backoff_ms_max = 50, .page_items = 2, .seed = 1};

/* A client of it; settings NULL = test_settings, options without api_server are filled in. */
static inline struct server *server_new(void (*answer)(struct server *, struct server_conn *,
                                                       const struct seen *),
                                        const struct kube_config_options *given,
                                        const struct kube_settings *settings)
{
    struct server *server = xcalloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server->loop = loop_new(NULL);
    server->jobs = job_pool_new(1);
    server->answer = answer;
    if (!server->loop || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        abort();
    }
    server->port = ntohs(address.sin_port);
    server->listener = (struct loop_watch){.fd = fd, .fn = server_accept, .arg = server};
    if (loop_watch(server->loop, &server->listener, EPOLLIN) < 0) {
        abort();
    }
    struct kube_config_options options = given ? *given : (struct kube_config_options){0};
    CLEANUP(str_free) char *url = xasprintf("http://127.0.0.1:%d/", server->port);
    options.api_server = url;
    struct kube_config *config = NULL;
    struct err err = {0};
    if (kube_config_load(&options, &config, &err) < 0) {
        printf("Bail out! %s\n", err.text);
        abort();
    }
    server->kube =
        kube_new(server->loop, server->jobs, config, settings ? settings : &test_settings);
    return server;
}

static inline struct server *server_free(struct server *server)
{
    (void)kube_free(server->kube);
    (void)job_pool_free(server->jobs);
    for (int i = 0; i < SERVER_CONNS_MAX; i++) {
        server_close(&server->conns[i]);
    }
    int fd = server->listener.fd;
    loop_unwatch(server->loop, &server->listener);
    (void)close(fd);
    (void)loop_free(server->loop);
    free(server);
    return NULL;
}
DEFINE_CLEANUP(struct server *, server_free)

/* Turns the loop until *done is at least wanted. */
static inline void server_until(struct server *server, const unsigned *done, unsigned wanted)
{
    uint64_t end_ms = clock_now_ms() + TEST_PATIENCE_MS;
    while (*done < wanted && clock_now_ms() < end_ms) {
        loop_turn(server->loop, 100);
    }
    if (*done < wanted) {
        printf("Bail out! waited for nothing\n");
        abort();
    }
}
