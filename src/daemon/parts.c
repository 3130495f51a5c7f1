/* Makes the daemon's parts from the settings, and tells each of the others. */
#include <string.h>

#include "action/publisher.h"
#include "api/account_mail.h"
#include "api/api_http.h"
#include "api/auth.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/system.h"
#include "control/control.h"
#include "daemon/daemon_priv.h"
#include "daemon/paths.h"
#include "daemon/settings.h"
#include "loop/job.h"
#include "provider/process/process.h"
#include "service/manifests.h"

#define JOB_THREADS_MAX 4

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

static int on_mail(void *arg, enum store_code_kind kind, const char *email, const char *code)
{
    return account_mail_send(&((const struct daemon *)arg)->api, kind, email, code);
}

static bool is_mail_on(void *arg)
{
    return account_mail_is_on(&((const struct daemon *)arg)->api);
}

static int64_t memory_limit_mb(const struct settings *settings)
{
    return settings->memory_max_mb > 0 ? settings->memory_max_mb : system_memory_share_mb(0.8);
}

static struct cluster_parts cluster_parts_of(const struct daemon *daemon)
{
    return (struct cluster_parts){.settings = daemon->options->settings,
                                  .store = daemon->store,
                                  .loop = daemon->loop,
                                  .jobs = daemon->jobs,
                                  .run_folder = daemon->options->paths->run};
}

/* What a setting asks for must be there; what is only stored, as the original's `automation`, must
 * not keep the rest from serving.
 */
static int open_cluster(struct daemon *daemon, struct err *err)
{
    const struct settings *settings = daemon->options->settings;
    struct err why = {0};
    const struct cluster_parts parts = cluster_parts_of(daemon);
    int failed = cluster_open(&parts, &daemon->cluster, &why);
    if (failed && strcmp(settings->provider, "kubernetes") == 0) {
        return err_set(err, why.code, "%s", why.text);
    }
    if (failed) {
        log_info("no cluster is used", "error=\"%s\"", why.text);
    }
    return 0;
}

static int refresh_cluster(void *arg, struct err *err)
{
    struct daemon *daemon = arg;
    const struct settings *settings = daemon->options->settings;
    if (daemon->cluster.provider || !cluster_is_wanted(settings, daemon->store)) {
        return 0; /* what it has made lives by it: another one is for another start */
    }
    const struct cluster_parts parts = cluster_parts_of(daemon);
    int failed = cluster_open(&parts, &daemon->cluster, err);
    if (!failed) {
        daemon->api.cluster = daemon->cluster.provider;
        control_set_cluster(daemon->control, daemon->cluster.provider);
        manifests_set_cluster(daemon->manifests, daemon->cluster.provider);
    }
    return failed;
}

int daemon_make_control(struct daemon *daemon, struct err *err)
{
    const struct settings *settings = daemon->options->settings;
    const struct paths *paths = daemon->options->paths;
    int failed = daemon_open_store(daemon, err);
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
    failed = cluster_is_wanted(settings, daemon->store) ? open_cluster(daemon, err) : 0;
    if (failed) {
        return failed;
    }
    daemon->manifests = manifests_new(daemon->store, daemon->cluster.provider);
    manifests_start(daemon->manifests);
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
                                                          .cluster = daemon->cluster.provider,
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

void daemon_make_services(struct daemon *daemon)
{
    backing_init(&daemon->backing, &(struct backing_parts){
                                       .loop = daemon->loop,
                                       .store = daemon->store,
                                       .manifests = daemon->manifests,
                                       .settings = daemon->options->settings,
                                       .paths = daemon->options->paths,
                                       .listeners = daemon->options->listeners,
                                   });
}

int daemon_make_api(struct daemon *daemon, struct err *err)
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
                                                 .mail = on_mail,
                                                 .mail_is_on = is_mail_on,
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
                     .cluster = daemon->cluster.provider,
                     .manifests = daemon->manifests,
                     .refresh_cluster = refresh_cluster,
                     .refresh_cluster_arg = daemon,
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
                     .public_url = settings->public_url,
                     .version = JSORC_VERSION,
                     .tracksys_interval_ms = (uint64_t)(settings->tracksys_interval_s * 1000),
                     .wait_timeout_ms = (uint64_t)(settings->wait_timeout_s * 1000),
                     .expose_io = expose_io,
                     .expose_io_arg = daemon};
    daemon->front = api_http_new(&(struct api_http_config){.api = &daemon->api,
                                                           .actions_full = control_actions_full,
                                                           .walkers_full = control_walkers_full,
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

int daemon_start_ios(struct daemon *daemon, struct err *err)
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
