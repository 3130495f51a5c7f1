/* jsorc's own layer, src/http/server.h, as it is: limits, time-outs, pipelining and all. */
#include "handoff.h"

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
    int listener = listen_loopback(port);
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
