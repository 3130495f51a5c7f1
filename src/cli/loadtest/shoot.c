#include "cli/loadtest/shoot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/loadtest/bed.h"
#include "cli/loadtest/cell.h"
#include "cli/loadtest/stop.h"
#include "cli/loadtest/tally.h"
#include "http/client.h"
#include "load/generator.h"
#include "measure/histogram.h"

#define REPLY_BYTES_MAX (16UL * 1024 * 1024)
#define POINT_S_MIN     0.25

struct shooting {
    struct shot *shot;
    const struct aim *aim;
    double whole_s;
    uint64_t start_ns;
};

/* A walker that failed answers 200 all the same. */
static bool judge(void *arg, const struct http_reply *reply)
{
    static const struct slice well = SLICE("{\"success\":true");
    (void)arg;
    if (slice_starts(reply->body, well)) {
        return true;
    }
    CLEANUP(json_put) struct json_object *value = NULL;
    return json_parse_object(reply->body, &value, NULL) == 0 && json_flag(value, "success", false);
}

static void on_sample(void *arg, const struct load_sample *sample)
{
    struct shooting *shooting = arg;
    struct shot *shot = shooting->shot;
    double at_s = (double)(sample->done_ns - shooting->start_ns) / 1e9;
    size_t index = (size_t)fmin(fmax(at_s, 0) / shot->point_s, SERIES_MAX - 1);
    struct shot_point *point = &shot->points[index];
    if (sample->outcome != LOAD_RIGHT) {
        point->failed++;
        return;
    }
    uint64_t latency_ns = sample->done_ns - sample->due_ns;
    point->right++;
    point->sum_ms += (double)latency_ns / 1e6;
    point->max_ms = fmax(point->max_ms, (double)latency_ns / 1e6);
    if (!sample->warm) {
        double due_s = (double)(sample->due_ns - shooting->start_ns) / 1e9;
        samples_add(&shot->samples, latency_ns);
        timeline_add(&shot->timeline, due_s, latency_ns);
    }
}

static void on_tick(void *arg, uint64_t elapsed_ms)
{
    const struct shooting *shooting = arg;
    if (shooting->aim->on_progress) {
        shooting->aim->on_progress(shooting->aim->arg, (double)elapsed_ms / 1000,
                                   shooting->whole_s);
    }
}

static void book(struct shot *shot, const struct load_result *result)
{
    memcpy(shot->outcomes, result->all.outcomes, sizeof(shot->outcomes));
    shot->warm = result->warm;
    shot->seconds = result->seconds;
    shot->stopped = result->stopped;
    shot->lag_p99_ms =
        histogram_count(result->lag) > 0 ? histogram_quantile(result->lag, 0.99) / 1e6 : NAN;
}

struct kinds {
    struct load_kind items[APP_REQUESTS_MAX];
    char *heads[APP_REQUESTS_MAX];                /* owned */
    struct json_object *bodies[APP_REQUESTS_MAX]; /* owned */
    unsigned count;
};

static struct kinds kinds_of(const struct app *app)
{
    struct kinds kinds = {.count = (unsigned)app_request_count(app)};
    for (unsigned i = 0; i < kinds.count; i++) {
        kinds.bodies[i] = app_request(app, i);
        const char *body = json_text(kinds.bodies[i]);
        kinds.heads[i] = xasprintf("POST /js/walker_run HTTP/1.1\r\nHost: localhost\r\n"
                                   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                                   strlen(body));
        kinds.items[i] = (struct load_kind){.name = app->name,
                                            .head = slice_str(kinds.heads[i]),
                                            .body = slice_str(body),
                                            .weight = 1};
    }
    return kinds;
}

static void kinds_done(struct kinds *kinds)
{
    for (unsigned i = 0; i < kinds->count; i++) {
        free(kinds->heads[i]);
        (void)json_put(kinds->bodies[i]);
    }
}

int shoot(const struct cell_context *context, const struct app *app, const struct aim *aim,
          struct shot *ret_shot, struct err *err)
{
    const struct options *options = context->options;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", context->bed->endpoint.socket);
    struct kinds kinds = kinds_of(app);
    struct shot shot = {.started = (double)clock_unix_ms() / 1000};
    struct shooting shooting = {.shot = &shot,
                                .aim = aim,
                                .whole_s = aim->warmup_s + aim->duration_s,
                                .start_ns = clock_now_ns()};
    shot.point_s = fmax(POINT_S_MIN, shooting.whole_s / (SERIES_MAX - 1));
    samples_init(&shot.samples);
    struct load_plan plan = {
        .address = (const struct sockaddr *)&address,
        .address_size = sizeof(address),
        .kinds = kinds.items,
        .kind_count = kinds.count,
        .connections = options->clients,
        .rate_per_s = options->rate_per_s,
        .poisson = options->poisson,
        .seed = aim->seed,
        .warmup_ms = (uint64_t)(aim->warmup_s * 1000),
        .duration_ms = (uint64_t)(aim->duration_s * 1000),
        .think_ms = (uint64_t)(options->think_s * 1000),
        .timeout_ms = (uint64_t)(options->timeout_s * 1000),
        .reply_bytes_max = REPLY_BYTES_MAX,
        .stop = &stop_asked,
        .judge = judge,
        .on_sample = on_sample,
        .on_tick = on_tick,
        .arg = &shooting,
    };
    struct load_result result = {0};
    int failed = load_run(&plan, &result, err);
    kinds_done(&kinds);
    if (failed) {
        shot_done(&shot);
        return failed;
    }
    book(&shot, &result);
    load_result_done(&result);
    *ret_shot = shot;
    return 0;
}

void shot_done(struct shot *shot)
{
    samples_done(&shot->samples);
    timeline_done(&shot->timeline);
}

static struct json_object *series_json(const struct shot *shot)
{
    struct json_object *series = json_object_new_array();
    for (size_t i = 0; i < SERIES_MAX; i++) {
        const struct shot_point *point = &shot->points[i];
        if (point->right + point->failed == 0) {
            continue;
        }
        struct json_object *row = json_object_new_object();
        json_set_double(row, "t", (double)i * shot->point_s);
        json_set_double(row, "throughput", (double)point->right / shot->point_s);
        json_set_int(row, "failed", (int64_t)point->failed);
        json_set_double(row, "mean_ms", point->right ? point->sum_ms / (double)point->right : NAN);
        json_set_double(row, "max_ms", point->right ? point->max_ms : NAN);
        (void)json_object_array_add(series, row);
    }
    return series;
}

struct json_object *shot_json(struct shot *shot)
{
    struct json_object *row = json_object_new_object();
    uint64_t asked = 0;
    for (int i = 0; i < LOAD_OUTCOMES; i++) {
        asked += shot->outcomes[i];
    }
    json_set_double(row, "ts", shot->started);
    tally_write(&shot->samples, shot->seconds, row);
    json_set_int(row, "errors", (int64_t)(asked - shot->outcomes[LOAD_RIGHT]));
    json_set_int(row, "warm_up", (int64_t)shot->warm);
    json_set_double(row, "generator_late_p99_ms", shot->lag_p99_ms);
    json_set_bool(row, "stopped", shot->stopped);
    json_set(row, "series", series_json(shot));
    return row;
}
