#include "policy/policy_json.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"

#define INTEGER_MAX 9e18 /* of 64 bits; beyond it 17 digits need an exponent */

struct json_object *policy_number(double number)
{
    if (!isfinite(number)) {
        return NULL;
    }
    /* Its digits alone would be read as an integer, so it is one. */
    if (fabs(number) < INTEGER_MAX && number == (double)(int64_t)number) {
        return json_object_new_int64((int64_t)number);
    }
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    return json_object_new_double_s(number, text);
}

void policy_set_number(struct json_object *object, const char *name, double number)
{
    if (isfinite(number)) {
        json_set(object, name, policy_number(number));
    }
}

struct json_object *policy_placement_write(placement_t placement,
                                           const struct policy_problem *problem)
{
    struct json_object *object = json_object_new_object();
    for (size_t i = 0; i < problem->module_count; i++) {
        json_set_str(object, problem->modules[i].name,
                     place_name(placement_local(placement, i) ? PLACE_MODULE : PLACE_REMOTE));
    }
    return object;
}

struct json_object *policy_answer_write(const struct policy_answer *answer,
                                        const struct policy_problem *problem)
{
    struct json_object *object = json_object_new_object();
    json_set(object, "placement", policy_placement_write(answer->placement, problem));
    json_set_bool(object, "done", answer->done);
    policy_set_number(object, "phase_s", answer->phase_s);
    json_set_str(object, "why", answer->why);
    json_set(object, "reason", json_ref(answer->reason));
    return object;
}

static int line_problem(struct policy_talk *talk, struct json_object *object, struct err *err)
{
    struct policy_problem problem = {0};
    int failed = policy_problem_read(object, &problem, err);
    if (failed) {
        return failed;
    }
    problem.stop = talk->stop;
    if (talk->policy) {
        policy_change(talk->policy, &problem);
    } else {
        failed = policy_new(talk->name, &problem, talk->params, talk->seed, &talk->policy, err);
    }
    policy_problem_done(&problem);
    return failed;
}

static int line_measurement(struct policy_talk *talk, struct json_object *object, struct err *err)
{
    struct policy_measurement seen;
    if (!talk->policy) {
        return err_set(
            err, EINVAL,
            "no 'modules': the first line must be the problem, such as {\"modules\": "
            "[{\"name\": \"a\"}], \"walkers\": [{\"name\": \"w\", \"calls\": [\"a\"]}]}");
    }
    int failed = policy_measurement_read(object, policy_problem(talk->policy), &seen, err);
    if (!failed) {
        policy_heed(talk->policy, talk->stop);
        policy_tell(talk->policy, &seen);
        policy_measurement_done(&seen);
    }
    return failed;
}

int policy_talk_line(struct policy_talk *talk, struct slice line, struct json_object **ret_answer,
                     struct err *err)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    if (line.size > POLICY_LINE_MAX) {
        return err_set(err, E2BIG, "%zu bytes; a line has at most %d", line.size, POLICY_LINE_MAX);
    }
    int failed = json_parse(line, &object, err);
    if (failed) {
        return failed;
    }
    if (!json_object_is_type(object, json_type_object)) {
        return err_set(err, EINVAL, "not an object: {...}");
    }
    failed = json_object_object_get_ex(object, "modules", NULL)
                 ? line_problem(talk, object, err)
                 : line_measurement(talk, object, err);
    if (failed) {
        return failed;
    }
    struct policy_answer answer;
    policy_ask(talk->policy, &answer);
    *ret_answer = policy_answer_write(&answer, policy_problem(talk->policy));
    return 0;
}

void policy_talk_done(struct policy_talk *talk)
{
    talk->policy = policy_free(talk->policy);
}
