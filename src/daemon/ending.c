/* How the daemon ends: no more requests, those under way are answered, then the workers go. */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api/loadtest.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control.h"
#include "daemon/daemon_priv.h"
#include "daemon/settings.h"
#include "service/service.h"
#include "share/share.h"

#define DRAIN_POLL_MS   20
#define LAST_ANSWERS_MS 1000 /* for the answers to calls that the end cut short */

bool daemon_is_drained(const struct daemon *daemon)
{
    bool drained = true;
    for (unsigned i = 0; i < daemon->io_count; i++) {
        drained &= io_is_drained(daemon->ios[i]);
    }
    return drained;
}

static void on_services_stopped(void *arg)
{
    struct daemon *daemon = arg;
    uint64_t now_ms = loop_now_ms(daemon->loop);
    daemon->stopped = true;
    daemon->drain_deadline_ms = now_ms + LAST_ANSWERS_MS;
    loop_timer_set(daemon->loop, &daemon->drain_timer, now_ms);
}

/* The workers are gone, and with them who may have used a service. */
static void on_stopped(void *arg)
{
    struct daemon *daemon = arg;
    uint64_t grace_ms = (uint64_t)(daemon->options->settings->stop_grace_s * 1000);
    services_stop(daemon->backing.services, grace_ms, on_services_stopped, daemon);
}

/* First the clients' requests end, then the workers that serve them, then the services that these
 * use; and those requests whose time was over are told so. */
static void on_drain_timer(void *arg)
{
    struct daemon *daemon = arg;
    uint64_t now_ms = loop_now_ms(daemon->loop);
    bool over = daemon_is_drained(daemon) && (!daemon->share || share_has_ended(daemon->share));
    if (!over && now_ms < daemon->drain_deadline_ms) {
        loop_timer_set(daemon->loop, &daemon->drain_timer, now_ms + DRAIN_POLL_MS);
    } else if (daemon->stopped) {
        loop_stop(daemon->loop);
    } else {
        uint64_t grace_ms = (uint64_t)(daemon->options->settings->stop_grace_s * 1000);
        control_stop(daemon->control, grace_ms, on_stopped, daemon);
    }
}

static void on_signal(void *arg, uint32_t events)
{
    struct daemon *daemon = arg;
    struct signalfd_siginfo info;
    (void)events;
    while (read(daemon->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            logs_reopen(&daemon->logs);
            continue;
        }
        if (daemon->ending) {
            loop_stop(daemon->loop); /* asked twice: at once */
            return;
        }
        daemon->ending = true;
        log_info("ending", "signal=%u", info.ssi_signo);
        listeners_refuse(daemon->options->listeners);
        for (unsigned i = 0; i < daemon->io_count; i++) {
            io_drain(daemon->ios[i]);
        }
        control_release(daemon->control);
        services_release(daemon->backing.services);
        daemon_end_tasks(daemon);
        if (daemon->share) {
            share_end(daemon->share);
        }
        loadtest_stop(&daemon->api);
        daemon->drain_deadline_ms =
            loop_now_ms(daemon->loop) + (uint64_t)(daemon->options->settings->stop_grace_s * 1000);
        loop_timer_set(daemon->loop, &daemon->drain_timer, loop_now_ms(daemon->loop));
    }
}

int daemon_watch_signals(struct daemon *daemon, struct err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGINT, SIG_IGN); /* of a terminal: the supervisor gets it, too, and tells us */
    (void)signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return err_errno(err, errno, "cannot watch signals");
    }
    daemon->signals = (struct loop_watch){fd, on_signal, daemon};
    daemon->drain_timer = (struct loop_timer){.fn = on_drain_timer, .arg = daemon};
    int failed = loop_watch(daemon->loop, &daemon->signals, EPOLLIN);
    return failed ? err_errno(err, -failed, "cannot watch signals") : 0;
}
