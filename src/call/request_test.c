#include "action/target.h"
#include "base/test.h"
#include "call/caller_priv.h"
#include "call/outcome.h"

static void reads_the_execution_time_of_a_worker(void)
{
    EXPECT_INT(call_exec_ns(SLICE("exec;dur=1.5")), 1500000);
    EXPECT_INT(call_exec_ns(SLICE("exec;dur=0.004")), 4000);
    EXPECT_INT(call_exec_ns(SLICE("exec;dur=12.345678901")), 12345678);
    EXPECT_INT(call_exec_ns(SLICE("exec;dur=3, db;dur=2")), 3000000);
    EXPECT_INT(call_nested_ns(SLICE("exec;dur=3, nested;dur=2.5")), 2500000);
    EXPECT_INT(call_nested_ns(SLICE("exec;dur=3, nested;dur=9")), 3000000);
    EXPECT_INT(call_nested_ns(SLICE("exec;dur=3, db;dur=2")), 0);
    EXPECT_INT(call_nested_ns(SLICE("exec;dur=3")), 0);
    static const char *const rows[] = {"",           "exec",     "exec;dur=",      "exec;dur=-1",
                                       "exec;dur=x", "db;dur=3", "exec;dur=1e300", "exec;dur=nan"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(call_exec_ns(slice_str(rows[i])), 0);
    }
}

static void names_the_action_in_each_outcome(void)
{
    char detail[CALL_DETAIL_MAX];
    for (int outcome = 0; outcome < CALL_OUTCOMES; outcome++) {
        call_outcome_detail((enum call_outcome)outcome, "text.split", "because", detail);
        EXPECT(strstr(detail, "'text.split'") != NULL);
        EXPECT(strstr(detail, ": because") != NULL);
        EXPECT(call_outcome_row((enum call_outcome)outcome)->status >= 400);
    }
    call_outcome_detail(CALL_LOST, "a.b", NULL, detail);
    EXPECT(strstr(detail, "null") == NULL);
}

static bool sent_again(struct target *target, int status)
{
    struct call call = {.name = "text.split"};
    return call_redirect(&call, target, &(struct http_reply){.status = status});
}

/* An action of another server may answer 404 itself: it must not be executed twice for that. */
static void tries_another_path_only_until_the_first_one_served(void)
{
    struct target *target = target_new_server(1, &(struct sockaddr){.sa_family = AF_UNIX},
                                              sizeof(struct sockaddr), "h", "", NULL);
    EXPECT(sent_again(target, 404));
    EXPECT(sent_again(target, 405));
    EXPECT(!sent_again(target, 500));
    EXPECT(sent_again(target, 404)); /* an error tells nothing of the path */
    EXPECT(!sent_again(target, 200));
    EXPECT(!sent_again(target, 404));
    target_unref(target);
}

TEST_MAIN(tries_another_path_only_until_the_first_one_served, reads_the_execution_time_of_a_worker,
          names_the_action_in_each_outcome)
