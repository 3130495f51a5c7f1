/* http_parser and epoll with nothing around them: no limits, no time-outs, one request at a time.
 * The ceiling of what a layer of our own can reach. `handoff`: the other thread writes the answer.
 */
#include "handoff.h"

#include <errno.h>
#include <http_parser.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn {
    int fd;
    atomic_int refs; /* one of the loop's, one of the other thread's while it answers */
    http_parser parser;
    bool complete;
    size_t body_size;
    char body[4096];
};

static bool to_other_thread;
static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Content-Length: 35\r\n\r\n" ANSWER;
_Static_assert(sizeof(ANSWER) - 1 == 35, "Content-Length above");

static void conn_unref(struct conn *conn)
{
    if (atomic_fetch_sub(&conn->refs, 1) == 1) {
        close(conn->fd);
        free(conn);
    }
}

static int on_body(http_parser *parser, const char *data, size_t size)
{
    struct conn *conn = parser->data;
    if (conn->body_size + size > sizeof(conn->body)) {
        return 1;
    }
    memcpy(conn->body + conn->body_size, data, size);
    conn->body_size += size;
    return 0;
}

static int on_complete(http_parser *parser)
{
    struct conn *conn = parser->data;
    conn->complete = true;
    return 0;
}

static const http_parser_settings settings = {.on_body = on_body,
                                              .on_message_complete = on_complete};

/* The next request comes only after this answer (wrk does not pipeline), so nothing else touches
 * the connection meanwhile. */
static void answer(void *job)
{
    struct conn *conn = job;
    int fd = conn->fd;
    conn->complete = false;
    conn->body_size = 0;
    (void)!write(fd, reply, sizeof(reply) - 1);
    conn_unref(conn);
}

static void conn_read(int epoll, struct conn *conn)
{
    char data[16384];
    ssize_t size = read(conn->fd, data, sizeof(data));
    if (size < 0 && errno == EAGAIN) {
        return;
    }
    if (size <= 0 ||
        http_parser_execute(&conn->parser, &settings, data, (size_t)size) != (size_t)size) {
        (void)epoll_ctl(epoll, EPOLL_CTL_DEL, conn->fd, NULL);
        conn_unref(conn);
        return;
    }
    if (!conn->complete) {
        return;
    }
    atomic_fetch_add(&conn->refs, 1);
    if (to_other_thread) {
        handoff_push(conn);
    } else {
        answer(conn);
    }
}

static void conn_accept(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct conn *conn = calloc(1, sizeof(*conn));
    conn->fd = fd;
    conn->refs = 1;
    http_parser_init(&conn->parser, HTTP_REQUEST);
    conn->parser.data = conn;
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd,
                    &(struct epoll_event){.events = EPOLLIN, .data.ptr = conn});
}

int main(int argc, char **argv)
{
    unsigned short port;
    to_other_thread = arguments(argc, argv, &port);
    if (to_other_thread) {
        handoff_start(answer);
    }
    int listener = listen_loopback(port);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN});
    for (;;) {
        struct epoll_event events[128];
        int count = epoll_wait(epoll, events, 128, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr) {
                conn_read(epoll, events[i].data.ptr);
            } else {
                conn_accept(epoll, listener);
            }
        }
    }
}
