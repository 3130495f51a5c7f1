/* For server_test.c: a server on a loop thread of its own, and plain blocking sockets as clients.
 */
#pragma once

#include "http/server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/test.h"
#include "loop/loop.h"

struct fixture {
    struct loop *loop;
    struct http_server *server;
    pthread_t thread;
    pthread_t answerer;
    struct sockaddr_in address;
    struct http_request *parked; /* for the answering thread */
    struct loop_task drain;
    sem_t draining; /* the loop is in the task */
    sem_t arrived;  /* what it shall find has been sent */
};

static void *answer_later(void *arg)
{
    test_pause_ms(20); /* the handler has returned by then */
    http_respond(arg, &(struct http_response){.status = 200, .body = SLICE("later")});
    return NULL;
}

/* Echoes "METHOD PATH QUERY BODY"; "/later" is answered by another thread. */
static void handle(void *arg, struct http_request *request)
{
    struct fixture *fixture = arg;
    if (slice_eq(http_request_path(request), SLICE("/later"))) {
        EXPECT_INT(pthread_create(&fixture->answerer, NULL, answer_later, request), 0);
        (void)pthread_detach(fixture->answerer);
        return;
    }
    struct slice path = http_request_path(request), query = http_request_query(request);
    struct slice body = http_request_body(request);
    char *text = NULL;
    int size = asprintf(&text, "%d %.*s %.*s %.*s", (int)http_request_method(request),
                        (int)path.size, path.data, (int)query.size, query.data, (int)body.size,
                        body.size ? body.data : "");
    http_respond(request, &(struct http_response){.status = 200,
                                                  .content_type = "text/plain",
                                                  .headers = SLICE("X-Test: yes\r\n"),
                                                  .body = {text, (size_t)size}});
    free(text);
}

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void start(struct fixture *fixture, const struct http_limits *limits)
{
    *fixture = (struct fixture){.loop = loop_new(NULL)};
    fixture->server = http_server_new(fixture->loop, limits, handle, fixture);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    fixture->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(fixture->address);
    EXPECT_INT(bind(fd, (struct sockaddr *)&fixture->address, size), 0);
    EXPECT_INT(listen(fd, 16), 0);
    EXPECT_INT(getsockname(fd, (struct sockaddr *)&fixture->address, &size), 0);
    EXPECT_INT(http_server_listen(fixture->server, fd, NULL, 0, NULL), 0);
    EXPECT_INT(pthread_create(&fixture->thread, NULL, run, fixture->loop), 0);
}

static void stop(struct fixture *fixture)
{
    loop_stop(fixture->loop);
    (void)pthread_join(fixture->thread, NULL);
    http_server_free(fixture->server);
    loop_free(fixture->loop);
}

static int dial(const struct fixture *fixture)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval limit = {.tv_sec = 5};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    EXPECT_INT(connect(fd, (const struct sockaddr *)&fixture->address, sizeof(fixture->address)),
               0);
    return fd;
}

/* Reads until text has come wanted times, the peer closed, or 5 s passed; the whole is in data. */
static int read_until(int fd, char *data, size_t size, const char *text, int wanted)
{
    size_t used = 0;
    int found = 0;
    while (found < wanted && used < size - 1) {
        ssize_t got = recv(fd, data + used, size - 1 - used, 0);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
        data[used] = '\0';
        found = 0;
        for (const char *at = data; (at = strstr(at, text)); at++) {
            found++;
        }
    }
    data[used] = '\0';
    return found;
}

static void put(int fd, const char *text)
{
    EXPECT_INT(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}
