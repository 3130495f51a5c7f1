/* jsorc's own layer, src/http/server.h, as it is: limits, time-outs, pipelining and all. */
#include "handoff.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "http/server.h"
#include "loop/loop.h"

static bool to_other_thread;

static void answer(void *job)
{
    const struct http_response response = {
        .status = 200,
        .content_type = "application/json",
        .body = {.data = ANSWER, .size = sizeof(ANSWER) - 1},
    };
    http_respond(job, &response);
}

static void handle(void *arg, struct http_request *request)
{
    (void)arg;
    if (to_other_thread) {
        handoff_push(request);
    } else {
        answer(request);
    }
}

int main(int argc, char **argv)
{
    unsigned short port;
    to_other_thread = arguments(argc, argv, &port);
    if (to_other_thread) {
        handoff_start(answer);
    }
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 512) < 0) {
        perror("listen");
        return 1;
    }
    struct err err = {0};
    struct http_limits limits = HTTP_LIMITS_DEFAULT;
    struct loop *loop = loop_new(&err);
    struct http_server *server = http_server_new(loop, &limits, handle, NULL);
    if (http_server_listen(server, listener, NULL, 0, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    loop_run(loop);
    return 0;
}
