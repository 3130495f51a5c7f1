#include "http/blocking.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/test.h"

#define REPLY_BYTES_MAX 1000

/* A server that plays a script: for each letter a step. C accept a connection, R read a request
 * to its empty line, A answer, P answer in pieces, 1 answer with an informational reply before,
 * 2 answer twice at once, G answer garbage, B answer a body that is too large, H half an answer, K
 * answer and say that the connection closes, D close, X close with unread data (reset), W wait for
 * the client to hang up.
 */
static struct {
    char folder[32];
    char *path;
    int listener;
    int fd;
    const char *script;
    pthread_t thread;
} server;

static void answer(const char *text)
{
    EXPECT(write(server.fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void read_request(void)
{
    char data[4096] = "";
    size_t size = 0;
    while (!strstr(data, "\r\n\r\n")) {
        ssize_t got = read(server.fd, data + size, sizeof(data) - 1 - size);
        if (got <= 0) {
            return;
        }
        size += (size_t)got;
        data[size] = '\0';
    }
}

static void answer_in_pieces(void)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        EXPECT(write(server.fd, text + i, 1) == 1);
    }
}

static void play(char step)
{
    char byte;
    switch (step) {
    case 'C':
        server.fd = accept(server.listener, NULL, NULL);
        break;
    case 'R':
        read_request();
        break;
    case 'A':
        answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer-Timing: exec;dur=1.5\r\n\r\nhello");
        break;
    case 'P':
        answer_in_pieces();
        break;
    case '1':
        answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        break;
    case '2':
        answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
               "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong");
        break;
    case 'G':
        answer("SMTP ready\r\n");
        break;
    case 'B':
        answer("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
        break;
    case 'H':
        answer("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
        break;
    case 'K':
        answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbye");
        break;
    case 'D':
    case 'X':
        (void)close(server.fd);
        break;
    default:
        while (read(server.fd, &byte, 1) > 0) {
        }
        (void)close(server.fd);
    }
}

static void *serve(void *arg)
{
    (void)arg;
    for (const char *step = server.script; *step; step++) {
        play(*step);
    }
    return NULL;
}

static struct http_blocking *begin(const char *script)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(server.folder, sizeof(server.folder), "/tmp/blocking_test.XXXXXX");
    EXPECT(mkdtemp(server.folder) != NULL);
    server.path = xasprintf("%s/s", server.folder);
    memcpy(address.sun_path, server.path, strlen(server.path) + 1);
    server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_INT(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    EXPECT_INT(listen(server.listener, 8), 0);
    server.script = script;
    EXPECT_INT(pthread_create(&server.thread, NULL, serve, NULL), 0);
    return http_blocking_new((struct sockaddr *)&address, sizeof(address));
}

static void end(struct http_blocking *client)
{
    (void)http_blocking_free(client);
    (void)pthread_join(server.thread, NULL);
    (void)fd_close(server.listener);
    (void)unlink(server.path);
    (void)rmdir(server.folder);
    free(server.path);
}

static enum http_outcome call(struct http_blocking *client, struct http_reply *reply,
                              struct err *err)
{
    struct http_send send = {
        .head = SLICE("POST /x/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
        .timeout_ms = 1500,
        .connect_timeout_ms = 1500,
        .reply_bytes_max = REPLY_BYTES_MAX,
    };
    return http_blocking_call(client, &send, reply, err);
}

static void keeps_the_connection_between_calls(void)
{
    struct http_blocking *client = begin("CRARPR1W");
    struct http_reply reply;
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(call(client, &reply, NULL), HTTP_REPLIED);
        EXPECT_INT(reply.status, 200);
        EXPECT(slice_eq(reply.body, SLICE("hello")));
        EXPECT(i > 0 || slice_eq(reply.server_timing, SLICE("exec;dur=1.5")));
    }
    EXPECT_INT(call(client, &reply, NULL), HTTP_REPLIED);
    EXPECT_INT(reply.status, 404);
    end(client);
}

static void opens_a_new_one_when_the_server_closes(void)
{
    struct http_blocking *client = begin("CRKDCRADCRAW");
    struct http_reply reply;
    EXPECT_INT(call(client, &reply, NULL), HTTP_REPLIED); /* announced */
    EXPECT(slice_eq(reply.body, SLICE("bye")));
    EXPECT_INT(call(client, &reply, NULL), HTTP_REPLIED);
    EXPECT_INT(call(client, &reply, NULL), HTTP_REPLIED); /* not announced, nothing was read */
    EXPECT(slice_eq(reply.body, SLICE("hello")));
    end(client);
}

static void never_gives_one_request_the_answer_of_another(void)
{
    struct http_blocking *client = begin("CR2WCRAW");
    struct http_reply reply;
    EXPECT_INT(call(client, &reply, NULL), HTTP_REPLIED);
    EXPECT(slice_eq(reply.body, SLICE("ok")));
    EXPECT_INT(call(client, &reply, NULL), HTTP_REPLIED);
    EXPECT(slice_eq(reply.body, SLICE("hello")));
    end(client);
}

static void tells_what_became_of_a_request(void)
{
    static const struct {
        const char *script;
        enum http_outcome outcome;
        int code;
        const char *text;
    } rows[] = {
        {"CX", HTTP_UNSENT, ECONNREFUSED, "not taken"}, /* fresh connection: no second try */
        {"CRD", HTTP_LOST, ECONNRESET, "connection broke"},
        {"CRHD", HTTP_LOST, ECONNRESET, "connection broke"},
        {"CRG", HTTP_BROKEN, EPROTO, "no HTTP"},
        {"CRBW", HTTP_BROKEN, EMSGSIZE, "more than 1000 bytes"},
        {"CRW", HTTP_TIMED_OUT, ETIMEDOUT, "no reply within 1500 ms"},
        {"CRHW", HTTP_TIMED_OUT, ETIMEDOUT, "no reply within"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_blocking *client = begin(rows[i].script);
        struct http_reply reply;
        struct err err = {0};
        enum http_outcome outcome = call(client, &reply, &err);
        if (outcome != rows[i].outcome) {
            printf("# script %s: %s\n", rows[i].script, err.text);
        }
        EXPECT_INT(outcome, rows[i].outcome);
        EXPECT_INT(err.code, rows[i].code);
        EXPECT(strstr(err.text, rows[i].text) != NULL);
        end(client);
    }
}

static void nobody_listening_is_unsent(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    struct http_blocking *client = http_blocking_new((struct sockaddr *)&address, sizeof(address));
    struct http_reply reply;
    struct err err = {0};
    EXPECT_INT(call(client, &reply, &err), HTTP_UNSENT);
    EXPECT(strstr(err.text, "No such file"));
    (void)http_blocking_free(client);
}

TEST_MAIN(keeps_the_connection_between_calls, opens_a_new_one_when_the_server_closes,
          never_gives_one_request_the_answer_of_another, tells_what_became_of_a_request,
          nobody_listening_is_unsent)
