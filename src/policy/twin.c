#include "policy/twin.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "policy/random.h"
#include "policy/twin_delays.h"
#include "policy/twin_steps.h"

#define SERVERS_MAX (POLICY_MODULES_MAX + 1) /* 0 = the runtime worker, 1 + m = the pod of m */
#define NOBODY      UINT32_MAX
#define STOP_EVENTS 1024 /* between two looks at the stop flag */

struct job { /* a user, or a request of an open load */
    uint32_t id, run;
    uint32_t walker;
    uint32_t step;             /* next or current, index into steps.items */
    uint32_t next;             /* behind it in the queue of a server */
    double begun_s;            /* the run */
    double queued_s, served_s; /* the current step */
    double ready;              /* progress of the server at which it is done */
};

struct server {
    uint32_t first, last; /* in service: only the first, or all of them, by ready */
    uint32_t sharers;     /* of the speed: 1, or all that are here */
    double progress;      /* work that a job has got which was in service all the time */
};

struct twin {
    const struct twin_model *model;
    const struct twin_effort *effort;
    struct twin_result *result;
    struct steps steps;
    struct job *jobs;
    uint32_t job_count, free_job; /* open load: free ones are linked by next */
    struct server servers[SERVERS_MAX];
    uint8_t busy[SERVERS_MAX]; /* numbers of servers that serve */
    uint32_t busy_count;
    struct delays delays;
    double now_s, counted_from_s;
    double arrival_s; /* open load: the next one */
    uint64_t arrivals;
    uint32_t done; /* runs, with the warm-up */
    uint64_t events;
    bool overloaded;
};

void twin_spread(struct twin_model *model, double scv)
{
    double sigma = sqrt(log1p(scv)), sum = 0;
    for (int i = 0; i < TWIN_SAMPLES; i++) {
        model->samples[i] = exp(sigma * random_normal_quantile((i + 0.5) / TWIN_SAMPLES));
        sum += model->samples[i];
    }
    for (int i = 0; i < TWIN_SAMPLES; i++) {
        model->samples[i] *= TWIN_SAMPLES / sum;
    }
}

/* ---- draws ---- */

static uint64_t bits_of(const struct twin *twin, const struct job *job, uint32_t draw)
{
    uint64_t what = ((uint64_t)job->id << 44) ^ ((uint64_t)job->run << 20) ^ draw;
    return random_at(twin->effort->seed, what);
}

static double service_s(const struct twin *twin, const struct job *job, const struct step *step)
{
    double luck =
        step->hop ? 1 : twin->model->samples[bits_of(twin, job, step->draw) % TWIN_SAMPLES];
    return step->mean_s * luck;
}

/* Exponential. */
static double pause_s(const struct twin *twin, const struct job *job, double mean_s)
{
    return mean_s <= 0 ? 0 : -mean_s * log(random_unit(bits_of(twin, job, UINT16_MAX << 3)));
}

static uint32_t choose_walker(const struct twin *twin, const struct job *job)
{
    double at = random_unit(bits_of(twin, job, 0));
    uint32_t last = (uint32_t)twin->model->problem->walker_count - 1, i = 0;
    while (i < last && at >= twin->model->share[i]) {
        at -= twin->model->share[i++];
    }
    return i;
}

/* ---- servers ---- */

static void serve(struct twin *twin, uint8_t number, uint32_t job_number)
{
    struct job *job = &twin->jobs[job_number];
    job->served_s = twin->now_s;
    job->ready =
        twin->servers[number].progress + service_s(twin, job, &twin->steps.items[job->step]);
}

/* Behind all that are ready earlier. */
static void share(struct twin *twin, uint32_t number, uint8_t at)
{
    struct server *server = &twin->servers[at];
    uint32_t *link = &server->first;
    serve(twin, at, number);
    while (*link != NOBODY && twin->jobs[*link].ready <= twin->jobs[number].ready) {
        link = &twin->jobs[*link].next;
    }
    twin->jobs[number].next = *link;
    *link = number;
    server->sharers++;
}

static void enqueue(struct twin *twin, uint32_t number, uint8_t at)
{
    struct server *server = &twin->servers[at];
    struct job *job = &twin->jobs[number];
    job->queued_s = twin->now_s;
    job->next = NOBODY;
    if (server->first == NOBODY) {
        server->first = server->last = number;
        server->sharers = 1;
        server->progress = 0;
        twin->busy[twin->busy_count++] = at;
        serve(twin, at, number);
    } else if (twin->model->shared) {
        share(twin, number, at);
    } else {
        twin->jobs[server->last].next = number;
        server->last = number;
    }
}

/* Who was first has been served. */
static void dequeue(struct twin *twin, uint32_t busy_index)
{
    uint8_t at = twin->busy[busy_index];
    struct server *server = &twin->servers[at];
    server->first = twin->jobs[server->first].next;
    if (server->first == NOBODY) {
        twin->busy[busy_index] = twin->busy[--twin->busy_count];
    } else if (twin->model->shared) {
        server->sharers--;
    } else {
        serve(twin, at, server->first);
    }
}

/* ---- runs ---- */

static void end_run(struct twin *twin, struct job *job)
{
    struct twin_result *result = twin->result;
    if (twin->done >= twin->effort->warmup_runs) {
        result->runs++;
        result->latency_s += twin->now_s - job->begun_s;
        result->walker_runs[job->walker]++;
        result->walker_s[job->walker] += twin->now_s - job->begun_s;
    }
    if (++twin->done == twin->effort->warmup_runs) {
        twin->counted_from_s = twin->now_s;
    }
}

static void begin_run(struct twin *twin, struct job *job)
{
    job->walker = choose_walker(twin, job);
    job->step = twin->steps.walker[job->walker];
    job->begun_s = twin->now_s;
}

/* Takes the job on from its step until it waits for something. */
static void proceed(struct twin *twin, uint32_t number)
{
    struct job *job = &twin->jobs[number];
    for (;;) {
        if (job->step == twin->steps.walker[job->walker + 1]) {
            end_run(twin, job);
            job->run++;
            if (twin->model->users < 1) {
                job->next = twin->free_job;
                twin->free_job = number;
                return;
            }
            job->step = NOBODY; /* thinks */
            /* At least a little: time must go on also where nothing takes any. */
            delays_add(&twin->delays, number,
                       twin->now_s + pause_s(twin, job, twin->model->think_s) + 1e-9);
            return;
        }
        const struct step *step = &twin->steps.items[job->step];
        if (step->kind == STEP_SERVE) {
            enqueue(twin, number, step->server);
            return;
        }
        if (step->kind == STEP_DELAY) {
            job->step++;
            delays_add(&twin->delays, number, twin->now_s + step->mean_s);
            return;
        }
        job->step +=
            random_unit(bits_of(twin, job, step->draw)) < step->mean_s ? 1 : 1 + step->skip;
    }
}

static void count_call(struct twin *twin, const struct job *job, const struct step *step)
{
    struct twin_result *result = twin->result;
    if (step->module == STEP_OWN || twin->done < twin->effort->warmup_runs) {
        return;
    }
    if (step->hop) {
        result->hop_s[step->module] += twin->now_s - job->queued_s;
        return;
    }
    result->calls[step->module]++;
    result->wait_s[step->module] += job->served_s - job->queued_s;
    result->exec_s[step->module] += twin->now_s - job->served_s;
    if (step->server > 0) {
        const struct twin_model *model = twin->model;
        result->hop_s[step->module] += model->hop_s[step->module] * (1 - model->hop_work);
    }
}

static void end_service(struct twin *twin, uint32_t busy_index)
{
    uint32_t number = twin->servers[twin->busy[busy_index]].first;
    struct job *job = &twin->jobs[number];
    const struct step *step = &twin->steps.items[job->step];
    count_call(twin, job, step);
    dequeue(twin, busy_index);
    job->step++;
    proceed(twin, number);
}

/* ---- arrivals of an open load ---- */

static void arrive(struct twin *twin)
{
    struct job clock = {.id = UINT16_MAX, .run = (uint32_t)twin->arrivals};
    twin->arrival_s += pause_s(twin, &clock, 1 / twin->model->rate_s);
    uint32_t number = twin->free_job;
    if (number == NOBODY) {
        twin->overloaded = true;
        return;
    }
    struct job *job = &twin->jobs[number];
    twin->free_job = job->next;
    /* The n-th request has the same luck under any placement. */
    job->id = UINT16_MAX - 1;
    job->run = (uint32_t)twin->arrivals++;
    begin_run(twin, job);
    proceed(twin, number);
}

static void begin_load(struct twin *twin)
{
    bool closed = twin->model->users >= 1;
    twin->job_count =
        closed ? (uint32_t)fmin(twin->model->users, TWIN_USERS_MAX) : (uint32_t)TWIN_USERS_MAX;
    twin->jobs = xcalloc(twin->job_count, sizeof(*twin->jobs));
    delays_init(&twin->delays, twin->job_count);
    twin->free_job = NOBODY;
    twin->arrival_s = INFINITY;
    for (int i = 0; i < SERVERS_MAX; i++) {
        twin->servers[i].first = NOBODY;
    }
    for (uint32_t i = twin->job_count; i-- > 0;) {
        struct job *job = &twin->jobs[i];
        job->id = i;
        job->step = NOBODY;
        if (closed) {
            delays_add(&twin->delays, i, pause_s(twin, job, twin->model->think_s));
        } else {
            job->next = twin->free_job;
            twin->free_job = i;
        }
    }
    if (!closed && twin->model->rate_s > 0) {
        twin->arrival_s = 0;
    }
}

/* ---- events ---- */

/* The busy server that is ready first, and how much work it still has; INFINITY = none is busy. */
static uint32_t first_ready(const struct twin *twin, double *ret_left_s)
{
    uint32_t found = 0;
    *ret_left_s = INFINITY;
    for (uint32_t i = 0; i < twin->busy_count; i++) {
        const struct server *server = &twin->servers[twin->busy[i]];
        double left_s = (twin->jobs[server->first].ready - server->progress) * server->sharers;
        if (left_s < *ret_left_s) {
            *ret_left_s = left_s;
            found = i;
        }
    }
    return found;
}

static void advance(struct twin *twin)
{
    double left_s = 0;
    uint32_t ready = first_ready(twin, &left_s);
    /* With fewer processors than busy workers each of them gets its share. */
    double speed = fmin(1, twin->model->cores / twin->busy_count);
    double ready_s = twin->now_s + left_s / speed;
    double due_s = delays_first_s(&twin->delays);
    double next_s = fmin(ready_s, fmin(due_s, twin->arrival_s));
    double worked_s = (next_s - twin->now_s) * speed;
    for (uint32_t i = 0; i < twin->busy_count; i++) {
        struct server *server = &twin->servers[twin->busy[i]];
        server->progress += worked_s / server->sharers;
    }
    twin->now_s = next_s;
    if (ready_s <= next_s) {
        end_service(twin, ready);
    } else if (due_s <= next_s) {
        uint32_t number = delays_pop(&twin->delays);
        if (twin->jobs[number].step == NOBODY) {
            begin_run(twin, &twin->jobs[number]);
        }
        proceed(twin, number);
    } else {
        arrive(twin);
    }
}

/* Not worth going on, or nobody waits. */
static bool is_cut(const struct twin *twin)
{
    const struct twin_effort *effort = twin->effort;
    bool looks = effort->stop && twin->events % STOP_EVENTS == 0;
    return (effort->events_max > 0 && (double)twin->events >= effort->events_max) ||
           (looks && atomic_load_explicit(effort->stop, memory_order_relaxed));
}

static bool is_over(const struct twin *twin)
{
    const struct twin_effort *effort = twin->effort;
    if (twin->done < effort->warmup_runs) {
        return twin->overloaded;
    }
    return twin->overloaded || twin->result->runs >= effort->runs ||
           (twin->now_s - twin->counted_from_s >= effort->time_max_s && twin->result->runs > 0);
}

static void finish(struct twin *twin)
{
    struct twin_result *result = twin->result;
    result->span_s = twin->now_s - twin->counted_from_s;
    result->latency_s =
        twin->overloaded || result->runs <= 0 ? INFINITY : result->latency_s / result->runs;
    for (size_t i = 0; i < twin->model->problem->walker_count; i++) {
        result->walker_s[i] /= fmax(result->walker_runs[i], 1);
    }
    for (size_t i = 0; i < twin->model->problem->module_count; i++) {
        result->wait_s[i] /= fmax(result->calls[i], 1);
        result->exec_s[i] /= fmax(result->calls[i], 1);
        result->hop_s[i] /= fmax(result->calls[i], 1);
    }
}

void twin_run(const struct twin_model *model, placement_t placement,
              const struct twin_effort *effort, struct twin_result *ret_result)
{
    assert(effort->runs <= TWIN_RUNS_MAX && effort->warmup_runs <= TWIN_RUNS_MAX);
    struct twin twin = {.model = model, .effort = effort, .result = ret_result};
    *ret_result = (struct twin_result){.latency_s = 0};
    if (model->problem->walker_count == 0 || (model->users < 1 && !(model->rate_s > 0))) {
        return;
    }
    steps_make(model, placement, &twin.steps);
    begin_load(&twin);
    /* A request is at least one event, so this ends. */
    while (!is_over(&twin) && !(ret_result->cut = is_cut(&twin))) {
        advance(&twin);
        twin.events++;
    }
    finish(&twin);
    steps_done(&twin.steps);
    free(twin.jobs);
    delays_done(&twin.delays);
}
