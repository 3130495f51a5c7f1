#include "daemon/logs.h"

#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/settings.h"
#include "measure/access_log.h"
#include "measure/exposition.h"
#include "measure/tracer.h"
#include "provider/process/process.h"

#define LOOK_MS 5000 /* between two looks whether a log has grown too long */

static const char *const names[] = {"daemon", "api"};

static void on_timer(void *arg)
{
    struct logs *logs = arg;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        CLEANUP(str_free) char *path = xasprintf("%s/%s.log", logs->folder, names[i]);
        process_bound_log(path);
    }
    loop_timer_set(logs->loop, &logs->timer, loop_now_ms(logs->loop) + LOOK_MS);
}

static int open_log(const struct logs *logs, const char *name)
{
    CLEANUP(str_free) char *path = xasprintf("%s/%s.log", logs->folder, name);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

int logs_open(struct logs *logs, struct loop *loop, const char *folder,
              const struct settings *settings, struct err *err)
{
    logs->loop = loop;
    logs->folder = folder;
    logs->daemon_fd = open_log(logs, names[0]);
    logs->api_fd = open_log(logs, names[1]);
    log_set_copy(logs->daemon_fd);
    logs->timer = (struct loop_timer){.fn = on_timer, .arg = logs};
    on_timer(logs);
    if (strcmp(settings->access_log, "off") != 0) {
        logs->access = access_log_open(settings->access_log, err);
        if (!logs->access) {
            return -err->code;
        }
    }
    if (settings->otlp_url) {
        logs->tracer = tracer_new(&(struct tracer_config){.url = settings->otlp_url,
                                                          .version = JSORC_VERSION,
                                                          .ratio = settings->trace_ratio},
                                  err);
        return logs->tracer ? 0 : -err->code;
    }
    return 0;
}

void logs_reopen(struct logs *logs)
{
    if (logs->access) {
        access_log_reopen(logs->access);
    }
}

void logs_expose(const struct logs *logs, struct exposition *exposition)
{
    const struct access_log *log = logs->access;
    exposition_single(exposition, METRIC_ACCESS_LOG_LINES,
                      log ? (double)access_log_written(log) : 0);
    exposition_single(exposition, METRIC_ACCESS_LOG_DROPPED,
                      log ? (double)access_log_dropped(log) : 0);
    const struct tracer *tracer = logs->tracer;
    exposition_single(exposition, METRIC_SPANS_EXPORTED,
                      tracer ? (double)tracer_exported(tracer) : 0);
    exposition_single(exposition, METRIC_SPANS_DROPPED,
                      tracer ? (double)tracer_dropped(tracer) : 0);
}

void logs_flush(struct logs *logs)
{
    if (logs->access) {
        access_log_stop(logs->access);
    }
    if (logs->tracer) {
        tracer_stop(logs->tracer);
    }
}

void logs_close(struct logs *logs)
{
    logs->access = access_log_close(logs->access);
    logs->tracer = tracer_free(logs->tracer);
    if (logs->loop) {
        loop_timer_clear(logs->loop, &logs->timer);
        log_set_copy(-1);
        logs->daemon_fd = fd_close(logs->daemon_fd);
        logs->api_fd = fd_close(logs->api_fd);
    }
}
