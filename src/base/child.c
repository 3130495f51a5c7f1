#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/environment.h"
#include "base/err.h"

#define READ_BYTES      65536
#define STOPPING_MS     100 /* between two looks at whether it is to be killed */
#define PARENT_VARIABLE "JSORC_PARENT_PID"

int child_spawn(char *const *args, char *const *environment, const struct child_fd *fds,
                size_t fd_count, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    for (size_t i = 0; i < fd_count; i++) {
        (void)posix_spawn_file_actions_adddup2(&actions, fds[i].from, fds[i].to);
    }
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
    int failed = posix_spawnp(ret_pid, args[0], &actions, &attributes, args,
                              environment ? environment : environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return -failed;
}

int child_spawn_bound(char *const *args, const struct child_fd *fds, size_t fd_count,
                      pid_t *ret_pid)
{
    char pid[16];
    char *text = NULL;
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    char **environment = environment_prepend(PARENT_VARIABLE, pid, &text);
    int failed = child_spawn(args, environment, fds, fd_count, ret_pid);
    free(environment);
    free(text);
    return failed;
}

void child_obey_parent(void)
{
    const char *text = getenv(PARENT_VARIABLE);
    if (!text) {
        return;
    }
    long parent = strtol(text, NULL, 10);
    (void)unsetenv(PARENT_VARIABLE); /* it is no business of our own children */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent) {
        _exit(128 + SIGTERM); /* it had ended before we could ask for that */
    }
}

/* Takes what is there. 1 = more may come, 0 = end, -EFBIG, -ENOMEM. */
static int take(int fd, struct buf *into, size_t bytes_max)
{
    if (buf_reserve(into, READ_BYTES) < 0) {
        return -ENOMEM;
    }
    ssize_t got = read(fd, into->data + into->end, READ_BYTES);
    if (got <= 0) {
        return 0;
    }
    into->end += (size_t)got;
    return buf_size(into) > bytes_max ? -EFBIG : 1;
}

/* How long to wait now, or -errno: it is to be killed. */
static int wait_ms(const struct child_run *run, uint64_t end_ms)
{
    uint64_t now_ms = clock_now_ms();
    if (now_ms >= end_ms) {
        return -ETIMEDOUT;
    }
    if (!run->stopping) {
        return (int)(end_ms - now_ms);
    }
    bool stopping = atomic_load(run->stopping);
    return stopping                        ? -ECANCELED
           : end_ms - now_ms < STOPPING_MS ? (int)(end_ms - now_ms)
                                           : STOPPING_MS;
}

static int read_both(const struct child_run *run, uint64_t end_ms, int out_fd, int errors_fd,
                     struct buf *out, struct buf *errors)
{
    struct pollfd fds[] = {{out_fd, POLLIN, 0}, {errors_fd, POLLIN, 0}};
    struct buf *into[] = {out, errors};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int pause_ms = wait_ms(run, end_ms);
        if (pause_ms < 0) {
            return pause_ms;
        }
        int ready = poll(fds, 2, pause_ms);
        if (ready < 0 && errno != EINTR) {
            return -errno;
        }
        if (ready <= 0) {
            continue;
        }
        for (int i = 0; i < 2; i++) {
            if (fds[i].fd >= 0 && fds[i].revents) {
                int more = take(fds[i].fd, into[i], run->output_bytes_max);
                if (more < 0) {
                    return more;
                }
                fds[i].fd = more ? fds[i].fd : -1;
            }
        }
    }
    return 0;
}

/* One that has closed its output may go on all the same. */
static int await_end(const struct child_run *run, pid_t pid, uint64_t end_ms)
{
    CLEANUP_FD int fd = pidfd_open(pid, 0);
    if (fd < 0) {
        return -errno;
    }
    struct pollfd ended = {fd, POLLIN, 0};
    for (;;) {
        int pause_ms = wait_ms(run, end_ms);
        if (pause_ms < 0) {
            return pause_ms;
        }
        int got = poll(&ended, 1, pause_ms);
        if (got > 0) {
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
    }
}

int child_capture(const struct child_run *run, struct buf *out, struct buf *errors, struct err *err)
{
    int out_ends[2], error_ends[2];
    if (pipe2(out_ends, O_CLOEXEC) < 0) {
        return err_errno(err, errno, "cannot make a pipe");
    }
    CLEANUP_FD int out_fd = out_ends[0];
    if (pipe2(error_ends, O_CLOEXEC) < 0) {
        (void)fd_close(out_ends[1]);
        return err_errno(err, errno, "cannot make a pipe");
    }
    CLEANUP_FD int errors_fd = error_ends[0];
    pid_t pid = 0;
    const struct child_fd fds[] = {{out_ends[1], STDOUT_FILENO}, {error_ends[1], STDERR_FILENO}};
    int failed = child_spawn(run->args, run->environment, fds, 2, &pid);
    (void)fd_close(out_ends[1]);
    (void)fd_close(error_ends[1]);
    if (failed) {
        return err_errno(err, -failed, "cannot start '%s'", run->args[0]);
    }
    uint64_t end_ms = clock_now_ms() + run->timeout_ms;
    failed = read_both(run, end_ms, out_fd, errors_fd, out, errors);
    failed = failed ? failed : await_end(run, pid, end_ms);
    if (failed) {
        (void)kill(-pid, SIGKILL);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (failed) {
        return err_errno(err, -failed, "'%s' was stopped", run->args[0]);
    }
    if (!WIFEXITED(status)) {
        return err_set(err, ECHILD, "'%s' was ended by signal %d", run->args[0], WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}
