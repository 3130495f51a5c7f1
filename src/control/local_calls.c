/* Calls that stay inside a worker (a walker's call of an action loaded beside it) are counted
 * there. A call that leaves it is counted here, but how long its caller waited is measured there,
 * too: so both are compared by one clock. Each worker is asked for its figures now and then, and
 * once more when it is to end; what they grew by since the last time is added to ours. So ours only
 * grow, whatever becomes of the worker.
 *
 * An adopted worker's first answer is only where counting begins: it counted for an earlier daemon
 * before, whose figures ended with it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "http/client.h"
#include "measure/histogram.h"

#define RUNTIME_INTERVAL_MS 2000  /* how old figures may be */
#define POD_INTERVAL_MS     10000 /* few modules call themselves */
#define LOOK_TIMEOUT_MS     1000  /* it needs no user code, so an answer comes at once or never */
#define ANSWER_BYTES_MAX    (16UL * 1024 * 1024) /* 4096 actions with some walkers each */

struct seen_series { /* a row of the worker's last answer */
    char *action;
    char *walker;     /* "" = none */
    enum place place; /* NONE = a call inside the worker */
    int64_t calls;
    int64_t errors;
    int64_t exec_ns;
    int64_t nested_ns;
    int64_t latency_ns;
    struct histogram *latency;
};

struct look {
    struct http_client *client; /* under way; NULL = none */
    uint64_t begun_ms;
    uint64_t number;
    uint64_t next_number;   /* of the look to begin when this one has ended; 0 = none is wanted */
    uint64_t next_since_ms; /* when it was first wanted */
    bool first;             /* of an adopted worker */
    bool last;              /* the worker is to be stopped then */
    uint64_t grace_ms;
    struct seen_series *seen;
    size_t seen_count;
    size_t next; /* where the next row of an answer is likely to be */
};

struct refresh {
    struct refresh *next;
    uint64_t number; /* the last look it waits for */
    void (*done)(void *arg);
    void *arg;
};

struct look *look_new(bool adopted)
{
    struct look *look = xcalloc(1, sizeof(*look));
    look->first = adopted;
    return look;
}

struct look *look_free(struct look *look)
{
    if (look) {
        http_client_free(look->client);
        for (size_t i = 0; i < look->seen_count; i++) {
            free(look->seen[i].action);
            free(look->seen[i].walker);
            histogram_free(look->seen[i].latency);
        }
        free(look->seen);
        free(look);
    }
    return NULL;
}

/* ---- from an answer to our figures ---- */

/* The workers tell their series in the same order each time, with new ones in between. */
static struct seen_series *seen_for(struct look *look, const char *action, enum place place,
                                    const char *walker)
{
    for (size_t i = 0; i < look->seen_count; i++) {
        size_t at = (look->next + i) % look->seen_count;
        struct seen_series *seen = &look->seen[at];
        if (seen->place == place && strcmp(seen->action, action) == 0 &&
            strcmp(seen->walker, walker) == 0) {
            look->next = at + 1;
            return seen;
        }
    }
    look->seen = xrealloc(look->seen, (look->seen_count + 1) * sizeof(look->seen[0]));
    struct seen_series *seen = &look->seen[look->seen_count++];
    *seen = (struct seen_series){.action = xstrdup(action),
                                 .walker = xstrdup(walker),
                                 .place = place,
                                 .latency = histogram_new()};
    return seen;
}

/* The figures that a row is about; NULL = no action of ours. */
static struct call_stats *stats_for(const struct control *control, const char *module_name,
                                    enum place place, struct json_object *row)
{
    const char *action = json_str(row, "action"), *walker = json_str(row, "walker");
    struct module *module = module_name ? module_find(control, module_name, NULL) : NULL;
    for (size_t i = 0; module && action && i < module->action_count; i++) {
        struct action_entry *entry = module->actions[i];
        if (strcmp(entry->name, action) == 0) {
            return action_stats_of(&entry->counts_as->stats[place == PLACE_REMOTE],
                                   slice_str(walker));
        }
    }
    return NULL;
}

static struct histogram *histogram_from(struct json_object *pairs)
{
    struct histogram *histogram = histogram_new();
    size_t count = pairs ? json_object_array_length(pairs) : 0;
    for (size_t i = 0; i + 1 < count; i += 2) {
        int64_t bucket = json_object_get_int64(json_object_array_get_idx(pairs, i));
        int64_t added = json_object_get_int64(json_object_array_get_idx(pairs, i + 1));
        if (bucket >= 0 && added > 0) {
            histogram_add_count(histogram, (size_t)bucket, (uint64_t)added);
        }
    }
    return histogram;
}

static void add(atomic_uint_fast64_t *sum, int64_t now, int64_t before)
{
    if (now > before) {
        (void)atomic_fetch_add_explicit(sum, (uint64_t)(now - before), memory_order_relaxed);
    }
}

/* What the durations of the row grew by. */
static void merge_latency(const struct look *look, struct call_stats *stats,
                          struct seen_series *seen, struct json_object *row, int64_t latency_ns)
{
    struct json_object *pairs = json_member(row, "histogram", json_type_array);
    if (!look->first) {
        struct histogram *grown = histogram_from(pairs);
        histogram_subtract(grown, seen->latency);
        histogram_merge(call_stats_latency(stats), grown);
        histogram_free(grown);
        add(&stats->latency_ns, latency_ns, seen->latency_ns);
    }
    histogram_free(seen->latency);
    seen->latency = histogram_from(pairs);
    seen->latency_ns = latency_ns;
}

/* Of calls that left the worker. The daemon has counted them when it answered. */
static void merge_remote_row(const struct control *control, struct look *look,
                             struct json_object *row)
{
    const char *action = json_str(row, "action"), *walker = json_str(row, "walker");
    const char *place_text = json_str(row, "place");
    enum place place =
        place_text && strcmp(place_text, "remote") == 0 ? PLACE_REMOTE : PLACE_MODULE;
    const char *module = action ? control_module_of_action(control, action) : NULL;
    struct call_stats *stats = stats_for(control, module, place, row);
    if (stats) {
        struct seen_series *seen = seen_for(look, action, place, walker ? walker : "");
        int64_t latency_ns = json_int(row, "latency_ns", 0);
        if (latency_ns > seen->latency_ns) {
            merge_latency(look, stats, seen, row, latency_ns);
        }
    }
}

static void merge_local_row(const struct instance *instance, struct json_object *row)
{
    struct look *look = instance->look;
    const char *walker = json_str(row, "walker");
    struct call_stats *stats = stats_for(instance->control, json_str(row, "module"),
                                         instance->runtime ? PLACE_MODULE : PLACE_REMOTE, row);
    if (!stats) {
        return;
    }
    struct seen_series *seen =
        seen_for(look, json_str(row, "action"), PLACE_NONE, walker ? walker : "");
    int64_t calls = json_int(row, "calls", 0), errors = json_int(row, "errors", 0);
    int64_t exec_ns = json_int(row, "exec_ns", 0), nested_ns = json_int(row, "nested_ns", 0);
    if (calls <= seen->calls) {
        return; /* a call that was half booked then is added with the next one, not forgotten */
    }
    merge_latency(look, stats, seen, row, exec_ns);
    if (!look->first) {
        add(&stats->calls, calls, seen->calls);
        add(&stats->errors, errors, seen->errors);
        add(&stats->executions, calls - errors, seen->calls - seen->errors);
        add(&stats->exec_ns, exec_ns, seen->exec_ns);
        add(&stats->nested_ns, nested_ns, seen->nested_ns);
    }
    seen->calls = calls;
    seen->errors = errors;
    seen->exec_ns = exec_ns;
    seen->nested_ns = nested_ns;
}

static void merge(struct instance *instance, struct slice body)
{
    CLEANUP(json_put) struct json_object *answer = NULL;
    if (json_parse_object(body, &answer, NULL) < 0) {
        return;
    }
    struct json_object *rows = json_member(answer, "local_calls", json_type_array);
    for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
        merge_local_row(instance, json_object_array_get_idx(rows, i));
    }
    rows = json_member(answer, "remote_calls", json_type_array);
    for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
        merge_remote_row(instance->control, instance->look, json_object_array_get_idx(rows, i));
    }
    instance->look->first = false;
}

/* ---- looks ---- */

static void tell_refreshed(struct control *control)
{
    uint64_t oldest = UINT64_MAX; /* look under way */
    for (uint32_t i = 0; i < control->instance_count; i++) {
        const struct look *look = control->instances[i]->look;
        if (look && look->client && look->number < oldest) {
            oldest = look->number;
        }
    }
    /* All are taken out before any is told: who is told may ask again. */
    struct refresh *ready = NULL, **ready_end = &ready;
    struct refresh **at = &control->refreshes;
    while (*at) {
        struct refresh *refresh = *at;
        if (refresh->number >= oldest) {
            at = &refresh->next;
            continue;
        }
        *at = refresh->next;
        *ready_end = refresh;
        ready_end = &refresh->next;
        refresh->next = NULL;
    }
    while (ready) {
        struct refresh *refresh = ready;
        ready = refresh->next;
        refresh->done(refresh->arg);
        free(refresh);
    }
}

static void begin_look(struct instance *instance, uint64_t number, uint64_t timeout_ms);

static void on_figures(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct instance *instance = arg;
    struct control *control = instance->control;
    struct look *look = instance->look;
    if (outcome == HTTP_REPLIED && reply->status == 200) {
        merge(instance, reply->body);
    }
    look->client = http_client_free(look->client);
    if (look->next_number > 0 && instance->pod) {
        /* It has waited here, and who waits for it was promised an end. */
        uint64_t waited_ms = clock_now_ms() - look->next_since_ms;
        uint64_t number = look->next_number;
        look->next_number = 0;
        begin_look(instance, number, waited_ms < LOOK_TIMEOUT_MS ? LOOK_TIMEOUT_MS - waited_ms : 1);
    } else if (look->last && instance->pod && !control->stopping) {
        instance->pod->ops->stop(instance->pod, look->grace_ms);
    }
    tell_refreshed(control);
}

static void begin_look(struct instance *instance, uint64_t number, uint64_t timeout_ms)
{
    struct look *look = instance->look;
    const struct target *target = instance_target(instance);
    look->number = number;
    look->begun_ms = clock_now_ms();
    look->client =
        http_client_new(instance->control->parts.loop, (const struct sockaddr *)&target->address,
                        target->address_size, target->tls, target->host);
    http_client_send(
        look->client,
        &(struct http_send){.head = SLICE("GET /jsorc/figures HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                            .timeout_ms = timeout_ms,
                            .connect_timeout_ms = timeout_ms,
                            .reply_bytes_max = ANSWER_BYTES_MAX},
        on_figures, instance);
}

/* A look that tells of all that has ended by now. What one under way tells may be older: it is
 * let end, as it would never do if each new question began it anew, and one more follows. */
static void want_look(struct instance *instance)
{
    struct look *look = instance->look;
    if (!look->client) {
        begin_look(instance, ++instance->control->last_look, LOOK_TIMEOUT_MS);
    } else if (look->next_number == 0) {
        look->next_number = ++instance->control->last_look;
        look->next_since_ms = clock_now_ms();
    }
}

static bool can_look(const struct instance *instance)
{
    return instance->pod && instance->pod->socket_path && instance->targets &&
           instance->health != HEALTH_HUNG &&
           (instance->state == INSTANCE_READY || instance->state == INSTANCE_DRAINING);
}

void look_if_due(struct instance *instance, uint64_t now_ms)
{
    uint64_t interval_ms = instance->runtime ? RUNTIME_INTERVAL_MS : POD_INTERVAL_MS;
    if (can_look(instance) && !instance->look->client &&
        now_ms - instance->look->begun_ms >= interval_ms) {
        want_look(instance);
    }
}

bool look_and_stop(struct instance *instance, uint64_t grace_ms)
{
    if (!can_look(instance)) {
        return false;
    }
    instance->look->last = true;
    instance->look->grace_ms = grace_ms;
    want_look(instance);
    return true;
}

void look_forget(struct instance *instance)
{
    instance->look = look_free(instance->look);
    tell_refreshed(instance->control);
}

void control_figures_refresh(struct control *control, void (*done)(void *arg), void *arg)
{
    for (uint32_t i = 0; i < control->instance_count; i++) {
        struct instance *instance = control->instances[i];
        if (can_look(instance)) {
            want_look(instance);
        }
    }
    struct refresh *refresh = xcalloc(1, sizeof(*refresh));
    *refresh = (struct refresh){
        .next = control->refreshes, .number = control->last_look, .done = done, .arg = arg};
    control->refreshes = refresh;
    tell_refreshed(control);
}

void refreshes_end(struct control *control, bool tell)
{
    while (control->refreshes) {
        struct refresh *refresh = control->refreshes;
        control->refreshes = refresh->next;
        if (tell) {
            refresh->done(refresh->arg);
        }
        free(refresh);
    }
}
