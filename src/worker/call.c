/* The loader stays entered from one job to the next while calls are short and more of them wait:
 * with another thread interested in the interpreter, each entry may cost a whole switch interval.
 * Otherwise it is left before the answer is written.
 *
 * An answer's memory is the loader's, too, and may only be given back inside. A small one is kept
 * until the next entry, which saves one. */
#include "worker/call.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/server.h"
#include "worker/origin.h"
#include "worker/registry.h"

#define STAY_NS    100000 /* a longer call leaves the loader before its answer is written */
#define HOLD_BYTES 65536  /* a larger answer is released at once */
#define TIMING_MAX 96     /* bytes of the Server-Timing line */
#define WALKER_MAX (STATS_NAME_MAX + 40) /* bytes of the X-Jsorc-Walker line */
#define OWN_LINES  (TIMING_MAX + WALKER_MAX)

static void enter(const struct worker_loader *loader)
{
    if (loader->enter) {
        loader->enter(loader->arg);
    }
}

static void leave(const struct worker_loader *loader)
{
    if (loader->leave) {
        loader->leave(loader->arg);
    }
}

static void release(struct worker_answer *answer)
{
    if (answer->release) {
        answer->release(answer->owner);
        answer->release = NULL;
    }
}

/* Not at the thread's start: it may have to wait for the interpreter, and a thread that only
 * attends to the loop must not depend on user code that hangs. */
static void begin(const struct call_rules *rules, struct call_state *state)
{
    for (size_t i = 0; rules->loaders[i] && !state->begun; i++) {
        if (rules->loaders[i]->thread_begin) {
            rules->loaders[i]->thread_begin(rules->loaders[i]->arg);
        }
    }
    state->begun = true;
}

void call_thread_end(const struct call_rules *rules, struct call_state *state)
{
    call_rest(state);
    if (state->held_loader) {
        enter(state->held_loader);
        release(&state->held);
        leave(state->held_loader);
        state->held_loader = NULL;
    }
    for (size_t i = 0; rules->loaders[i] && state->begun; i++) {
        if (rules->loaders[i]->thread_end) {
            rules->loaders[i]->thread_end(rules->loaders[i]->arg);
        }
    }
}

void call_rest(struct call_state *state)
{
    if (state->entered) {
        leave(state->entered);
        state->entered = NULL;
    }
}

/* The watch thread looks at who waits here: more threads at the same door help nobody. */
static void enter_watched(struct call_state *state, const struct worker_loader *loader)
{
    if (!loader->enter) {
        return;
    }
    atomic_store_explicit(&state->entering, true, memory_order_relaxed);
    if (state->entering_count) {
        (void)atomic_fetch_add_explicit(state->entering_count, 1, memory_order_relaxed);
    }
    loader->enter(loader->arg);
    if (state->entering_count) {
        (void)atomic_fetch_sub_explicit(state->entering_count, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&state->entering, false, memory_order_relaxed);
}

static void be_inside(struct call_state *state, const struct worker_loader *loader)
{
    if (state->held_loader && state->held_loader != loader) {
        call_rest(state);
        enter(state->held_loader);
        release(&state->held);
        leave(state->held_loader);
        state->held_loader = NULL;
    }
    if (state->entered != loader) {
        call_rest(state);
        enter_watched(state, loader);
        state->entered = loader;
    }
    if (state->held_loader) {
        release(&state->held);
        state->held_loader = NULL;
    }
}

void call_execute(const struct call_rules *rules, const struct job *job,
                  struct worker_answer *answer)
{
    *answer = (struct worker_answer){.status = 200, .content_type = "application/json"};
    uint64_t start_ns = clock_now_ns();
    struct origin origin;
    origin_begin(&origin, job->input.request);
    origin.action = job->action ? slice_str(job->action->name) : (struct slice){0};
    job->call(job->arg, &job->input, answer);
    origin_end(&origin);
    if (answer->exec_ns == 0) {
        answer->exec_ns = clock_now_ns() - start_ns;
    }
    answer->nested_ns = origin.nested_ns < answer->exec_ns ? origin.nested_ns : answer->exec_ns;
    if (answer->status < 200 || answer->status > 599) {
        release(answer);
        worker_answer_error(answer, 500, "status", "the action answered with an impossible status");
    }
    if (answer->body.size > rules->result_bytes_max) {
        char text[160];
        (void)snprintf(text, sizeof(text),
                       "the result has %zu bytes, allowed are %zu: return less, or page it",
                       answer->body.size, rules->result_bytes_max);
        release(answer);
        worker_answer_error(answer, 500, "result_too_large", text);
    }
    if (job->action) {
        worker_stat_add(&job->action->stat, answer->exec_ns,
                        answer->failed || call_status_failed(answer->status));
    }
}

static size_t put(char *at, const char *text)
{
    size_t size = strlen(text);
    memcpy(at, text, size);
    return size;
}

static size_t put_ms(char *at, uint64_t ns)
{
    char digits[24];
    size_t count = 0, size = 0;
    do {
        digits[count++] = (char)('0' + ns % 10);
        ns /= 10;
        if (count == 6) {
            digits[count++] = '.';
        }
    } while (ns > 0 || count < 8);
    while (count > 0) {
        at[size++] = digits[--count];
    }
    return size;
}

/* "Server-Timing: exec;dur=12.345678, nested;dur=1.234567\r\n", times in ms, the second only where
 * there are nested calls; without printf, as each answer has it. */
static size_t put_timing(char *at, const struct worker_answer *answer)
{
    size_t size = put(at, "Server-Timing: exec;dur=");
    size += put_ms(at + size, answer->exec_ns);
    if (answer->nested_ns > 0) {
        size += put(at + size, ", nested;dur=");
        size += put_ms(at + size, answer->nested_ns);
    }
    return size + put(at + size, "\r\n");
}

/* "X-Jsorc-Walker: NAME\r\n": whoever sent the request cannot always know which walker ran, nor
 * that it failed; a failure whose status is good is told without a name, too. */
static size_t put_walker(char *at, const struct worker_answer *answer)
{
    bool hidden = answer->failed && !call_status_failed(answer->status);
    if ((answer->walker.size == 0 && !hidden) || answer->walker.size > STATS_NAME_MAX) {
        return 0;
    }
    return (size_t)snprintf(at, WALKER_MAX, "X-Jsorc-Walker: %.*s%s\r\n", (int)answer->walker.size,
                            answer->walker.size ? answer->walker.data : "",
                            answer->failed ? "; failed" : "");
}

static void respond(const struct job *job, const struct worker_answer *answer)
{
    char buffer[512];
    CLEANUP(str_free) char *allocated = NULL;
    char *lines = buffer;
    if (answer->headers.size > sizeof(buffer) - OWN_LINES) {
        lines = allocated = xcalloc(1, OWN_LINES + answer->headers.size);
    }
    size_t size = put_timing(lines, answer);
    size += put_walker(lines + size, answer);
    if (answer->headers.size > 0) {
        memcpy(lines + size, answer->headers.data, answer->headers.size);
        size += answer->headers.size;
    }
    http_respond(job->input.request, &(struct http_response){
                                         .status = answer->status,
                                         .content_type = answer->content_type,
                                         .headers = {lines, size},
                                         .body = answer->body,
                                     });
}

void call_run(const struct call_rules *rules, struct call_state *state, const struct job *job,
              bool more)
{
    struct worker_answer answer;
    begin(rules, state);
    be_inside(state, job->loader);
    call_execute(rules, job, &answer);
    if (rules->verbose) {
        struct slice id = http_request_id(job->input.request);
        log_info("call", "action=%.*s status=%d exec_ms=%.3f bytes=%zu request_id=%.*s",
                 (int)job->input.name.size, job->input.name.data, answer.status,
                 (double)answer.exec_ns / 1e6, answer.body.size, (int)id.size,
                 id.size > 0 ? id.data : "");
    }
    bool stay = (more && answer.exec_ns < STAY_NS) || !job->loader->leave;
    if (stay) {
        respond(job, &answer);
        release(&answer);
        return;
    }
    call_rest(state);
    respond(job, &answer);
    if (answer.body.size > HOLD_BYTES) {
        be_inside(state, job->loader);
        release(&answer);
        call_rest(state);
    } else if (answer.release) {
        state->held = answer;
        state->held_loader = job->loader;
    }
}
