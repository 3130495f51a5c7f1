#include "cli/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
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
    /* A group of its own: Ctrl-C is for us, who end it when it is no longer needed. */
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
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
