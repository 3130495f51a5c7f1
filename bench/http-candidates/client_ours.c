/* src/http/client.h on a loop, as the daemon uses it. Argument: port. */
#include "calls.h"

#include <arpa/inet.h>

#include "base/err.h"
#include "http/client.h"
#include "loop/loop.h"

static struct loop *loop;
static struct http_client *client;

static void replied(void *arg, enum http_outcome outcome, const struct http_reply *reply);

static void send_one(void)
{
    static const char head[] = "POST /echo/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                               "Content-Type: application/json\r\nContent-Length: 44\r\n\r\n";
    _Static_assert(sizeof(BODY) - 1 == 44, "Content-Length above");
    const struct http_send send = {
        .head = {.data = head, .size = sizeof(head) - 1},
        .body = {.data = BODY, .size = sizeof(BODY) - 1},
        .timeout_ms = 10000,
        .connect_timeout_ms = 2000,
        .reply_bytes_max = 1 << 20,
    };
    call_sent();
    http_client_send(client, &send, replied, NULL);
}

static void replied(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    (void)arg;
    if (outcome != HTTP_REPLIED) {
        fprintf(stderr, "outcome %d\n", (int)outcome);
        exit(1);
    }
    if (call_answered(reply->status)) {
        send_one();
    } else {
        loop_stop(loop);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((unsigned short)strtoul(argc > 1 ? argv[1] : "80", NULL, 10));
    struct err err = {0};
    loop = loop_new(&err);
    client = http_client_new(loop, (struct sockaddr *)&address, sizeof(address), NULL, NULL);
    send_one();
    loop_run(loop);
    http_client_free(client);
    loop_free(loop);
    return 0;
}
