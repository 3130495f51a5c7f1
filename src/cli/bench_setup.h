/* What `jsorc bench` measures: a worker alone and a daemon, both with the same echo module, in a
 * temporary folder and on loopback ports of their own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct http_blocking;

#define BENCH_ACTION "echo.echo"

struct bench_server {
    pid_t pid; /* 0 = not started */
    int port;  /* on 127.0.0.1 */
};

struct bench_setup {
    char *folder; /* owned; removed with all in it */
    struct bench_server host;
    struct bench_server daemon;
    struct http_blocking *direct;  /* to the worker alone; owned */
    struct http_blocking *through; /* to the daemon; owned */
};

/* Starts both and waits until each has answered a call. python may be NULL. 0, -EINTR (the user
 * pressed Ctrl-C), or -errno with what the server printed. */
int bench_setup_start(struct bench_setup *setup, const char *python, struct err *err);

/* Ends both and removes the folder; also what was started in part. */
void bench_setup_stop(struct bench_setup *setup);

/* True once SIGINT or SIGTERM came; they end the measurement, not the clean-up. */
bool bench_interrupted(void);

/* One call of BENCH_ACTION with that many bytes of text; checks status and result. Its duration in
 * *ret_ns. */
int bench_call(struct http_blocking *client, bool through, int text_bytes, uint64_t *ret_ns,
               struct err *err);
