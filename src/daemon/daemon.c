#include "daemon/daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "action/publisher.h"
#include "api/api_http.h"
#include "api/auth.h"
#include "api/loadtest.h"
#include "api/tracking.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control.h"
#include "daemon/daemon_priv.h"
#include "daemon/paths.h"
#include "daemon/settings.h"
#include "daemon/sources.h"
#include "http/tls.h"
#include "loop/job.h"
#include "provider/provider.h"
#include "service/manifests.h"
#include "service/service.h"
#include "share/share.h"
#include "store/store.h"

#define OTHER_FDS 1024 /* pipes and pidfds of workers, the store, logs */

/* A client's connection, and one to a worker for it. What a login shell allows is too little. */
static void raise_descriptor_limit(const struct settings *settings)
{
    rlim_t wanted = (rlim_t)(2 * settings->connections_max * settings->io_threads + OTHER_FDS);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int start(struct daemon *daemon, struct err *err)
{
    const struct settings *settings = daemon->options->settings;
    raise_descriptor_limit(settings);
    daemon->loop = loop_new(err);
    if (!daemon->loop) {
        return -err->code;
    }
    if (settings->tls_cert) {
        daemon->tls = tls_server_new(settings->tls_cert, settings->tls_key, err);
        if (!daemon->tls) {
            return -err->code;
        }
    }
    int failed =
        logs_open(&daemon->logs, daemon->loop, daemon->options->paths->logs, settings, err);
    failed = failed ? failed : daemon_watch_signals(daemon, err);
    failed = failed ? failed : daemon_make_control(daemon, err);
    if (!failed) {
        daemon_make_services(daemon);
        failed = daemon_make_api(daemon, err);
    }
    failed = failed ? failed : daemon_make_share(daemon, err);
    if (!failed) {
        daemon_make_tasks(daemon);
    }
    failed = failed ? failed : control_restore(daemon->control, err);
    if (!failed && !daemon->options->restarted) {
        failed = sources_load(settings, daemon->control, err);
    }
    if (!failed) {
        control_start(daemon->control);
        services_start(daemon->backing.services);
        if (daemon->share) {
            share_start(daemon->share);
        }
        api_http_set_running(daemon->front, true); /* operations wait for this thread's loop */
        failed = daemon_start_ios(daemon, err);
    }
    if (failed) {
        return failed;
    }
    daemon_start_tasks(daemon);
    daemon_write_run_files(daemon);
    if (!daemon->options->restarted) {
        daemon_announce(daemon);
    }
    log_info("serving", "pid=%d restarted=%d", (int)getpid(), daemon->options->restarted);
    return 0;
}

static void finish(struct daemon *daemon)
{
    if (daemon->front) {
        api_http_set_running(daemon->front, false);
    }
    for (unsigned i = 0; i < daemon->io_count; i++) {
        daemon->ios[i] = io_stop(daemon->ios[i]);
    }
    if (daemon->front &&
        api_http_calls(daemon->front) == 0) { /* else cut short: the process ends */
        daemon->front = api_http_free(daemon->front);
    }
    daemon->jobs = job_pool_free(daemon->jobs);
    tracking_end(&daemon->api);
    loadtest_end(&daemon->api);
    backing_done(&daemon->backing);
    daemon_free_tasks(daemon);
    daemon->share = share_free(daemon->share);
    daemon->auth = auth_free(daemon->auth);
    daemon->control = control_free(daemon->control);
    daemon->publisher = publisher_free(daemon->publisher);
    if (daemon->provider) {
        daemon->provider = daemon->provider->ops->free(daemon->provider);
    }
    daemon->manifests = manifests_free(daemon->manifests);
    cluster_close(&daemon->cluster);
    daemon->store = store_close(daemon->store);
    logs_close(&daemon->logs);
    daemon->tls = tls_server_free(daemon->tls);
    int signal_fd = daemon->signals.fd;
    if (daemon->loop) {
        loop_unwatch(daemon->loop, &daemon->signals);
    }
    (void)fd_close(signal_fd);
    daemon->loop = loop_free(daemon->loop);
    for (size_t i = 0; daemon->urls[i]; i++) {
        free(daemon->urls[i]);
    }
}

int daemon_run(const struct daemon_options *options, struct err *err)
{
    struct daemon daemon = {.options = options, .signals = {.fd = -1}};
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* the supervisor's end is ours */
    struct pollfd lifeline = {.fd = options->lifeline_fd, .events = POLLIN};
    if (poll(&lifeline, 1, 0) > 0) { /* it ended before we could ask for that */
        return err_set(err, ESRCH, "the supervisor has ended");
    }
    int failed = start(&daemon, err);
    if (!failed) {
        loop_run(daemon.loop);
        if (!daemon_is_drained(
                &daemon)) { /* requests are held that will not be answered any more */
            daemon.store = store_close(daemon.store);
            logs_flush(&daemon.logs);
            _exit(0);
        }
    }
    finish(&daemon);
    return failed;
}
