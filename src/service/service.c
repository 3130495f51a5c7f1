/* One service: its config, and the steps that keep.h asks for. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "provider/process/program.h"
#include "service/service_priv.h"
#include "store/store.h"

#define STEPS_MAX 8 /* in one turn: revert, restart, start, check and some */

void service_paths_init(struct service_paths *paths, const struct service_parts *parts,
                        const struct service_ops *ops)
{
    char *folder = xasprintf("%s/services/%s", parts->state_folder, ops->name);
    *paths = (struct service_paths){
        .folder = folder,
        .config_file = xasprintf("%s/%s", folder, ops->config_file),
        .socket = xasprintf("%s/%s.sock", parts->run_folder, ops->name),
        .log = xasprintf("%s/service-%s.log", parts->log_folder, ops->name),
    };
}

void service_paths_done(struct service_paths *paths)
{
    free(paths->folder);
    free(paths->config_file);
    free(paths->socket);
    free(paths->log);
}

void service_init(struct service *service, struct services *all, const struct service_ops *ops)
{
    const struct service_parts *parts = &all->parts;
    *service = (struct service){.all = all, .ops = ops};
    service_paths_init(&service->paths, parts, ops);
    CLEANUP(str_free) char *key = xasprintf("service %s", ops->name);
    CLEANUP(str_free) char *text = NULL;
    if (store_meta_get(parts->store, key, &text, NULL) == 0) {
        (void)json_parse_object(slice_str(text), &service->good, NULL);
    }
}

void service_done(struct service *service)
{
    service_release(service);
    service->program = program_free(service->program);
    (void)json_put(service->stored);
    (void)json_put(service->config);
    (void)json_put(service->good);
    free(service->before);
    free(service->error);
    free(service->refused);
    free(service->upkeep_error);
    service_paths_done(&service->paths);
}

/* ---- what is there ---- */

bool service_is_wanted(const struct service *service)
{
    const struct services *all = service->all;
    const struct service *whole =
        service->ops->part_of ? services_find(all, service->ops->part_of) : service;
    bool given = service->provider != PROVIDER_NONE && service->provider != PROVIDER_EMBEDDED;
    return given && service->enabled &&
           (service_holds_state(service) || whole->asked || service->asked ||
            (service->automated && all->loop_on));
}

static struct keep_wish wish_of(const struct service *service)
{
    const struct services *all = service->all;
    const struct service *needed =
        service->ops->needs ? services_find(all, service->ops->needs) : NULL;
    bool in_cluster = service->provider == PROVIDER_CLUSTER;
    return (struct keep_wish){
        .wanted = service_is_wanted(service),
        .repaired = (service->automated && all->loop_on) || service_holds_state(service),
        /* What a cluster had from an earlier life is to be wanted before it is swept away. */
        .needs_met = !needed || in_cluster || needed->keep.state == SERVICE_RUNNING,
        .on_trial = service_is_on_trial(service),
        .server = service->program  ? (service->ending ? SERVER_ENDING : SERVER_RUNS)
                  : service->placed ? (in_cluster ? SERVER_CLUSTER : SERVER_RUNS)
                  : service->provider == PROVIDER_ADDRESS ? SERVER_FOREIGN
                                                          : SERVER_NONE,
    };
}

static void fail(struct service *service, const char *text)
{
    struct services *all = service->all;
    str_replace(&service->error, text);
    keep_failed(&service->keep, &all->rules, clock_now_ms(), services_random(all));
    if (!service->quiet) {
        log_warn("service failed", "service=%s failures=%u error=\"%s\"", service->ops->name,
                 service->keep.failures, text);
    }
}

static void end_process(struct service *service, uint64_t grace_ms)
{
    service->ending = true;
    program_stop(service->program, grace_ms);
}

static void on_exit_of(void *arg, const char *how, bool expected)
{
    struct service *service = arg;
    service->program = program_free(service->program);
    service->ending = false;
    service->adopted = false;
    if (!expected && !atomic_load(&service->all->stopping)) {
        CLEANUP(str_free)
        char *words = program_last_words(service->paths.log, service->ops->reason_mark);
        CLEANUP(str_free)
        char *text =
            xasprintf("its process %s%s%s", how, *words ? "; its last words: " : "", words);
        fail(service, text);
    }
    services_wake(service->all);
}

struct program_spec service_program_spec(const struct service_ops *ops,
                                         const struct service_paths *paths)
{
    return (struct program_spec){.log_path = paths->log,
                                 .stop_signal = ops->stop_signal,
                                 .mark = ops->mark,
                                 .mark_path = paths->config_file};
}

void service_adopt(struct service *service)
{
    if (access(service->paths.config_file, F_OK) < 0) {
        return; /* it never ran in this state folder: /proc need not be searched */
    }
    struct program_spec spec = service_program_spec(service->ops, &service->paths);
    service->program = program_adopt(service->all->parts.loop, &spec, on_exit_of, service);
    if (service->program) {
        log_info("service is taken over", "service=%s pid=%d", service->ops->name,
                 program_pid(service->program));
        service->adopted = true;
        service->started_once = true;
        keep_started(&service->keep, clock_now_ms());
        if (service->provider != PROVIDER_PROCESS) {
            keep_restart(&service->keep, clock_now_ms()); /* that is, its end */
        }
    }
}

void service_restart(struct service *service)
{
    keep_restart(&service->keep, clock_now_ms());
    services_wake(service->all);
}

/* ---- steps ---- */

static void submit(struct service *service, enum job_kind kind)
{
    service->keep.busy = true;
    service_job_submit(service_job_new(service, kind));
}

static void give_up(struct service *service)
{
    struct services *all = service->all;
    CLEANUP(str_free)
    char *text = xasprintf("no good answer %s%s%s",
                           service->keep.state == SERVICE_STARTED ? "since its start" : "any more",
                           service->error ? ": " : "", service->error ? service->error : "");
    bool was_up = service->keep.state != SERVICE_STARTED;
    fail(service, text);
    if (service->program) { /* one that hangs does not hear the question either */
        end_process(service, was_up ? all->settings.check_timeout_ms : all->settings.stop_grace_ms);
    }
}

static void end(struct service *service)
{
    if (service->program) {
        end_process(service, service->all->settings.stop_grace_ms);
    } else {
        if (service->placed) {
            service_cluster_drop(service);
        }
        keep_ended(&service->keep, clock_now_ms());
        str_replace(&service->error, NULL);
    }
}

static void take_step(struct service *service, enum keep_step step, uint64_t now_ms)
{
    switch (step) {
    case KEEP_START:
        keep_started(&service->keep, now_ms);
        if (service->provider != PROVIDER_ADDRESS) {
            submit(service, JOB_PREPARE);
        }
        break;
    case KEEP_CHECK:
        submit(service, service->adopted ? JOB_PREPARE : JOB_CHECK);
        break;
    case KEEP_GIVE_UP:
        give_up(service);
        break;
    case KEEP_END:
        end(service);
        break;
    case KEEP_REVERT:
        service_revert(service);
        break;
    case KEEP_WAIT:
        break;
    }
}

uint64_t service_turn(struct service *service, uint64_t now_ms)
{
    uint64_t wake_ms = UINT64_MAX;
    for (int i = 0; i < STEPS_MAX; i++) {
        struct keep_wish wish = wish_of(service);
        enum keep_step step =
            keep_decide(&service->keep, &wish, &service->all->rules, now_ms, &wake_ms);
        if (step == KEEP_WAIT) {
            break;
        }
        take_step(service, step, now_ms);
    }
    return wake_ms;
}

/* ---- jobs that come back ---- */

static void start_process(struct service *service, struct service_job *job)
{
    struct err err = {0};
    struct program_spec spec = service_program_spec(service->ops, &service->paths);
    spec.args = job->args;
    if (program_start(service->all->parts.loop, &spec, on_exit_of, service, &service->program,
                      &err) < 0) {
        fail(service, err.text);
        return;
    }
    service->restarts += service->started_once;
    service->started_once = true;
    service->keep.since_ms = clock_now_ms();
    log_info("service is started", "service=%s pid=%d", service->ops->name,
             program_pid(service->program));
}

/* Its objects go to the cluster, whose work the rest is. */
static void place(struct service *service, struct service_job *job)
{
    struct err err = {0};
    if (service_cluster_keep(job, &err) < 0) {
        fail(service, err.text);
        return;
    }
    service->placed = true;
    service->keep.since_ms = clock_now_ms();
}

static void prepared(struct service *service, struct service_job *job)
{
    bool adopted = service->adopted;
    service->adopted = false;
    if (service->keep.state != SERVICE_STARTED || !service_is_wanted(service)) {
        return; /* something else is wanted meanwhile */
    }
    if (job->failed) {
        fail(service, job->error ? job->error : "cannot be prepared");
        return;
    }
    if (job->provider == PROVIDER_CLUSTER) {
        place(service, job);
        return;
    }
    service->port = job->port;
    if (!service->program) {
        start_process(service, job);
    } else if (adopted && job->changed) {
        keep_restart(&service->keep, clock_now_ms());
    }
}

static void checked(struct service *service, const struct service_job *job)
{
    struct services *all = service->all;
    enum service_state before = service->keep.state;
    struct keep_wish wish = wish_of(service);
    if (service->provider == PROVIDER_PROCESS && !service->program) {
        return; /* its end told more */
    }
    if (job->outcome != CHECK_GOOD) {
        str_replace(&service->error, job->error ? job->error : "no good answer");
    }
    keep_checked(&service->keep, job->outcome, &wish, &all->rules, clock_now_ms(),
                 services_random(all));
    if (before == SERVICE_RESTART || job->outcome == CHECK_BUSY) {
        return;
    }
    if (service->keep.state != before && !service->quiet) {
        if (service->keep.state == SERVICE_RUNNING) {
            log_info("service runs", "service=%s", service->ops->name);
        } else {
            log_warn("service failed", "service=%s error=\"%s\"", service->ops->name,
                     service->error ? service->error : "");
        }
    }
    if (job->outcome == CHECK_GOOD) {
        service->last_ok_ms = clock_unix_ms();
        str_replace(&service->error, NULL);
        service_keep_config(service);
        if (job->upkeep_due) {
            service_upkeep(service);
        }
    }
}

void service_job_finished(struct service *service, struct service_job *job)
{
    struct service_http_reply reply = {.status = job->status,
                                       .content_type = job->reply_type,
                                       .location = job->location,
                                       .body = buf_slice(&job->body)};
    bool stopping = atomic_load(&service->all->stopping);
    switch (job->kind) {
    case JOB_PREPARE:
    case JOB_CHECK:
        service->keep.busy = false;
        if (!stopping && job->kind == JOB_PREPARE) {
            prepared(service, job);
        } else if (!stopping) {
            checked(service, job);
        }
        break;
    case JOB_METHOD:
        job->call_done(job->arg, TAKE(job->result), job->failed ? job->error : NULL);
        break;
    case JOB_HTTP:
        job->http_done(job->arg, &reply);
        break;
    }
    service_job_free(job);
    services_wake(service->all);
}
