/* The task queue: a part of the daemon, kept in the state. Its config is the original's with what
 * the queue here needs. */
#include "service/service_priv.h"

static enum service_provider provider(struct json_object *stored, enum service_provider usual)
{
    (void)stored;
    (void)usual;
    return PROVIDER_EMBEDDED;
}

static const struct service_key keys[] = {
    {.name = "celery_queue"},
    {.name = "concurrency", .type = KEY_NUMBER, .fallback = "4", .min = 1, .max = 256},
    {.name = "retries", .type = KEY_NUMBER, .fallback = "3", .max = 1000},
    {.name = "backoff_s", .type = KEY_NUMBER, .fallback = "1", .min = 0.001, .max = 86400},
    {.name = "backoff_max_s", .type = KEY_NUMBER, .fallback = "600", .min = 0.001, .max = 86400},
    {.name = "visibility_timeout_s", .type = KEY_NUMBER, .fallback = "60", .min = 1, .max = 86400},
    {.name = "result_expires", .type = KEY_NUMBER, .fallback = "86400", .min = 1, .max = 315576000},
    {.name = "dead_expires", .type = KEY_NUMBER, .fallback = "2592000", .min = 1, .max = 315576000},
    {.name = NULL},
};

/* The original gave them to Celery. */
static const char *const others[] = {"provider",
                                     "broker_url",
                                     "result_backend",
                                     "task_track_started",
                                     "beat_scheduler",
                                     "broker_connection_retry_on_startup",
                                     "timezone",
                                     "worker_redirect_stdouts",
                                     NULL};

extern const struct service_ops service_task;
const struct service_ops service_task = {
    .name = "task",
    .title = "TaskService",
    .config = "TASK_CONFIG",
    .keys = keys,
    .others = others,
    .passes_on = true,
    .embedded = true,
    .config_file = "none",
    .provider = provider,
};
