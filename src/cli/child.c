#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

int child_start(const char *const *argv, char *const *environment, int out_fd, pid_t *ret_pid,
                struct err *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid = 0;
    (void)sigemptyset(&none);
    if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attributes) != 0) {
        abort();
    }
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, out_fd, STDERR_FILENO);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int failed = posix_spawnp(&pid, argv[0], &actions, &attributes, (char *const *)argv,
                              environment ? environment : environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    if (failed) {
        return err_errno(err, failed, "cannot run '%s'", argv[0]);
    }
    *ret_pid = pid;
    return 0;
}

/* Reads fd to its end, at most until end_ms. */
static int read_to_end(int fd, uint64_t end_ms, struct buf *out, struct err *err)
{
    for (;;) {
        uint64_t now_ms = clock_now_ms();
        struct pollfd wanted = {.fd = fd, .events = POLLIN};
        int ready = now_ms < end_ms ? poll(&wanted, 1, (int)(end_ms - now_ms)) : 0;
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready <= 0) {
            return err_set(err, ETIMEDOUT, "it did not end in time");
        }
        char bytes[4096];
        ssize_t count = read(fd, bytes, sizeof(bytes));
        if (count == 0) {
            return 0;
        }
        if (count < 0 && errno != EINTR) {
            return err_errno(err, errno, "cannot read what it prints");
        }
        if (buf_size(out) + sizeof(bytes) > CHILD_OUTPUT_MAX) {
            return err_set(err, E2BIG, "it prints more than %d bytes", CHILD_OUTPUT_MAX);
        }
        if (count > 0 && buf_append(out, bytes, (size_t)count) < 0) {
            return err_set(err, ENOMEM, "no memory");
        }
    }
}

int child_ask(const char *const *argv, char *const *environment, int timeout_ms, struct buf *out,
              int *ret_status, struct err *err)
{
    int ends[2];
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return err_errno(err, errno, "cannot make a pipe");
    }
    CLEANUP_FD int reader = ends[0];
    int failed = child_start(argv, environment, ends[1], &pid, err);
    (void)close(ends[1]);
    if (failed) {
        return failed;
    }
    failed = read_to_end(reader, clock_now_ms() + (uint64_t)timeout_ms, out, err);
    if (failed) {
        (void)kill(pid, SIGKILL);
        (void)err_wrap(err, "'%s'", argv[0]);
    }
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR) {
    }
    return failed;
}

void child_stop(pid_t pid, int timeout_ms)
{
    if (pid <= 0) {
        return;
    }
    CLEANUP_FD int fd = pidfd_open(pid, 0);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    (void)kill(pid, SIGTERM);
    if (fd < 0 || poll(&ended, 1, timeout_ms) <= 0) {
        (void)kill(pid, SIGKILL);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

int child_ended(pid_t pid)
{
    int status = 0;
    return waitpid(pid, &status, WNOHANG) == pid ? status : -1;
}
