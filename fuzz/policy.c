/* The lines of `jsorc policy advise`, a conversation in each input. What is refused says why; what
 * is answered is a placement that is allowed, and its figures read back as they were. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "policy/policy_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINES_MAX   8 /* a line may cost 0.1 s of simulation */
#define MODULES_MAX 8 /* and more with more modules */

static void check_answer(const struct policy_talk *talk, struct json_object *answer)
{
    CLEANUP(json_put) struct json_object *again = NULL;
    struct policy_answer asked;
    policy_ask(talk->policy, &asked);
    if (!policy_feasible(policy_problem(talk->policy), asked.placement)) {
        abort();
    }
    if (json_parse(slice_str(json_text(answer)), &again, NULL) < 0 ||
        !json_object_equal(answer, again)) {
        abort();
    }
}

/* Problems that only take long are left out. */
static bool is_small(struct slice line)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    struct policy_problem problem;
    if (json_parse(line, &object, NULL) < 0 || policy_problem_read(object, &problem, NULL) < 0) {
        return true;
    }
    bool small = problem.module_count <= MODULES_MAX && !(problem.users > 64);
    policy_problem_done(&problem);
    return small;
}

static void converse(const char *policy, struct slice text)
{
    struct policy_talk talk = {.name = policy, .seed = 1};
    for (int i = 0; i < LINES_MAX && text.size > 0; i++) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t length = end ? (size_t)(end - text.data) : text.size;
        struct slice line = {text.data, length};
        CLEANUP(json_put) struct json_object *answer = NULL;
        struct err err = {0};
        if (!is_small(line)) {
            break;
        }
        if (policy_talk_line(&talk, line, &answer, &err) == 0) {
            check_answer(&talk, answer);
        } else if (answer || !err.text[0]) {
            abort();
        }
        text = slice_from(text, length + 1);
    }
    policy_talk_done(&talk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const policies[] = {"adaptive", "evaluation", "default"};
    if (size > 0) {
        converse(policies[data[0] % 3], (struct slice){(const char *)data + 1, size - 1});
    }
    return 0;
}
