#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "action/publisher.h"
#include "api/api.h"
#include "api/api_http.h"
#include "api/auth.h"
#include "api/loadtest.h"
#include "api/tracking.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "control/control.h"
#include "daemon/backing.h"
#include "daemon/io.h"
#include "daemon/logs.h"
#include "daemon/paths.h"
#include "daemon/sources.h"
#include "http/tls.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "provider/process/process.h"
#include "service/service.h"
#include "store/store.h"

#define JOB_THREADS_MAX 4
#define DRAIN_POLL_MS   20
#define LAST_ANSWERS_MS 1000 /* for the answers to calls that the end cut short */
#define OTHER_FDS       1024 /* pipes and pidfds of workers, the store, logs */

struct daemon {
    const struct daemon_options *options;
    struct loop *loop; /* the control thread's: this one */
    struct store *store;
    struct job_pool *jobs;
    struct publisher *publisher;
    struct provider *provider;
    struct control *control;
    struct backing backing;
    struct auth *auth;
    struct tls_server *tls;
    struct api api;
    struct api_http *front;
    struct front rules; /* who may call what */
    struct io *ios[IO_THREADS_MAX];
    unsigned io_count;
    char *urls[LISTEN_MAX + 2];
    struct logs logs;

    struct loop_watch signals;
    bool ending;
    bool stopped; /* all workers ended */
    struct loop_timer drain_timer;
    uint64_t drain_deadline_ms;
};

/* ---- the end ---- */

static bool is_drained(const struct daemon *daemon)
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
    if (!is_drained(daemon) && now_ms < daemon->drain_deadline_ms) {
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
        loadtest_stop(&daemon->api);
        daemon->drain_deadline_ms =
            loop_now_ms(daemon->loop) + (uint64_t)(daemon->options->settings->stop_grace_s * 1000);
        loop_timer_set(daemon->loop, &daemon->drain_timer, loop_now_ms(daemon->loop));
    }
}

static int watch_signals(struct daemon *daemon, struct err *err)
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

/* ---- the start ---- */

static void on_kick(void *arg)
{
    struct daemon *daemon = arg;
    for (unsigned i = 0; i < daemon->io_count; i++) {
        io_kick(daemon->ios[i]);
    }
}

static void on_auth_change(void *arg, struct auth_table *table)
{
    struct daemon *daemon = arg;
    control_set_auth(daemon->control, auth_table_ref(table));
}

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

static int64_t memory_limit_mb(const struct settings *settings)
{
    int64_t machine_mb = sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024;
    return settings->memory_max_mb > 0 ? settings->memory_max_mb : machine_mb / 5 * 4;
}

static int make_control(struct daemon *daemon, struct err *err)
{
    const struct settings *settings = daemon->options->settings;
    const struct paths *paths = daemon->options->paths;
    int failed = store_open(paths->database, &daemon->store, err);
    if (failed) {
        return failed;
    }
    daemon->jobs = job_pool_new(JOB_THREADS_MAX);
    daemon->publisher = publisher_new((unsigned)settings->io_threads, auth_table_unref);
    daemon->provider = process_provider_new(
        daemon->loop, &(struct process_settings){
                          .run_folder = paths->run,
                          .log_folder = paths->logs,
                          .daemon_socket = paths->socket,
                          .python = paths->python,
                          .python_path = paths->python_path,
                          .program = paths->program,
                          .lifeline_fd = daemon->options->lifeline_fd,
                          .start_timeout_ms = (uint64_t)(settings->start_timeout_s * 1000),
                      });
    struct control_settings control = CONTROL_SETTINGS_DEFAULT;
    control.drain_timeout_ms = (uint64_t)(settings->drain_timeout_s * 1000);
    control.stop_grace_ms = (uint64_t)(settings->stop_grace_s * 1000);
    control.call_timeout_ms = (uint64_t)(settings->timeout_s * 1000);
    control.probe_interval_ms = (uint64_t)(settings->probe_interval_s * 1000);
    control.probe_timeout_ms = (uint64_t)(settings->probe_timeout_s * 1000);
    control.threads_max = (unsigned)settings->call_threads;
    control.memory_max_mb = memory_limit_mb(settings);
    control.policy = settings->policy;
    control.policy_memory_mb =
        settings->policy_memory_mb > 0 ? settings->policy_memory_mb : control.memory_max_mb;
    control.policy_phase_s = settings->policy_phase_s;
    control.unmeasured = !settings->measure;
    daemon->control = control_new(&(struct control_parts){.loop = daemon->loop,
                                                          .publisher = daemon->publisher,
                                                          .store = daemon->store,
                                                          .provider = daemon->provider,
                                                          .jobs = daemon->jobs,
                                                          .auth_ref = auth_table_ref,
                                                          .auth_unref = auth_table_unref,
                                                          .kick = on_kick,
                                                          .kick_arg = daemon},
                                  &control);
    return 0;
}

static bool is_beyond_loopback(const struct listeners *listeners)
{
    bool beyond = false;
    for (unsigned i = 0; i < listeners->count; i++) {
        beyond |= listeners->items[i].kind == LISTEN_NETWORK;
    }
    return beyond;
}

static void expose_io(void *arg, struct exposition *exposition)
{
    const struct daemon *daemon = arg;
    ios_expose(daemon->ios, daemon->io_count, exposition);
    logs_expose(&daemon->logs, exposition);
}

static bool is_near(void *arg, struct http_request *request)
{
    const struct daemon *daemon = arg;
    return front_is_near(&daemon->rules, request) || backing_is_scrape(&daemon->backing, request);
}

static void make_services(struct daemon *daemon)
{
    backing_init(&daemon->backing, &(struct backing_parts){
                                       .loop = daemon->loop,
                                       .store = daemon->store,
                                       .settings = daemon->options->settings,
                                       .paths = daemon->options->paths,
                                       .listeners = daemon->options->listeners,
                                   });
}

static int make_api(struct daemon *daemon, struct err *err)
{
    const struct paths *paths = daemon->options->paths;
    const struct settings *settings = daemon->options->settings;
    const struct listeners *listeners = daemon->options->listeners;
    int failed = auth_new(&(struct auth_options){.store = daemon->store,
                                                 .jobs = daemon->jobs,
                                                 .loop = daemon->loop,
                                                 .state_dir = paths->state,
                                                 .closed = is_beyond_loopback(listeners),
                                                 .on_change = on_auth_change,
                                                 .arg = daemon},
                          clock_unix_ms(), &daemon->auth, err);
    if (failed) {
        return failed;
    }
    unsigned count = 0;
    for (unsigned i = 0; i < listeners->count; i++) {
        if (listeners->items[i].kind != LISTEN_LOCAL) {
            daemon->urls[count++] =
                xasprintf("%s://%s", daemon->tls ? "https" : "http", listeners->items[i].address);
        }
    }
    daemon->api =
        (struct api){.control = daemon->control,
                     .services = daemon->backing.services,
                     .store = daemon->store,
                     .auth = daemon->auth,
                     .jobs = daemon->jobs,
                     .loop = daemon->loop,
                     .socket_path = paths->socket,
                     .python = paths->python,
                     .python_path = paths->python_path,
                     .log_folder = paths->logs,
                     .addresses = (const char *const *)daemon->urls,
                     .version = JSORC_VERSION,
                     .tracksys_interval_ms = (uint64_t)(settings->tracksys_interval_s * 1000),
                     .expose_io = expose_io,
                     .expose_io_arg = daemon};
    daemon->front = api_http_new(&(struct api_http_config){.api = &daemon->api,
                                                           .actions_full = control_actions_full,
                                                           .walker_names = control_walker_names,
                                                           .local_listener = LISTEN_LOCAL,
                                                           .is_near = is_near,
                                                           .is_near_arg = daemon,
                                                           .log_fd = daemon->logs.api_fd});
    const char *open = daemon->options->settings->open_actions;
    daemon->rules = (struct front){.api = daemon->front,
                                   .open_loopback = strcmp(open, "no") != 0,
                                   .open_network = strcmp(open, "yes") == 0};
    return 0;
}

static int start_ios(struct daemon *daemon, struct err *err)
{
    const struct settings *settings = daemon->options->settings;
    struct io_config config = {
        .publisher = daemon->publisher,
        .control = daemon->control,
        .limits = HTTP_LIMITS_DEFAULT,
        .calls = CALL_SETTINGS_DEFAULT,
        .listeners = daemon->options->listeners,
        .tls = daemon->tls,
        .front = daemon->rules,
    };
    config.limits.body_bytes_max = (size_t)settings->body_bytes_max;
    config.limits.connections_max = (unsigned)settings->connections_max;
    config.unmeasured = !settings->measure;
    config.access_log = daemon->logs.access;
    config.tracer = daemon->logs.tracer;
    config.calls.unmeasured = !settings->measure;
    config.calls.park_timeout_ms = (uint64_t)(settings->wait_timeout_s * 1000);
    for (unsigned i = 0; i < (unsigned)settings->io_threads; i++) {
        config.index = i;
        daemon->ios[i] = io_start(&config, err);
        if (!daemon->ios[i]) {
            return -err->code;
        }
        daemon->io_count++;
    }
    return 0;
}

/* Puts text into run/NAME, whole or not at all. */
static void write_run_file(const struct daemon *daemon, const char *name, const char *text)
{
    CLEANUP(str_free) char *path = xasprintf("%s/%s", daemon->options->paths->run, name);
    CLEANUP(str_free) char *fresh = xasprintf("%s.new", path);
    FILE *file = fopen(fresh, "we");
    if (file && fputs(text, file) >= 0 && fclose(file) == 0) {
        (void)rename(fresh, path);
    }
}

/* For scripts: which process the daemon is, and where it listens when it asked for a free port. */
static void write_run_files(const struct daemon *daemon)
{
    struct buf urls = {0};
    for (size_t i = 0; daemon->urls[i]; i++) {
        buf_printf(&urls, "%s\n", daemon->urls[i]);
    }
    if (buf_append(&urls, "", 1) == 0) {
        write_run_file(daemon, "address", urls.data);
    }
    buf_done(&urls);
    CLEANUP(str_free) char *pid = xasprintf("%d\n", (int)getpid());
    write_run_file(daemon, "daemon.pid", pid);
}

static void announce(const struct daemon *daemon)
{
    for (size_t i = 0; daemon->urls[i]; i++) {
        printf("jsorc: serving on %s\n", daemon->urls[i]);
    }
    printf("jsorc: state in %s\n", daemon->options->paths->state);
    if (auth_bootstrap_token(daemon->auth)) {
        printf("jsorc: no account yet; the token for the first one is in %s/bootstrap-token\n",
               daemon->options->paths->state);
    }
    (void)fflush(stdout);
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
    failed = failed ? failed : watch_signals(daemon, err);
    failed = failed ? failed : make_control(daemon, err);
    if (!failed) {
        make_services(daemon);
        failed = make_api(daemon, err);
    }
    failed = failed ? failed : control_restore(daemon->control, err);
    if (!failed && !daemon->options->restarted) {
        failed = sources_load(settings, daemon->control, err);
    }
    if (!failed) {
        control_start(daemon->control);
        services_start(daemon->backing.services);
        api_http_set_running(daemon->front, true); /* operations wait for this thread's loop */
        failed = start_ios(daemon, err);
    }
    if (failed) {
        return failed;
    }
    write_run_files(daemon);
    if (!daemon->options->restarted) {
        announce(daemon);
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
    daemon->auth = auth_free(daemon->auth);
    daemon->control = control_free(daemon->control);
    daemon->publisher = publisher_free(daemon->publisher);
    if (daemon->provider) {
        daemon->provider = daemon->provider->ops->free(daemon->provider);
    }
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
        if (!is_drained(&daemon)) { /* requests are held that will not be answered any more */
            daemon.store = store_close(daemon.store);
            logs_flush(&daemon.logs);
            _exit(0);
        }
    }
    finish(&daemon);
    return failed;
}
