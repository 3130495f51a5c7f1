/* The socket blocks, with the kernel's own time-outs, so that a usual exchange costs two system
 * calls. The verdicts on a broken connection are those of client.c. */
#include "http/blocking.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/message.h"
#include "http/stream.h"

#define REPLY_HEAD_BYTES_MAX (64 * 1024)
#define KEEP_BYTES           65536   /* an idle connection gives back a larger buffer */
#define READ_BYTES_MAX       1048576 /* offered to one read */

struct http_blocking {
    struct sockaddr_storage address;
    socklen_t address_size;
    struct stream stream;       /* fd -1 = not connected */
    uint64_t socket_timeout_ms; /* as the kernel knows it */
    struct buf in;
    struct http_message message;
    bool replied; /* message holds a reply that the caller may still read */
};

struct http_blocking *http_blocking_new(const struct sockaddr *address, unsigned address_size)
{
    struct http_blocking *client = xcalloc(1, sizeof(*client));
    memcpy(&client->address, address, address_size);
    client->address_size = address_size;
    client->stream.fd = -1;
    return client;
}

static void disconnect(struct http_blocking *client)
{
    if (client->stream.fd >= 0) {
        stream_close(&client->stream);
    }
    client->replied = false;
}

struct http_blocking *http_blocking_free(struct http_blocking *client)
{
    if (client) {
        disconnect(client);
        buf_done(&client->in);
        free(client);
    }
    return NULL;
}

static void set_timeouts(struct http_blocking *client, uint64_t timeout_ms)
{
    if (timeout_ms == 0) {
        timeout_ms = 1; /* 0 would mean for ever */
    }
    if (client->socket_timeout_ms != timeout_ms) {
        struct timeval time = {.tv_sec = (time_t)(timeout_ms / 1000),
                               .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000)};
        (void)setsockopt(client->stream.fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
        (void)setsockopt(client->stream.fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
        client->socket_timeout_ms = timeout_ms;
    }
}

static int open_connection(struct http_blocking *client, uint64_t timeout_ms)
{
    int family = client->address.ss_family;
    client->stream = (struct stream){.fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    client->socket_timeout_ms = 0;
    if (client->stream.fd < 0) {
        return -errno;
    }
    int one = 1;
    if (family != AF_UNIX) {
        (void)setsockopt(client->stream.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    set_timeouts(client, timeout_ms); /* for connect, too */
    if (connect(client->stream.fd, (const struct sockaddr *)&client->address,
                client->address_size) < 0) {
        int error = errno == EAGAIN || errno == EINPROGRESS ? ETIMEDOUT : errno;
        disconnect(client);
        return -error;
    }
    buf_done(&client->in);
    return 0;
}

/* A server that closed a TCP connection shows it before the next request, usually. */
static bool is_stale(const struct http_blocking *client)
{
    char byte;
    return client->address.ss_family != AF_UNIX &&
           (recv(client->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN);
}

/* 0 = all of it. Otherwise -errno, and *ret_whole stays false. */
static int send_all(struct http_blocking *client, const struct http_send *send)
{
    size_t done = 0, total = send->head.size + send->body.size;
    while (done < total) {
        struct slice body =
            slice_from(send->body, done > send->head.size ? done - send->head.size : 0);
        ssize_t put = stream_write(&client->stream, slice_from(send->head, done), body);
        if (put < 0) {
            return put == -EAGAIN ? -ETIMEDOUT : (int)put;
        }
        done += (size_t)put;
    }
    return 0;
}

/* Waits until the socket is readable; the first read of a reply relies on the kernel's time-out. */
static int wait_readable(const struct http_blocking *client, uint64_t deadline_ms)
{
    uint64_t now_ms = clock_now_ms();
    struct pollfd wait = {.fd = client->stream.fd, .events = POLLIN};
    int rest_ms = now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0;
    return poll(&wait, 1, rest_ms) > 0 ? 0 : -ETIMEDOUT;
}

/* Parses what was read. 0 = incomplete, 1 = a whole reply, -EBADMSG. */
static int parse(struct http_blocking *client)
{
    for (;;) {
        if (http_message_feed(&client->message) < 0) {
            return -EBADMSG;
        }
        if (!client->message.complete) {
            return 0;
        }
        if (client->message.parser.status_code >= 200) {
            return 1;
        }
        http_message_end(&client->message); /* "100 Continue" and the like */
    }
}

/* 0, -ETIMEDOUT, -EBADMSG (no HTTP, over a limit), -ECONNRESET and others: the connection broke. */
static int receive(struct http_blocking *client, uint64_t deadline_ms)
{
    for (bool first = true;; first = false) {
        bool drained;
        if (!first && wait_readable(client, deadline_ms) < 0) {
            return -ETIMEDOUT;
        }
        ssize_t got = stream_read(&client->stream, &client->in, READ_BYTES_MAX, &drained);
        if (got == 0) {
            bool begun = client->message.parsed > 0;
            return begun && http_message_feed_end(&client->message) == 0 ? 0 : -EPIPE;
        }
        if (got < 0) {
            return got == -EAGAIN ? -ETIMEDOUT : (int)got;
        }
        int parsed = parse(client);
        if (parsed != 0) {
            return parsed > 0 ? 0 : parsed;
        }
    }
}

static enum http_outcome verdict(const struct http_blocking *client, bool sent_whole, int failed)
{
    bool silent = client->message.parsed == 0 && buf_size(&client->in) == 0;
    bool unread = client->address.ss_family == AF_UNIX && failed == -ECONNRESET && silent;
    if (!sent_whole || unread) {
        return HTTP_UNSENT;
    }
    if (failed == -ETIMEDOUT) {
        return HTTP_TIMED_OUT;
    }
    return failed == -EBADMSG ? HTTP_BROKEN : HTTP_LOST;
}

static void describe(enum http_outcome outcome, int failed, const struct http_send *send,
                     const struct http_message *message, struct err *err)
{
    if (outcome == HTTP_TIMED_OUT) {
        (void)err_set(err, ETIMEDOUT, "no reply within %llu ms",
                      (unsigned long long)send->timeout_ms);
    } else if (outcome == HTTP_BROKEN && message->status == 413) {
        (void)err_set(err, EMSGSIZE, "the reply has more than %zu bytes", send->reply_bytes_max);
    } else if (outcome == HTTP_BROKEN) {
        (void)err_set(err, EPROTO, "the reply is no HTTP");
    } else if (outcome == HTTP_UNSENT) {
        (void)err_set(err, ECONNREFUSED, "the request was not taken: %s", strerror(-failed));
    } else {
        (void)err_set(err, ECONNRESET, "the connection broke before the reply was complete");
    }
}

/* One exchange over the open connection. */
static enum http_outcome exchange(struct http_blocking *client, const struct http_send *send,
                                  int *ret_failed)
{
    uint64_t deadline_ms = clock_now_ms() + send->timeout_ms;
    set_timeouts(client, send->timeout_ms);
    http_message_init(&client->message, HTTP_RESPONSE, &client->in, REPLY_HEAD_BYTES_MAX,
                      send->reply_bytes_max);
    int failed = send_all(client, send);
    bool sent_whole = failed == 0;
    /* A server that refuses a large body answers before it has read it, and closes. */
    if (sent_whole || failed == -EPIPE || failed == -ECONNRESET) {
        int received = receive(client, deadline_ms);
        failed = received == 0 || sent_whole ? received : failed;
    }
    *ret_failed = failed;
    return failed == 0 ? HTTP_REPLIED : verdict(client, sent_whole, failed);
}

enum http_outcome http_blocking_call(struct http_blocking *client, const struct http_send *send,
                                     struct http_reply *ret_reply, struct err *err)
{
    if (client->replied) {
        client->replied = false;
        http_message_end(&client->message);
        buf_shrink(&client->in, KEEP_BYTES);
    }
    if (client->stream.fd >= 0 && is_stale(client)) {
        disconnect(client);
    }
    bool kept = client->stream.fd >= 0;
    enum http_outcome outcome = HTTP_UNSENT;
    int failed = 0;
    for (int tries = kept ? 2 : 1; tries > 0 && outcome == HTTP_UNSENT; tries--) {
        if (client->stream.fd < 0) {
            failed = open_connection(client, send->connect_timeout_ms);
        }
        if (client->stream.fd >= 0) {
            outcome = exchange(client, send, &failed);
        }
        if (outcome != HTTP_REPLIED) {
            disconnect(client);
        }
    }
    if (outcome != HTTP_REPLIED) {
        describe(outcome, failed, send, &client->message, err);
        return outcome;
    }
    struct http_message *message = &client->message;
    *ret_reply = (struct http_reply){
        .status = message->parser.status_code,
        .content_type = http_message_header(message, "Content-Type"),
        .server_timing = http_message_header(message, "Server-Timing"),
        .location = http_message_header(message, "Location"),
        .place = http_message_header(message, "X-Jsorc-Place"),
        .body = http_message_body(message),
    };
    /* What follows the reply answers no request of ours; the next one must not get it. */
    if (message->keep_alive && buf_size(&client->in) == message->parsed) {
        client->replied = true;
    } else {
        (void)fd_close(client->stream.fd); /* the reply stays in the buffer */
        client->stream.fd = -1;
    }
    return outcome;
}
