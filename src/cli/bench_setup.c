#include "cli/bench_setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/child.h"
#include "cli/scratch.h"
#include "http/blocking.h"

#define START_TIMEOUT_MS 60000 /* an interpreter with a cold disk cache */
#define STOP_TIMEOUT_MS  15000
#define CALL_TIMEOUT_MS  10000
#define PROBE_PAUSE_MS   20
#define REPLY_BYTES_MAX  (1024 * 1024)

static const char MODULE[] = "import jsorc\n"
                             "\n"
                             "\n"
                             "@jsorc.action\n"
                             "def echo(text: str) -> str:\n"
                             "    return text\n";

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

bool bench_interrupted(void)
{
    return interrupted != 0;
}

/* A port that nobody listens on now; the kernel does not give it to others soon. */
static int find_port(int *ret_port, struct err *err)
{
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        return err_errno(err, errno, "cannot find a free port");
    }
    *ret_port = ntohs(address.sin_port);
    return 0;
}

static struct http_blocking *connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return http_blocking_new((const struct sockaddr *)&address, sizeof(address));
}

static int make_folder(struct bench_setup *setup, struct err *err)
{
    int failed = scratch_make("jsorc-bench", &setup->folder, err);
    if (failed) {
        return failed;
    }
    CLEANUP(str_free) char *path = xasprintf("%s/echo.py", setup->folder);
    FILE *file = fopen(path, "we");
    bool written = file && fputs(MODULE, file) >= 0;
    if (!file || fclose(file) != 0 || !written) {
        return err_errno(err, errno, "cannot write '%s'", path);
    }
    return 0;
}

/* words: the command and its own options, ended by NULL. */
static int start(struct bench_setup *setup, struct bench_server *server, const char *const *words,
                 const char *python, struct err *err)
{
    const char *argv[16];
    int count = 0;
    int failed = find_port(&server->port, err);
    if (failed) {
        return failed;
    }
    CLEANUP(str_free) char *listen = xasprintf("127.0.0.1:%d", server->port);
    CLEANUP(str_free) char *module = xasprintf("%s/echo.py", setup->folder);
    CLEANUP(str_free) char *log = xasprintf("%s/%s.log", setup->folder, words[0]);
    argv[count++] = "/proc/self/exe";
    for (int i = 0; words[i]; i++) {
        argv[count++] = words[i];
    }
    argv[count++] = module;
    argv[count++] = "--listen";
    argv[count++] = listen;
    if (python) {
        argv[count++] = "--python";
        argv[count++] = python;
    }
    argv[count] = NULL;
    CLEANUP_FD int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) {
        return err_errno(err, errno, "cannot write '%s'", log);
    }
    return child_start(argv, log_fd, &server->pid, err);
}

/* Puts the end of the server's log behind the error. */
static int with_log(const struct bench_setup *setup, const char *name, struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/%s.log", setup->folder, name);
    CLEANUP(str_free) char *tail = scratch_tail(path);
    int code = err->code;
    return err_set(err, code, "'jsorc %s' did not start: %s; it printed:\n%s", name, err->text,
                   tail);
}

static int wait_ready(struct bench_setup *setup, struct bench_server *server, const char *name,
                      struct http_blocking *client, struct err *err)
{
    uint64_t end_ms = clock_now_ms() + START_TIMEOUT_MS;
    bool through = server == &setup->daemon;
    uint64_t unused = 0;
    while (bench_call(client, through, 1, &unused, err) < 0) {
        int status = child_ended(server->pid);
        if (status >= 0) {
            server->pid = 0;
            (void)err_set(err, ECHILD, "it ended");
            return with_log(setup, name, err);
        }
        if (bench_interrupted()) {
            return err_set(err, EINTR, "interrupted");
        }
        if (clock_now_ms() > end_ms) {
            return with_log(setup, name, err);
        }
        (void)poll(NULL, 0, PROBE_PAUSE_MS);
    }
    return 0;
}

int bench_setup_start(struct bench_setup *setup, const char *python, struct err *err)
{
    struct sigaction action = {.sa_handler = interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);

    int failed = make_folder(setup, err);
    if (failed) {
        return failed;
    }
    CLEANUP(str_free) char *state = xasprintf("%s/state", setup->folder);
    const char *const host[] = {"host", NULL};
    const char *const serve[] = {"serve", "--state", state, NULL};
    failed = start(setup, &setup->host, host, python, err);
    failed = failed ? failed : start(setup, &setup->daemon, serve, python, err);
    if (failed) {
        return failed;
    }
    setup->direct = connect_to(setup->host.port);
    setup->through = connect_to(setup->daemon.port);
    failed = wait_ready(setup, &setup->host, "host", setup->direct, err);
    return failed ? failed : wait_ready(setup, &setup->daemon, "serve", setup->through, err);
}

void bench_setup_stop(struct bench_setup *setup)
{
    setup->direct = http_blocking_free(setup->direct);
    setup->through = http_blocking_free(setup->through);
    child_stop(setup->host.pid, STOP_TIMEOUT_MS);
    child_stop(setup->daemon.pid, STOP_TIMEOUT_MS);
    scratch_remove(setup->folder);
    free(setup->folder);
    *setup = (struct bench_setup){0};
}

int bench_call(struct http_blocking *client, bool through, int text_bytes, uint64_t *ret_ns,
               struct err *err)
{
    char head[256];
    struct buf body = {0};
    buf_printf(&body, "{\"text\":\"%0*d\"}", text_bytes, 0);
    int size =
        snprintf(head, sizeof(head),
                 "POST /%s%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                 through ? "actions/" : "", through ? BENCH_ACTION : "echo/", buf_size(&body));
    struct http_send send = {.head = {head, (size_t)size},
                             .body = buf_slice(&body),
                             .timeout_ms = CALL_TIMEOUT_MS,
                             .connect_timeout_ms = CALL_TIMEOUT_MS,
                             .reply_bytes_max = REPLY_BYTES_MAX};
    struct http_reply reply = {0};
    uint64_t begin_ns = clock_now_ns();
    enum http_outcome outcome = http_blocking_call(client, &send, &reply, err);
    uint64_t end_ns = clock_now_ns();
    int failed = 0;
    if (outcome != HTTP_REPLIED) {
        failed = err && err->code ? -err->code : -EIO;
    } else if (reply.status != 200) {
        failed = err_set(err, EPROTO, "status %d: %.*s", reply.status,
                         (int)(reply.body.size > 200 ? 200 : reply.body.size), reply.body.data);
    } else if (reply.body.size != (size_t)text_bytes + 2) { /* the text, in quotes */
        failed = err_set(err, EPROTO, "an echo of %zu bytes for %d", reply.body.size, text_bytes);
    }
    buf_done(&body);
    *ret_ns = end_ns - begin_ns;
    return failed;
}
