#include "provider/kubernetes/forward.h"

#include <stdlib.h>

#include "http/client.h"
#include "provider/kubernetes/kube_testserver.h"
#include "provider/kubernetes/ws.h"

#define REQUEST "POST /b/ HTTP/1.1\r\nHost: h\r\nX-Odd:  kept \r\nContent-Length: 3\r\n\r\n{ }"
#define KNOCK   "GET / HTTP/1.1\r\nHost: 10.0.0.7:8000\r\n\r\n"
#define HERE    "HTTP/1.1 307 T\r\nLocation: /docs\r\nContent-Length: 0\r\n\r\n"
#define REPLY   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* ---- the API server and the pod behind it ---- */

static struct play {      /* what they do in this test */
    const char *status;   /* body of an answer 403 to the upgrade; NULL = 101 */
    const char *protocol; /* that it agrees to */
    const char *here;     /* answer to the knock; NULL = closes */
    const char *trouble;  /* on the channel of errors, instead of that */
    const char *reply;    /* NULL = closes when the request is there */
    struct buf asked;     /* bytes for the pod, after the knock */
    unsigned upgrades, knocks, pongs;
} play;

static void send_bytes(struct server_conn *conn, const void *data, size_t size)
{
    if (conn->open) {
        (void)!send(conn->watch.fd, data, size, MSG_NOSIGNAL);
    }
}

/* A binary message as a server sends it: not masked, and here at most 64 KB. */
static void send_frame(struct server_conn *conn, char channel, const char *text)
{
    size_t size = strlen(text) + 1;
    char head[5] = {(char)0x82, 126, (char)(size >> 8), (char)(size & 0xff), channel};
    send_bytes(conn, head, sizeof(head));
    send_bytes(conn, text, size - 1);
}

/* A client's frame at the begin of in: its payload's size, unmasked in place; -1 = not whole. */
static ssize_t unmask(struct buf *in, size_t *ret_head)
{
    uint8_t *bytes = (uint8_t *)in->data + in->start;
    if (buf_size(in) < 8) {
        return -1;
    }
    EXPECT(bytes[1] & 0x80);
    size_t size = bytes[1] & 0x7f, head = 2;
    if (size == 126) {
        size = (size_t)bytes[2] << 8 | bytes[3];
        head = 4;
    }
    if (buf_size(in) < head + 4 + size) {
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        bytes[head + 4 + i] ^= bytes[head + i % 4];
    }
    *ret_head = head + 4;
    return (ssize_t)size;
}

static void pod_takes(struct server_conn *conn, struct slice data)
{
    (void)buf_append(&play.asked, data.data, data.size);
    if (play.knocks == 0 || conn->server->held != conn) { /* the first bytes of a connection */
        if (buf_size(&play.asked) < sizeof(KNOCK) - 1) {
            return;
        }
        EXPECT(memcmp(play.asked.data + play.asked.start, KNOCK, sizeof(KNOCK) - 1) == 0);
        EXPECT_INT(buf_size(&play.asked), sizeof(KNOCK) - 1); /* the request waits for the answer */
        buf_consume(&play.asked, buf_size(&play.asked));
        play.knocks++;
        conn->server->held = conn;
        if (play.trouble) {
            send_frame(conn, 1, play.trouble);
        }
        if (!play.here) {
            server_close(conn);
            return;
        }
        send_bytes(conn, "\x89\x01x", 3); /* a ping */
        send_frame(conn, 0, play.here);
    } else if (buf_size(&play.asked) == sizeof(REQUEST) - 1) {
        if (!play.reply) {
            server_close(conn);
            return;
        }
        for (const char *at = play.reply; *at; at++) { /* byte by byte */
            send_frame(conn, 0, (const char[]){*at, '\0'});
        }
    }
}

static void take_frames(struct server_conn *conn)
{
    ssize_t size;
    size_t head = 0;
    while (conn->open && (size = unmask(&conn->in, &head)) >= 0) {
        const char *bytes = conn->in.data + conn->in.start;
        CLEANUP(str_free) char *payload = xstrndup(bytes + head, (size_t)size);
        int opcode = bytes[0] & 0xf;
        buf_consume(&conn->in, head + (size_t)size);
        if (opcode == 10) {
            EXPECT_INT(size, 1);
            EXPECT_INT(payload[0], 'x');
            play.pongs++;
        } else if (opcode == 2 && size > 0) {
            EXPECT_INT(payload[0], 0);
            pod_takes(conn, (struct slice){payload + 1, (size_t)size - 1});
        }
    }
}

static void answer(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    (void)server;
    EXPECT_STR(seen->path, "/api/v1/namespaces/lab/pods/text-1/portforward?ports=8000");
    EXPECT(header_has(seen, "Authorization: Bearer secret\r\n"));
    EXPECT(header_has(seen, "Upgrade: websocket\r\n"));
    EXPECT(header_has(seen, "Sec-WebSocket-Version: 13\r\n"));
    EXPECT(header_has(seen, "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n"));
    play.upgrades++;
    if (play.status) {
        server_reply(conn, 403, "", play.status);
        return;
    }
    const char *key = strstr(seen->head, "Sec-WebSocket-Key: ");
    char accept[WS_ACCEPT_SIZE];
    CLEANUP(str_free) char *text = xstrndup(key ? key + 19 : "", WS_KEY_SIZE - 1);
    ws_accept(text, accept);
    CLEANUP(str_free)
    char *reply = xasprintf("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                            "Sec-WebSocket-Protocol: %s\r\n\r\n",
                            accept, play.protocol);
    conn->raw = take_frames;
    server_write(conn, reply);
    send_bytes(conn, "\x82\x03\0\x40\x1f\x82\x03\1\x40\x1f", 10); /* port 8000 on both channels */
}

/* ---- the daemon's side ---- */

struct bed {
    struct server *server;
    struct forward *forward;
    struct forward_port *port;
    char folder[64];
    unsigned replies;
    enum http_outcome outcome;
    char body[16];
};

static void bed_start(struct bed *bed)
{
    *bed = (struct bed){.server = server_new(answer, NULL, NULL)};
    (void)snprintf(bed->folder, sizeof(bed->folder), "/tmp/jsorc-forward-XXXXXX");
    CLEANUP(str_free) char *token = NULL;
    CLEANUP(str_free) char *url = xasprintf("http://127.0.0.1:%d", bed->server->port);
    if (!mkdtemp(bed->folder)) {
        abort();
    }
    token = xasprintf("%s/token", bed->folder);
    FILE *file = fopen(token, "we");
    EXPECT(file && fputs("secret\n", file) >= 0 && fclose(file) == 0);
    struct kube_config *config = NULL;
    struct err err = {0};
    EXPECT_INT(kube_config_load(&(struct kube_config_options){.api_server = url,
                                                              .token_file = token,
                                                              .namespace = "lab"},
                                &config, &err),
               0);
    EXPECT_INT(forward_new(config, bed->folder, &bed->forward, &err), 0);
    const struct forward_pod pod = {.name = "text-1", .host = "10.0.0.7:8000", .port = 8000};
    EXPECT_INT(forward_open(bed->forward, &pod, &bed->port, &err), 0);
}

static void bed_stop(struct bed *bed)
{
    CLEANUP(str_free) char *token = xasprintf("%s/token", bed->folder);
    bed->port = forward_close(bed->port);
    bed->forward = forward_free(bed->forward);
    (void)unlink(token);
    EXPECT_INT(rmdir(bed->folder), 0); /* no socket is left */
    bed->server = server_free(bed->server);
    buf_done(&play.asked);
}

static void on_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct bed *bed = arg;
    bed->replies++;
    bed->outcome = outcome;
    (void)snprintf(bed->body, sizeof(bed->body), "%.*s", reply ? (int)reply->body.size : 0,
                   reply ? reply->body.data : "");
}

static struct http_client *client_of(const struct bed *bed)
{
    const struct sockaddr_un *address = forward_address(bed->port);
    return http_client_new(bed->server->loop, (const struct sockaddr *)address, sizeof(*address),
                           NULL, NULL);
}

/* Sends REQUEST, and waits for what comes of it. */
static enum http_outcome call(struct bed *bed, struct http_client *client)
{
    unsigned wanted = bed->replies + 1; /* it may come within the next line */
    buf_consume(&play.asked, buf_size(&play.asked));
    http_client_send(client,
                     &(struct http_send){.head = SLICE(REQUEST),
                                         .timeout_ms = TEST_PATIENCE_MS,
                                         .connect_timeout_ms = TEST_PATIENCE_MS,
                                         .reply_bytes_max = 1024},
                     on_reply, bed);
    server_until(bed->server, &bed->replies, wanted);
    return bed->outcome;
}

static const struct play serving = {.protocol = WS_PROTOCOL, .here = HERE, .reply = REPLY};

static void carries_every_byte_and_keeps_the_connection(void)
{
    struct bed bed;
    play = serving;
    bed_start(&bed);
    struct http_client *client = client_of(&bed);
    for (int i = 0; i < 3; i++) {
        EXPECT_INT(call(&bed, client), HTTP_REPLIED);
        EXPECT_STR(bed.body, "ok");
        EXPECT(buf_size(&play.asked) == sizeof(REQUEST) - 1 &&
               memcmp(play.asked.data + play.asked.start, REQUEST, sizeof(REQUEST) - 1) == 0);
        EXPECT(http_client_usable(client));
    }
    EXPECT_INT(play.upgrades, 1);
    EXPECT_INT(play.knocks, 1);
    EXPECT_INT(play.pongs, 1);
    char why[FORWARD_WHY_MAX];
    forward_why(bed.port, why);
    EXPECT_STR(why, "");
    client = http_client_free(client);
    bed_stop(&bed);
}

static void a_call_that_cannot_have_come_to_the_pod_is_unsent(void)
{
    static const struct {
        struct play play;
        const char *why;
    } rows[] = {
        {{.status = "{\"kind\":\"Status\",\"message\":\"no right to portforward\"}"},
         "the API server does not forward: status 403, no right to portforward"},
        {{.status = "nonsense"}, "the API server does not forward: status 403"},
        {{.protocol = "v5"}, "the API server speaks no 'v4.channel.k8s.io'"},
        {{.protocol = WS_PROTOCOL, .trouble = "connection refused in the pod"},
         "connection refused in the pod"},
        {{.protocol = WS_PROTOCOL}, ""}, /* closes without a word */
        {{.protocol = WS_PROTOCOL, .here = "SSH-2.0\r\n"},
         "what answers in the pod speaks no HTTP"},
        {{.protocol = WS_PROTOCOL, .here = HERE "more"}, "what answers in the pod speaks no HTTP"},
        {{.protocol = WS_PROTOCOL, .here = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
         "the pod does not keep a connection open"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bed bed;
        char why[FORWARD_WHY_MAX];
        play = rows[i].play;
        bed_start(&bed);
        struct http_client *client = client_of(&bed);
        EXPECT_INT(call(&bed, client), HTTP_UNSENT);
        forward_why(bed.port, why);
        EXPECT_STR(why, rows[i].why);
        client = http_client_free(client);
        bed_stop(&bed);
    }
}

static void a_call_that_the_pod_may_have_read_is_lost(void)
{
    struct bed bed;
    play = serving;
    play.reply = NULL;
    bed_start(&bed);
    struct http_client *client = client_of(&bed);
    EXPECT_INT(call(&bed, client), HTTP_LOST);
    client = http_client_free(client);
    bed_stop(&bed);
}

static void a_closed_port_takes_no_more_and_ends_what_it_has_in_order(void)
{
    struct bed bed;
    play = serving;
    bed_start(&bed);
    const struct sockaddr_un address = *forward_address(bed.port);
    struct http_client *client = client_of(&bed);
    EXPECT_INT(call(&bed, client), HTTP_REPLIED);
    bed.port = forward_close(bed.port);
    uint64_t end_ms = clock_now_ms() + TEST_PATIENCE_MS;
    while (access(address.sun_path, F_OK) == 0 && clock_now_ms() < end_ms) {
        test_pause_ms(5);
    }
    EXPECT_INT(call(&bed, client), HTTP_REPLIED);
    struct http_client *late = http_client_new(bed.server->loop, (const struct sockaddr *)&address,
                                               sizeof(address), NULL, NULL);
    EXPECT_INT(call(&bed, late), HTTP_UNSENT);
    late = http_client_free(late);
    client = http_client_free(client);
    bed_stop(&bed);
}

static void an_api_server_that_is_gone_leaves_calls_unsent(void)
{
    struct bed bed;
    play = serving;
    bed_start(&bed);
    int fd = bed.server->listener.fd;
    loop_unwatch(bed.server->loop, &bed.server->listener);
    (void)close(fd);
    struct http_client *client = client_of(&bed);
    EXPECT_INT(call(&bed, client), HTTP_UNSENT);
    char why[FORWARD_WHY_MAX];
    forward_why(bed.port, why);
    EXPECT(strstr(why, "cannot be reached") != NULL);
    bed.server->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* to be closed */
    client = http_client_free(client);
    bed_stop(&bed);
}

TEST_MAIN(carries_every_byte_and_keeps_the_connection,
          a_call_that_cannot_have_come_to_the_pod_is_unsent,
          a_call_that_the_pod_may_have_read_is_lost,
          a_closed_port_takes_no_more_and_ends_what_it_has_in_order,
          an_api_server_that_is_gone_leaves_calls_unsent)
