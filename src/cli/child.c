#include "cli/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/err.h"

int child_start(const char *const *argv, int out_fd, pid_t *ret_pid, struct err *err)
{
    const struct child_fd fds[] = {{out_fd, STDOUT_FILENO}, {out_fd, STDERR_FILENO}};
    int failed = child_spawn_bound((char *const *)(uintptr_t)argv, fds, 2, ret_pid);
    return failed ? err_errno(err, -failed, "cannot run '%s'", argv[0]) : 0;
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
