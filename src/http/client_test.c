/* A client against servers that misbehave in each way that decides about sending again. */
#include "http/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/test.h"
#include "loop/loop.h"

#define LARGE_BYTES (1024 * 1024)

enum manners {
    ANSWER,           /* in order */
    ANSWER_TWICE,     /* a second answer, which nobody asked for, in the same segment */
    ANSWER_NO_LENGTH, /* ended by the close */
    CLOSE_UNREAD,     /* accept, read nothing, close */
    CLOSE_READ,       /* read the request, then close */
    GARBAGE,          /* answer no HTTP */
    CUT_SHORT,        /* announce more than is sent */
    SILENT,           /* read and wait */
    LATE,             /* look away until no socket takes more, then read all and answer */
    NOT_THERE,        /* no socket at all */
};

struct peer {
    enum manners manners;
    int listen_fd;
    struct sockaddr_storage address;
    socklen_t address_size;
    pthread_t thread;
    size_t request_size;
};

static void *serve(void *arg)
{
    struct peer *peer = arg;
    int fd = accept(peer->listen_fd, NULL, NULL);
    char data[4096];
    const char *texts[] = {
        [ANSWER] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Type: a/b\r\n"
                   "Content-Length: 2\r\n\r\nok",
        [ANSWER_TWICE] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
        [ANSWER_NO_LENGTH] = "HTTP/1.1 200 OK\r\n\r\nok",
        [GARBAGE] = "\x01\x02garbage\r\n\r\n",
        [CUT_SHORT] = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok",
        [LATE] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        [NOT_THERE] = NULL,
    };
    if (peer->manners == LATE) {
        (void)poll(NULL, 0, 30);
        /* All but the last byte, which is for the read below. */
        for (size_t left = peer->request_size - 1; left > 0;) {
            ssize_t got = recv(fd, data, left < sizeof(data) ? left : sizeof(data), 0);
            EXPECT(got > 0);
            left -= got > 0 ? (size_t)got : left;
        }
    }
    if (peer->manners == CLOSE_UNREAD) {
        (void)poll(&(struct pollfd){fd, POLLIN, 0}, 1, 5000); /* it arrives and lies unread */
    } else {
        EXPECT(recv(fd, data, sizeof(data), 0) > 0);
        const char *text = texts[peer->manners];
        if (text) {
            EXPECT(send(fd, text, strlen(text), MSG_NOSIGNAL) > 0);
        }
        if (peer->manners == ANSWER || peer->manners == SILENT) {
            (void)recv(fd, data, sizeof(data), 0); /* until the client closes */
        }
    }
    (void)close(fd);
    return NULL;
}

static void peer_start(struct peer *peer, enum manners manners, bool local, size_t request_size)
{
    *peer = (struct peer){.manners = manners, .request_size = request_size};
    if (local) {
        struct sockaddr_un *address = (struct sockaddr_un *)&peer->address;
        address->sun_family = AF_UNIX;
        (void)snprintf(address->sun_path, sizeof(address->sun_path), "/tmp/jsorc-client-test-%d",
                       (int)getpid());
        (void)unlink(address->sun_path);
        peer->address_size = sizeof(*address);
    } else {
        struct sockaddr_in *address = (struct sockaddr_in *)&peer->address;
        address->sin_family = AF_INET;
        address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        peer->address_size = sizeof(*address);
    }
    peer->listen_fd = socket(peer->address.ss_family, SOCK_STREAM, 0);
    EXPECT_INT(bind(peer->listen_fd, (struct sockaddr *)&peer->address, peer->address_size), 0);
    socklen_t size = sizeof(peer->address);
    if (!local) {
        EXPECT_INT(getsockname(peer->listen_fd, (struct sockaddr *)&peer->address, &size), 0);
    }
    if (manners == NOT_THERE) {
        (void)close(peer->listen_fd);
        return;
    }
    EXPECT_INT(listen(peer->listen_fd, 4), 0);
    EXPECT_INT(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

static void peer_stop(struct peer *peer)
{
    if (peer->manners != NOT_THERE) {
        (void)pthread_join(peer->thread, NULL);
        (void)close(peer->listen_fd);
    }
    if (peer->address.ss_family == AF_UNIX) {
        (void)unlink(((struct sockaddr_un *)&peer->address)->sun_path);
    }
}

struct verdict {
    struct loop *loop;
    struct http_client *client;
    enum http_outcome outcome;
    int status;
    char body[64];
    bool usable;
};

static void on_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct verdict *verdict = arg;
    verdict->outcome = outcome;
    if (reply) {
        verdict->status = reply->status;
        (void)snprintf(verdict->body, sizeof(verdict->body), "%.*s", (int)reply->body.size,
                       reply->body.data);
    }
    verdict->usable = http_client_usable(verdict->client);
    loop_stop(verdict->loop);
}

static struct verdict ask_with(enum manners manners, bool local, struct slice body)
{
    char head[100];
    (void)snprintf(head, sizeof(head), "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                   body.size);
    struct peer peer;
    peer_start(&peer, manners, local, strlen(head) + body.size);
    struct verdict verdict = {.loop = loop_new(NULL)};
    verdict.client = http_client_new(verdict.loop, (struct sockaddr *)&peer.address,
                                     peer.address_size, NULL, NULL);
    struct http_send send = {
        .head = slice_str(head),
        .body = body,
        .timeout_ms = manners == SILENT ? 200 : 5000,
        .connect_timeout_ms = 1000,
        .reply_bytes_max = 100,
    };
    http_client_send(verdict.client, &send, on_reply, &verdict);
    loop_run(verdict.loop);
    verdict.client = http_client_free(verdict.client);
    peer_stop(&peer);
    loop_free(verdict.loop);
    return verdict;
}

static struct verdict ask(enum manners manners, bool local)
{
    return ask_with(manners, local, SLICE("{}"));
}

static void delivers_a_reply_and_can_be_used_again(void)
{
    for (int local = 0; local < 2; local++) {
        struct verdict verdict = ask(ANSWER, local);
        EXPECT_INT(verdict.outcome, HTTP_REPLIED);
        EXPECT_INT(verdict.status, 201);
        EXPECT_STR(verdict.body, "ok");
        EXPECT(verdict.usable);
    }
}

static void never_gives_one_request_the_answer_of_another(void)
{
    struct verdict verdict = ask(ANSWER_TWICE, true);
    EXPECT_INT(verdict.outcome, HTTP_REPLIED);
    EXPECT_STR(verdict.body, "ok");
    EXPECT(!verdict.usable);
}

static void takes_a_reply_that_the_close_ends(void)
{
    struct verdict verdict = ask(ANSWER_NO_LENGTH, false);
    EXPECT_INT(verdict.outcome, HTTP_REPLIED);
    EXPECT_STR(verdict.body, "ok");
    EXPECT(!verdict.usable);
}

static void knows_what_a_unix_socket_closed_unread_was_never_executed(void)
{
    EXPECT_INT(ask(CLOSE_UNREAD, true).outcome, HTTP_UNSENT);
}

static void never_calls_unsent_what_the_server_may_have_read(void)
{
    EXPECT_INT(ask(CLOSE_READ, true).outcome, HTTP_LOST);
    EXPECT_INT(ask(CLOSE_READ, false).outcome, HTTP_LOST);
    EXPECT_INT(ask(CLOSE_UNREAD, false).outcome, HTTP_LOST); /* TCP cannot tell */
    EXPECT_INT(ask(CUT_SHORT, true).outcome, HTTP_LOST);
}

static void tells_a_refused_connection(void)
{
    EXPECT_INT(ask(NOT_THERE, true).outcome, HTTP_UNSENT);
    EXPECT_INT(ask(NOT_THERE, false).outcome, HTTP_UNSENT);
}

static void takes_a_full_backlog_for_a_refusal(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/jsorc-client-test-full-%d",
                   (int)getpid());
    (void)unlink(address.sun_path);
    int listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int waiting_fd = socket(AF_UNIX, SOCK_STREAM, 0); /* fills the backlog of one, never accepted */
    EXPECT_INT(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    EXPECT_INT(listen(listen_fd, 0), 0);
    EXPECT_INT(connect(waiting_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    struct verdict verdict = {.loop = loop_new(NULL)};
    verdict.client =
        http_client_new(verdict.loop, (struct sockaddr *)&address, sizeof(address), NULL, NULL);
    struct http_send send = {.head = SLICE("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
                             .timeout_ms = 500,
                             .connect_timeout_ms = 500};
    http_client_send(verdict.client, &send, on_reply, &verdict);
    loop_run(verdict.loop);
    EXPECT_INT(verdict.outcome, HTTP_UNSENT);
    verdict.client = http_client_free(verdict.client);
    loop_free(verdict.loop);
    (void)close(waiting_fd);
    (void)close(listen_fd);
    (void)unlink(address.sun_path);
}

static void tells_garbage_and_silence(void)
{
    EXPECT_INT(ask(GARBAGE, true).outcome, HTTP_BROKEN);
    EXPECT_INT(ask(SILENT, true).outcome, HTTP_TIMED_OUT);
}

static void sends_more_than_the_socket_takes_at_once(void)
{
    static char body[LARGE_BYTES];
    for (int local = 0; local < 2; local++) {
        struct verdict verdict = ask_with(LATE, local, (struct slice){body, sizeof(body)});
        EXPECT_INT(verdict.outcome, HTTP_REPLIED);
        EXPECT_STR(verdict.body, "ok");
        EXPECT(verdict.usable);
    }
}

TEST_MAIN(delivers_a_reply_and_can_be_used_again, sends_more_than_the_socket_takes_at_once,
          never_gives_one_request_the_answer_of_another, takes_a_reply_that_the_close_ends,
          knows_what_a_unix_socket_closed_unread_was_never_executed,
          never_calls_unsent_what_the_server_may_have_read, tells_a_refused_connection,
          takes_a_full_backlog_for_a_refusal, tells_garbage_and_silence)
