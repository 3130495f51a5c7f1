#include "cli/loadtest/stop.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/err.h"

volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

int stop_prepare(pid_t parent, struct err *err)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    if (parent && prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
        return err_errno(err, errno, "cannot watch the parent process");
    }
    if (parent && getppid() != parent) { /* it ended before we could watch it */
        stop_asked = 1;
    }
    return 0;
}
