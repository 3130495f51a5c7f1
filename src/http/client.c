/* Ownership is simple here: one loop thread. What needs care is the verdict on a request whose
 * connection broke (enum http_outcome):
 *
 * - Not all of its bytes were taken by a Unix socket: our worker holds no complete request, and
 *   executes complete ones only. Of somebody else's server, which may begin early: not a byte was
 *   taken. HTTP_UNSENT.
 * - All bytes were taken by a Unix socket, and it then fails with ECONNRESET before a byte of the
 *   reply: Linux gives that error when the peer closed, or died, with unread data in its receive
 *   queue (unix_release_sock in net/unix/af_unix.c), and the only data on this connection was this
 *   request. So it was never read in full. HTTP_UNSENT.
 * - Everything else may have been executed. HTTP_LOST.
 *
 * What carries a connection further from a Unix socket keeps these rules (tunnel.c). */
#include "http/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "http/message.h"
#include "http/stream.h"
#include "http/tls.h"
#include "loop/loop.h"

#define REPLY_HEAD_BYTES_MAX (64 * 1024)
#define KEEP_BYTES           65536 /* an idle connection gives back a larger buffer */

struct http_client {
    struct loop *loop; /* borrowed */
    struct stream stream;
    struct loop_watch watch;
    struct loop_timer timer;
    bool connecting;
    bool handshaking;
    bool broken; /* closed or failed; only good to be freed */
    bool busy;
    bool readable;
    bool gone;     /* the peer closed: no further edge comes, read to the end */
    bool sent_any; /* the socket took at least a byte of the request */
    bool sent_whole;
    int connect_error;
    uint64_t timeout_ms;
    struct buf in;
    struct buf out;
    struct http_message message;
    http_reply_fn fn;
    void *arg;
    bool *freed; /* set by http_client_free while a reply is delivered; NULL otherwise */
    void (*closed_fn)(void *arg);
    void *closed_arg;
};

/* Ends the request; the callback may free the client. */
static void finish(struct http_client *client, enum http_outcome outcome,
                   const struct http_reply *reply)
{
    http_reply_fn fn = client->fn;
    client->busy = false;
    client->fn = NULL;
    loop_timer_clear(client->loop, &client->timer);
    fn(client->arg, outcome, reply);
}

static void fail(struct http_client *client, enum http_outcome outcome)
{
    client->broken = true;
    loop_unwatch(client->loop, &client->watch);
    if (client->busy) {
        finish(client, outcome, NULL);
    } else if (client->closed_fn) {
        client->closed_fn(client->closed_arg);
    }
}

/* The connection ended with error (positive errno; 0 = closed in order). */
static void broke(struct http_client *client, int error)
{
    bool replied = client->message.parsed > 0 || buf_size(&client->in) > 0;
    bool unread = client->stream.local && error == ECONNRESET && !replied;
    bool cut = client->stream.local ? !client->sent_whole : !client->sent_any;
    fail(client, cut || unread ? HTTP_UNSENT : HTTP_LOST);
}

static void on_timer(void *arg)
{
    struct http_client *client = arg;
    bool undelivered = client->connecting || client->handshaking;
    fail(client, undelivered ? HTTP_UNSENT : HTTP_TIMED_OUT);
}

/* Gives a whole reply to the caller, who may send the next request or free the client from there.
 * False when the client is gone or no longer usable. */
static bool deliver(struct http_client *client)
{
    struct http_message *message = &client->message;
    if (message->parser.status_code < 200) { /* "100 Continue" and the like: not the answer yet */
        http_message_end(message);
        return true;
    }
    struct http_reply reply = {
        .status = message->parser.status_code,
        .content_type = http_message_header(message, "Content-Type"),
        .server_timing = http_message_header(message, "Server-Timing"),
        .walker = http_message_header(message, "X-Jsorc-Walker"),
        .disposition = http_message_header(message, "Content-Disposition"),
        .location = http_message_header(message, "Location"),
        .body = http_message_body(message),
    };
    /* What follows the reply answers no request of ours; the next one must not get it. */
    bool more = buf_size(&client->in) > message->parsed;
    if (!message->keep_alive || !client->sent_whole || more) {
        client->broken = true;
        loop_unwatch(client->loop, &client->watch);
    }
    bool freed = false;
    client->freed = &freed;
    finish(client, HTTP_REPLIED, &reply);
    if (freed) {
        return false;
    }
    client->freed = NULL;
    http_message_end(message);
    buf_shrink(&client->in, KEEP_BYTES);
    return !client->broken;
}

/* Parses what came and delivers what is complete. False when the client is not to be touched. */
static bool take(struct http_client *client)
{
    do {
        if (http_message_feed(&client->message) < 0) {
            fail(client, HTTP_BROKEN);
            return false;
        }
        if (!client->message.complete) {
            return true;
        }
        if (!deliver(client)) {
            return false;
        }
    } while (buf_size(&client->in) > 0 && client->busy);
    return true;
}

static void receive(struct http_client *client)
{
    while (client->readable) {
        bool drained = false;
        size_t room = REPLY_HEAD_BYTES_MAX + client->message.body_bytes_max;
        ssize_t got = stream_read(&client->stream, &client->in, room, &drained);
        if (drained && (got == -EAGAIN || !client->gone)) {
            client->readable = false;
        }
        if (got == -EAGAIN) {
            return;
        }
        if (got == 0 && client->busy && http_message_feed_end(&client->message) == 0) {
            (void)deliver(client);
            return;
        }
        if (got <= 0) {
            broke(client, (int)-got);
            return;
        }
        if (!client->busy) { /* bytes that nobody asked for */
            fail(client, HTTP_BROKEN);
            return;
        }
        if (!take(client)) {
            return;
        }
    }
}

/* blocked: something waits to be written. */
static void watch_room(struct http_client *client, bool blocked)
{
    if (client->stream.local) {
        (void)loop_rewatch(client->loop, &client->watch, stream_events(&client->stream, blocked));
    }
}

static void flush(struct http_client *client)
{
    size_t before = buf_size(&client->out);
    int failed = stream_flush(&client->stream, &client->out);
    client->sent_any |= buf_size(&client->out) < before;
    if (failed == 0) {
        client->sent_whole = true;
        watch_room(client, false);
        buf_shrink(&client->out, KEEP_BYTES);
    } else if (failed != -EAGAIN) {
        /* The server may have answered before it closed (a refusal of a large body): look. */
        client->readable = true;
        client->gone = true;
    }
}

/* True when the connection can carry data. */
static bool establish(struct http_client *client)
{
    if (client->connecting) {
        int error = 0;
        socklen_t size = sizeof(error);
        (void)getsockopt(client->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            broke(client, error);
            return false;
        }
        client->connecting = false;
    }
    if (client->handshaking) {
        int failed = tls_session_handshake(client->stream.tls, NULL);
        if (failed == -EAGAIN) {
            return false;
        }
        if (failed) {
            broke(client, -failed);
            return false;
        }
        client->handshaking = false;
    }
    if (client->busy) {
        loop_timer_set(client->loop, &client->timer,
                       loop_now_ms(client->loop) + client->timeout_ms);
    }
    return true;
}

static void on_event(void *arg, uint32_t events)
{
    struct http_client *client = arg;
    bool fresh = client->connecting || client->handshaking;
    if (client->connecting && !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        return;
    }
    if (fresh && !establish(client)) {
        return;
    }
    client->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    client->gone |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (buf_size(&client->out) > 0 && (fresh || (events & EPOLLOUT))) {
        flush(client);
    }
    receive(client);
}

static int start(struct http_client *client, const struct sockaddr *address, unsigned size,
                 struct tls_client *tls, const char *server_name)
{
    client->stream.fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    client->watch.fd = client->stream.fd;
    if (client->stream.fd < 0) {
        return errno;
    }
    int one = 1;
    (void)setsockopt(client->stream.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (tls) {
        client->stream.tls = tls_session_connect(tls, client->stream.fd, server_name);
        client->handshaking = true;
        if (!client->stream.tls) {
            return EPROTO;
        }
    }
    int error = connect(client->stream.fd, address, size) < 0 ? errno : 0;
    if (error && error != EINPROGRESS) {
        return error; /* EAGAIN of a Unix socket: its backlog is full */
    }
    client->connecting = error == EINPROGRESS;
    return -loop_watch(client->loop, &client->watch, stream_events(&client->stream, false));
}

struct http_client *http_client_new(struct loop *loop, const struct sockaddr *address,
                                    unsigned address_size, struct tls_client *tls,
                                    const char *server_name)
{
    struct http_client *client = xcalloc(1, sizeof(*client));
    client->loop = loop;
    client->stream.local = address->sa_family == AF_UNIX;
    client->watch = (struct loop_watch){-1, on_event, client};
    client->timer = (struct loop_timer){.fn = on_timer, .arg = client};
    http_message_init(&client->message, HTTP_RESPONSE, &client->in, REPLY_HEAD_BYTES_MAX, 0);
    client->connect_error = start(client, address, address_size, tls, server_name);
    return client;
}

struct http_client *http_client_free(struct http_client *client)
{
    if (client) {
        if (client->freed) {
            *client->freed = true;
        }
        loop_timer_clear(client->loop, &client->timer);
        loop_unwatch(client->loop, &client->watch);
        stream_close(&client->stream);
        buf_done(&client->in);
        buf_done(&client->out);
        free(client);
    }
    return NULL;
}

bool http_client_usable(const struct http_client *client)
{
    return !client->broken && !client->busy && client->connect_error == 0;
}

void http_client_set_closed(struct http_client *client, void (*fn)(void *arg), void *arg)
{
    client->closed_fn = fn;
    client->closed_arg = arg;
}

void http_client_send(struct http_client *client, const struct http_send *send, http_reply_fn fn,
                      void *arg)
{
    client->busy = true;
    client->fn = fn;
    client->arg = arg;
    client->timeout_ms = send->timeout_ms;
    client->message.body_bytes_max = send->reply_bytes_max;
    client->sent_any = false;
    client->sent_whole = false;
    bool waiting = client->connecting || client->handshaking;
    loop_timer_set(client->loop, &client->timer,
                   loop_now_ms(client->loop) +
                       (waiting ? send->connect_timeout_ms : send->timeout_ms));
    if (client->connect_error) { /* EAGAIN, too: that of a full backlog, no event ends it */
        broke(client, client->connect_error);
        return;
    }
    ssize_t put = -EAGAIN;
    if (!waiting) {
        put = stream_write(&client->stream, send->head, send->body);
    }
    if (put < 0 && put != -EAGAIN) {
        broke(client, (int)-put);
        return;
    }
    size_t done = put > 0 ? (size_t)put : 0;
    client->sent_any = done > 0;
    if (done == send->head.size + send->body.size) {
        client->sent_whole = true;
        return;
    }
    struct slice head = slice_from(send->head, done);
    struct slice body = slice_from(send->body, done > send->head.size ? done - send->head.size : 0);
    if (buf_append(&client->out, head.data, head.size) < 0 ||
        buf_append(&client->out, body.data, body.size) < 0) {
        broke(client, ENOMEM);
        return;
    }
    watch_room(client, true);
}
