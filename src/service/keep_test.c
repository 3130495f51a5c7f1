#include "service/keep.h"

#include "base/test.h"

static const struct keep_rules rules = {.interval_ms = 10000, .start_timeout_ms = 60000};

#define NOW    1000000
#define NEVER  UINT64_MAX
#define RANDOM 0 /* the shortest pause: half of the whole one */

/* ---- what to do: a row a situation ---- */

static const struct decide_row {
    const char *what;
    struct keep keep;
    struct keep_wish wish;
    enum keep_step step;
    uint64_t wake_ms;
} decide_rows[] = {
    {"nobody wants it", {.state = SERVICE_NOT_STARTED}, {.server = SERVER_NONE}, KEEP_WAIT, NEVER},
    {"wanted",
     {.state = SERVICE_NOT_STARTED},
     {.wanted = true, .needs_met = true},
     KEEP_START,
     NEVER},
    {"wanted, but what it needs does not run",
     {.state = SERVICE_NOT_STARTED},
     {.wanted = true},
     KEEP_WAIT,
     NEVER},
    {"its start is being prepared",
     {.state = SERVICE_STARTED, .busy = true},
     {.wanted = true, .needs_met = true},
     KEEP_WAIT,
     NEVER},
    {"just started",
     {.state = SERVICE_STARTED, .since_ms = NOW, .next_ms = NOW},
     {.wanted = true, .needs_met = true, .server = SERVER_RUNS},
     KEEP_CHECK,
     NOW + 60000},
    {"started, and asked a moment ago",
     {.state = SERVICE_STARTED, .since_ms = NOW - 100, .next_ms = NOW + 100},
     {.wanted = true, .needs_met = true, .server = SERVER_RUNS},
     KEEP_WAIT,
     NOW + 100},
    {"started, and no answer for too long",
     {.state = SERVICE_STARTED, .since_ms = NOW - 60000, .next_ms = NOW},
     {.wanted = true, .needs_met = true, .server = SERVER_RUNS},
     KEEP_GIVE_UP,
     NEVER},
    {"runs, the next check is to come",
     {.state = SERVICE_RUNNING, .next_ms = NOW + 5},
     {.wanted = true, .needs_met = true, .server = SERVER_RUNS},
     KEEP_WAIT,
     NOW + 5},
    {"runs, and a check is due",
     {.state = SERVICE_RUNNING, .next_ms = NOW},
     {.wanted = true, .needs_met = true, .server = SERVER_RUNS},
     KEEP_CHECK,
     NEVER},
    {"what it needs has gone: it is not ended for that",
     {.state = SERVICE_RUNNING, .next_ms = NOW},
     {.wanted = true, .server = SERVER_RUNS},
     KEEP_CHECK,
     NEVER},
    {"one miss",
     {.state = SERVICE_RUNNING, .misses = 1, .next_ms = NOW},
     {.wanted = true, .server = SERVER_RUNS},
     KEEP_CHECK,
     NEVER},
    {"two misses",
     {.state = SERVICE_RUNNING, .misses = 2, .next_ms = NOW + 5},
     {.wanted = true, .server = SERVER_RUNS},
     KEEP_GIVE_UP,
     NEVER},
    {"two misses of pods",
     {.state = SERVICE_RUNNING, .misses = 2},
     {.wanted = true, .server = SERVER_CLUSTER},
     KEEP_GIVE_UP,
     NEVER},
    {"pods that failed are asked again, for the cluster makes them anew",
     {.state = SERVICE_FAILED, .misses = 2, .next_ms = NOW},
     {.wanted = true, .needs_met = true, .server = SERVER_CLUSTER},
     KEEP_CHECK,
     NEVER},
    {"pods of a config that never ran",
     {.state = SERVICE_FAILED, .next_ms = NOW + 5},
     {.wanted = true, .on_trial = true, .server = SERVER_CLUSTER},
     KEEP_REVERT,
     NEVER},
    {"pods that are to be made anew: their objects are applied again",
     {.state = SERVICE_RESTART, .next_ms = NOW},
     {.wanted = true, .needs_met = true, .server = SERVER_CLUSTER},
     KEEP_START,
     NEVER},
    {"pods that nobody wants any more",
     {.state = SERVICE_RUNNING, .next_ms = NOW + 5},
     {.server = SERVER_CLUSTER},
     KEEP_END,
     NEVER},
    {"two misses of somebody else's server",
     {.state = SERVICE_RUNNING, .misses = 2},
     {.wanted = true, .server = SERVER_FOREIGN},
     KEEP_GIVE_UP,
     NEVER},
    {"given up, and not ended yet",
     {.state = SERVICE_FAILED},
     {.wanted = true, .repaired = true, .needs_met = true, .server = SERVER_ENDING},
     KEEP_WAIT,
     NEVER},
    {"failed, and kept alive: before its pause is over",
     {.state = SERVICE_FAILED, .failures = 3, .next_ms = NOW + 7},
     {.wanted = true, .repaired = true, .needs_met = true},
     KEEP_WAIT,
     NOW + 7},
    {"failed, and kept alive: after it",
     {.state = SERVICE_FAILED, .failures = 3, .next_ms = NOW},
     {.wanted = true, .repaired = true, .needs_met = true},
     KEEP_START,
     NEVER},
    {"failed, and nobody keeps it alive",
     {.state = SERVICE_FAILED, .failures = 1, .next_ms = NOW},
     {.wanted = true, .needs_met = true},
     KEEP_WAIT,
     NEVER},
    {"somebody else's server is asked again, whoever keeps it alive",
     {.state = SERVICE_FAILED, .failures = 1, .next_ms = NOW},
     {.wanted = true, .needs_met = true, .server = SERVER_FOREIGN},
     KEEP_START,
     NEVER},
    {"failed with a config that never ran",
     {.state = SERVICE_FAILED, .failures = 1, .next_ms = NOW + 7},
     {.wanted = true, .on_trial = true, .needs_met = true},
     KEEP_REVERT,
     NEVER},
    {"answers that its disk is full: asked again, not ended",
     {.state = SERVICE_FAILED, .next_ms = NOW},
     {.wanted = true, .repaired = true, .needs_met = true, .server = SERVER_RUNS},
     KEEP_CHECK,
     NEVER},
    {"answered that its disk is full, then no more",
     {.state = SERVICE_FAILED, .misses = 2, .next_ms = NOW},
     {.wanted = true, .repaired = true, .needs_met = true, .server = SERVER_RUNS},
     KEEP_GIVE_UP,
     NEVER},
    {"to be started anew, and runs",
     {.state = SERVICE_RESTART, .next_ms = NOW},
     {.wanted = true, .needs_met = true, .server = SERVER_RUNS},
     KEEP_END,
     NEVER},
    {"to be started anew, and has ended",
     {.state = SERVICE_RESTART, .next_ms = NOW},
     {.wanted = true, .needs_met = true},
     KEEP_START,
     NEVER},
    {"no longer wanted, and runs",
     {.state = SERVICE_RUNNING},
     {.server = SERVER_RUNS},
     KEEP_END,
     NEVER},
    {"no longer wanted, and is ending",
     {.state = SERVICE_RUNNING},
     {.server = SERVER_ENDING},
     KEEP_WAIT,
     NEVER},
    {"no longer wanted, and has ended",
     {.state = SERVICE_FAILED},
     {.server = SERVER_NONE},
     KEEP_END,
     NEVER},
};

static void does_what_the_situation_asks_for(void)
{
    for (size_t i = 0; i < sizeof(decide_rows) / sizeof(decide_rows[0]); i++) {
        const struct decide_row *row = &decide_rows[i];
        uint64_t wake_ms = 0;
        enum keep_step step = keep_decide(&row->keep, &row->wish, &rules, NOW, &wake_ms);
        if (step != row->step || (step == KEEP_WAIT && wake_ms != row->wake_ms)) {
            printf("# %s: step %d, look again at %llu\n", row->what, (int)step,
                   (unsigned long long)wake_ms);
        }
        EXPECT_INT(step, row->step);
        if (step == KEEP_WAIT) {
            EXPECT(wake_ms == row->wake_ms);
        }
    }
}

/* ---- what an answer makes of it ---- */

static const struct check_row {
    const char *what;
    enum service_state state;
    enum keep_server server;
    enum check_outcome outcome;
    enum service_state then;
    uint64_t next_ms; /* from now */
} check_rows[] = {
    {"the first good answer", SERVICE_STARTED, SERVER_RUNS, CHECK_GOOD, SERVICE_RUNNING, 10000},
    {"not open yet", SERVICE_STARTED, SERVER_RUNS, CHECK_MISSED, SERVICE_STARTED, 250},
    {"reads its data", SERVICE_STARTED, SERVER_RUNS, CHECK_BUSY, SERVICE_STARTED, 250},
    {"no pod is ready yet", SERVICE_STARTED, SERVER_CLUSTER, CHECK_MISSED, SERVICE_STARTED, 250},
    {"somebody else's server is not there", SERVICE_STARTED, SERVER_FOREIGN, CHECK_MISSED,
     SERVICE_FAILED, 0},
    {"still well", SERVICE_RUNNING, SERVER_RUNS, CHECK_GOOD, SERVICE_RUNNING, 10000},
    {"a miss is looked at again soon", SERVICE_RUNNING, SERVER_RUNS, CHECK_MISSED, SERVICE_RUNNING,
     5000},
    {"its disk is full", SERVICE_RUNNING, SERVER_RUNS, CHECK_SICK, SERVICE_FAILED, 10000},
    {"its disk has room again", SERVICE_FAILED, SERVER_RUNS, CHECK_GOOD, SERVICE_RUNNING, 10000},
    {"whatever it answers, it is to be started anew", SERVICE_RESTART, SERVER_RUNS, CHECK_GOOD,
     SERVICE_RESTART, 0},
};

static void an_answer_changes_the_state(void)
{
    for (size_t i = 0; i < sizeof(check_rows) / sizeof(check_rows[0]); i++) {
        const struct check_row *row = &check_rows[i];
        struct keep keep = {.state = row->state, .since_ms = NOW, .next_ms = NOW};
        struct keep_wish wish = {.wanted = true, .server = row->server};
        keep_checked(&keep, row->outcome, &wish, &rules, NOW, RANDOM);
        if (keep.state != row->then || keep.next_ms != NOW + row->next_ms) {
            printf("# %s\n", row->what);
        }
        EXPECT_INT(keep.state, row->then);
        EXPECT_INT(keep.next_ms, NOW + row->next_ms);
    }
}

static void reading_data_takes_as_long_as_it_takes(void)
{
    struct keep keep = {0};
    struct keep_wish wish = {.wanted = true, .needs_met = true, .server = SERVER_RUNS};
    uint64_t wake_ms, now_ms = NOW;
    keep_started(&keep, now_ms);
    for (int i = 0; i < 10; i++) {
        now_ms += rules.start_timeout_ms - 1;
        EXPECT_INT(keep_decide(&keep, &wish, &rules, now_ms, &wake_ms), KEEP_CHECK);
        keep_checked(&keep, CHECK_BUSY, &wish, &rules, now_ms, RANDOM);
    }
    EXPECT_INT(keep.state, SERVICE_STARTED);
}

/* ---- pauses ---- */

static void pauses_grow_to_a_bound_and_vary(void)
{
    struct keep keep = {0};
    static const uint64_t whole_s[] = {0, 10, 20, 40, 80, 300, 300};
    for (size_t i = 0; i < sizeof(whole_s) / sizeof(whole_s[0]); i++) {
        struct keep other = keep;
        keep_started(&keep, NOW);
        keep_failed(&keep, &rules, NOW, 0);
        EXPECT_INT(keep.state, SERVICE_FAILED);
        EXPECT_INT(keep.next_ms - NOW, whole_s[i] * 500);
        keep_failed(&other, &rules, NOW, whole_s[i] * 500);
        EXPECT_INT(other.next_ms - NOW, whole_s[i] * 1000);
        EXPECT_INT(keep_is_quarantined(&keep), i + 1 >= KEEP_FAILURES_MAX);
    }
    keep_restart(&keep, NOW); /* a person's refresh */
    EXPECT(!keep_is_quarantined(&keep));
    EXPECT_INT(keep.next_ms, NOW);
}

static void only_a_stable_run_ends_a_row_of_failures(void)
{
    struct keep keep = {0};
    struct keep_wish wish = {.wanted = true, .server = SERVER_RUNS};
    uint64_t now_ms = NOW;
    keep_failed(&keep, &rules, now_ms, RANDOM);
    keep_started(&keep, now_ms);
    keep_checked(&keep, CHECK_GOOD, &wish, &rules, now_ms, RANDOM);
    EXPECT_INT(keep.failures, 1);
    keep_checked(&keep, CHECK_GOOD, &wish, &rules, now_ms + 29999, RANDOM);
    EXPECT_INT(keep.failures, 1);
    keep_checked(&keep, CHECK_GOOD, &wish, &rules, now_ms + 30000, RANDOM);
    EXPECT_INT(keep.failures, 0);
}

static void an_end_on_the_way_to_a_new_start_is_no_failure_state(void)
{
    struct keep keep = {.state = SERVICE_RUNNING};
    keep_restart(&keep, NOW);
    keep_failed(&keep, &rules, NOW, RANDOM);
    EXPECT_INT(keep.state, SERVICE_RESTART);
    EXPECT_INT(keep.next_ms, NOW);
    keep_ended(&keep, NOW);
    EXPECT_INT(keep.state, SERVICE_NOT_STARTED);
}

static void states_have_the_originals_names_and_numbers(void)
{
    static const char *const names[] = {"RESTART", "FAILED", "NOT_STARTED", "STARTED", "RUNNING"};
    for (int state = -2; state <= 2; state++) {
        EXPECT_STR(service_state_name((enum service_state)state), names[state + 2]);
    }
}

TEST_MAIN(does_what_the_situation_asks_for, an_answer_changes_the_state,
          reading_data_takes_as_long_as_it_takes, pauses_grow_to_a_bound_and_vary,
          only_a_stable_run_ends_a_row_of_failures,
          an_end_on_the_way_to_a_new_start_is_no_failure_state,
          states_have_the_originals_names_and_numbers)
