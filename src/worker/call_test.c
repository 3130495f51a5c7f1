#include "worker/call.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/test.h"
#include "http/server.h"
#include "worker/registry.h"

/* What happened, a letter each: B thread_begin, E enter, c call, L leave, W write, R release,
 * X thread_end. */
static char events[64];
static int written_status;
static char written_headers[256];

static void note(char letter)
{
    size_t size = strlen(events);
    if (size + 1 < sizeof(events)) {
        events[size] = letter;
        events[size + 1] = '\0';
    }
}

static void expect_events(const char *wanted)
{
    EXPECT_STR(events, wanted);
    events[0] = '\0';
}

/* In place of the server's. */
void http_respond(struct http_request *request, const struct http_response *response)
{
    (void)request;
    note('W');
    written_status = response->status;
    (void)snprintf(written_headers, sizeof(written_headers), "%.*s", (int)response->headers.size,
                   response->headers.data);
}

static void on_begin(void *arg)
{
    (void)arg;
    note('B');
}

static void on_end(void *arg)
{
    (void)arg;
    note('X');
}

static void on_enter(void *arg)
{
    (void)arg;
    note('E');
}

static void on_leave(void *arg)
{
    (void)arg;
    note('L');
}

static const struct worker_loader hooked = {
    .kind = "python",
    .thread_begin = on_begin,
    .thread_end = on_end,
    .enter = on_enter,
    .leave = on_leave,
};
static const struct worker_loader plain = {.kind = "native"};

static void on_release(void *owner)
{
    (void)owner;
    note('R');
}

static struct worker_answer next_answer; /* what the call leaves */

static void call(void *arg, const struct worker_call *input, struct worker_answer *answer)
{
    (void)arg;
    (void)input;
    note('c');
    int status = answer->status;
    const char *type = answer->content_type;
    *answer = next_answer;
    answer->status = next_answer.status ? next_answer.status : status;
    answer->content_type = type;
    answer->release = on_release;
}

static const struct call_rules rules = {.loaders = {&hooked, &plain}, .result_bytes_max = 100000};

static void run(struct call_state *state, const struct worker_loader *loader, bool more)
{
    struct job job = {.loader = loader, .call = call};
    call_run(&rules, state, &job, more);
}

static void stays_inside_while_short_calls_wait(void)
{
    struct call_state state = {0};
    next_answer = (struct worker_answer){.exec_ns = 1000};
    run(&state, &hooked, true);
    expect_events("BEcWR");
    run(&state, &hooked, true);
    expect_events("cWR");
    run(&state, &hooked, false); /* nobody waits: out before the answer, whose memory waits */
    expect_events("cLW");
    call_rest(&state);
    expect_events("");
    run(&state, &hooked, false);
    expect_events("ERcLW");
    call_thread_end(&rules, &state);
    expect_events("ERLX");
}

static void a_long_call_leaves_though_others_wait(void)
{
    struct call_state state = {0};
    next_answer = (struct worker_answer){.exec_ns = 5000000};
    run(&state, &hooked, true);
    expect_events("BEcLW");
    call_thread_end(&rules, &state);
    expect_events("ERLX");
}

static void rests_when_told(void)
{
    struct call_state state = {0};
    next_answer = (struct worker_answer){.exec_ns = 1000};
    run(&state, &hooked, true);
    call_rest(&state);
    expect_events("BEcWRL");
    call_thread_end(&rules, &state);
    expect_events("X");
}

static void a_large_answer_is_released_at_once(void)
{
    static const char body[70000];
    struct call_state state = {0};
    next_answer = (struct worker_answer){.exec_ns = 1000, .body = {body, sizeof(body)}};
    run(&state, &hooked, false);
    expect_events("BEcLWERL");
    call_thread_end(&rules, &state);
    expect_events("X");
}

static void changes_loaders_in_order(void)
{
    struct call_state state = {0};
    next_answer = (struct worker_answer){.exec_ns = 1000};
    run(&state, &hooked, false);
    expect_events("BEcLW");
    run(&state, &plain, false); /* the answer kept from before is the first one's */
    expect_events("ERLcWR");
    run(&state, &hooked, true);
    run(&state, &plain, true);
    expect_events("EcWRLcWR");
    call_thread_end(&rules, &state);
    expect_events("X");
}

static void counts_and_corrects_answers(void)
{
    struct worker_action action = {0};
    struct worker_answer answer;
    struct job job = {.loader = &plain, .call = call, .action = &action};

    next_answer = (struct worker_answer){.exec_ns = 700};
    call_execute(&rules, &job, &answer);
    EXPECT_INT(answer.status, 200);

    next_answer = (struct worker_answer){.exec_ns = 300, .status = 42};
    call_execute(&rules, &job, &answer);
    EXPECT_INT(answer.status, 500);
    EXPECT(memmem(answer.body.data, answer.body.size, "impossible status", 17));
    answer.release(answer.owner);

    next_answer = (struct worker_answer){.exec_ns = 1, .body = {events, 100001}};
    call_execute(&rules, &job, &answer);
    EXPECT_INT(answer.status, 500);
    EXPECT(memmem(answer.body.data, answer.body.size, "result_too_large", 16));
    answer.release(answer.owner);

    next_answer = (struct worker_answer){.exec_ns = 1, .failed = true};
    call_execute(&rules, &job, &answer);
    EXPECT_INT(answer.status, 200);

    EXPECT_INT(atomic_load(&action.stat.calls), 4);
    EXPECT_INT(atomic_load(&action.stat.errors), 3);
    EXPECT_INT(atomic_load(&action.stat.exec_ns), 1002);
    events[0] = '\0';
}

static void tells_the_execution_time(void)
{
    static const struct {
        uint64_t exec_ns;
        const char *wanted;
    } rows[] = {
        {1, "Server-Timing: exec;dur=0.000001\r\n"},
        {500, "Server-Timing: exec;dur=0.000500\r\n"},
        {12345678, "Server-Timing: exec;dur=12.345678\r\n"},
        {3600000000000, "Server-Timing: exec;dur=3600000.000000\r\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct call_state state = {0};
        next_answer = (struct worker_answer){.exec_ns = rows[i].exec_ns};
        run(&state, &plain, false);
        EXPECT_STR(written_headers, rows[i].wanted);
    }
    struct call_state state = {0};
    next_answer.headers = SLICE("X-More: 1\r\n");
    run(&state, &plain, false);
    EXPECT(strstr(written_headers, ".000000\r\nX-More: 1\r\n"));
    EXPECT_INT(written_status, 200);
    events[0] = '\0';
}

TEST_MAIN(stays_inside_while_short_calls_wait, a_long_call_leaves_though_others_wait,
          rests_when_told, a_large_answer_is_released_at_once, changes_loaders_in_order,
          counts_and_corrects_answers, tells_the_execution_time)
