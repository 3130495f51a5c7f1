/* A server that echoes at once, except that every EVERY_MS it looks away for STALL_MS.
 *
 *     stall_server PORT STALL_MS EVERY_MS      until SIGTERM; STALL_MS 0 = never */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "http/server.h"
#include "loop/loop.h"

struct stalling {
    struct loop *loop;
    struct loop_timer timer;
    int stall_ms;
    int every_ms;
    uint64_t next_ms;
};

static void stall(void *arg)
{
    struct stalling *stalling = arg;
    (void)poll(NULL, 0, stalling->stall_ms);
    stalling->next_ms += (uint64_t)stalling->every_ms;
    loop_timer_set(stalling->loop, &stalling->timer, stalling->next_ms);
}

static void handle(void *arg, struct http_request *request)
{
    (void)arg;
    http_respond(request, &(struct http_response){.status = 200,
                                                  .content_type = "application/json",
                                                  .body = http_request_body(request)});
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        (void)fprintf(stderr, "usage: stall_server PORT STALL_MS EVERY_MS\n");
        return 2;
    }
    struct err err = {0};
    struct loop *loop = loop_new(&err);
    struct stalling stalling = {.loop = loop,
                                .stall_ms = (int)strtol(argv[2], NULL, 10),
                                .every_ms = (int)strtol(argv[3], NULL, 10)};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtol(argv[1], NULL, 10))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct http_server *server = http_server_new(loop, &HTTP_LIMITS_DEFAULT, handle, NULL);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0 ||
        http_server_listen(server, fd, NULL, 0, &err) < 0) {
        perror("stall_server");
        return 1;
    }
    stalling.timer = (struct loop_timer){.fn = stall, .arg = &stalling};
    stalling.next_ms = clock_now_ms() + (uint64_t)stalling.every_ms;
    if (stalling.stall_ms > 0) {
        loop_timer_set(loop, &stalling.timer, stalling.next_ms);
    }
    loop_run(loop); /* SIGTERM ends the process */
    return 0;
}
