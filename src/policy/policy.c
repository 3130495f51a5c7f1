#include "policy/policy.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "policy/policies.h"

/* All policies. One row ends one file. */
const struct policy_ops *const POLICY_TABLE[] = {
    &POLICY_DEFAULT,
    &POLICY_EVALUATION,
    &POLICY_ADAPTIVE,
    NULL,
};

struct policy {
    const struct policy_ops *ops;
    struct policy_problem problem; /* owned */
    double params[POLICY_PARAMS_MAX];
    uint64_t seed;
    void *state; /* owned; of ops */
};

const struct policy_ops *policy_find(const char *name)
{
    for (size_t i = 0; name && POLICY_TABLE[i]; i++) {
        if (strcasecmp(POLICY_TABLE[i]->name, name) == 0) {
            return POLICY_TABLE[i];
        }
    }
    return NULL;
}

/* "'a', 'b', 'c'", owned by the caller. */
static char *names_of(const struct policy_ops *ops)
{
    struct buf text = {0};
    for (size_t i = 0; ops ? ops->params[i].name != NULL : POLICY_TABLE[i] != NULL; i++) {
        const char *name = ops ? ops->params[i].name : POLICY_TABLE[i]->name;
        buf_printf(&text, "%s'%s'", i ? ", " : "", name);
    }
    char *names = xstrndup(text.data ? text.data + text.start : "", buf_size(&text));
    buf_done(&text);
    return names;
}

/* The original's programs send the parameters of `evaluation` with the policy Default, too. */
static bool is_of_another(const struct policy *policy, const char *name)
{
    const struct policy_param *rows = POLICY_EVALUATION.params;
    for (size_t i = 0; policy->ops == &POLICY_DEFAULT && rows[i].name; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int set_param(struct policy *policy, const char *name, struct json_object *value,
                     struct err *err)
{
    const struct policy_param *rows = policy->ops->params;
    for (size_t i = 0; rows[i].name; i++) {
        if (strcmp(rows[i].name, name) != 0) {
            continue;
        }
        if (!json_object_is_type(value, json_type_int) &&
            !json_object_is_type(value, json_type_double)) {
            return err_set(err, EINVAL, "parameter '%s' must be a number", name);
        }
        double number = json_object_get_double(value);
        if (!(number >= rows[i].min && number <= rows[i].max)) {
            return err_set(err, EINVAL, "parameter '%s' is %g, but goes from %g to %g", name,
                           number, rows[i].min, rows[i].max);
        }
        policy->params[i] = number;
        return 0;
    }
    if (is_of_another(policy, name)) {
        return 0;
    }
    CLEANUP(str_free) char *names = names_of(policy->ops);
    /* The phases of another policy are asked for, mostly the original's. */
    const char *hint = strstr(name, "phase") ? "; how long a placement is held is no parameter but "
                                               "the daemon's setting policy_phase_s"
                                             : "";
    return *names ? err_set(err, EINVAL, "policy '%s' has no parameter '%s'; it has %s%s",
                            policy->ops->name, name, names, hint)
                  : err_set(err, EINVAL, "policy '%s' has no parameters, so no '%s'",
                            policy->ops->name, name);
}

static int set_params(struct policy *policy, struct json_object *params, struct err *err)
{
    const struct policy_param *rows = policy->ops->params;
    for (size_t i = 0; rows[i].name; i++) {
        assert(i < POLICY_PARAMS_MAX);
        policy->params[i] = rows[i].fallback;
    }
    if (!params) {
        return 0;
    }
    if (!json_object_is_type(params, json_type_object)) {
        return err_set(err, EINVAL, "the parameters must be an object: {\"name\": number}");
    }
    json_object_object_foreach(params, name, value)
    {
        int failed = set_param(policy, name, value, err);
        if (failed) {
            return failed;
        }
    }
    return 0;
}

int policy_new(const char *name, const struct policy_problem *problem, struct json_object *params,
               uint64_t seed, struct policy **ret_policy, struct err *err)
{
    assert(problem->module_count <= POLICY_MODULES_MAX);

    const struct policy_ops *ops = policy_find(name);
    if (!ops) {
        CLEANUP(str_free) char *names = names_of(NULL);
        return err_set(err, ENOENT, "no policy '%s'; there are %s", name ? name : "", names);
    }
    CLEANUP(policy_free) struct policy *policy = xcalloc(1, sizeof(*policy));
    policy->ops = ops;
    policy->seed = seed;
    int failed = set_params(policy, params, err);
    if (failed) {
        return failed;
    }
    policy_problem_copy(problem, &policy->problem);
    policy->state = ops->start(&policy->problem, policy->params, seed);
    *ret_policy = TAKE(policy);
    return 0;
}

struct policy *policy_free(struct policy *policy)
{
    if (policy) {
        if (policy->state) {
            policy->ops->stop(policy->state);
        }
        policy_problem_done(&policy->problem);
        free(policy);
    }
    return NULL;
}

void policy_ask(const struct policy *policy, struct policy_answer *ret_answer)
{
    *ret_answer = (struct policy_answer){.phase_s = policy->problem.phase_s, .why = ""};
    policy->ops->ask(policy->state, ret_answer);
}

bool policy_outlook(struct policy *policy, placement_t now, double load, double budget_bytes,
                    struct policy_outlook *ret_outlook)
{
    if (!isnan(budget_bytes)) {
        policy->problem.budget_bytes = budget_bytes;
    }
    if (policy->ops->outlook) {
        policy->ops->outlook(policy->state, now, load, ret_outlook);
    }
    return policy->ops->outlook != NULL;
}

void policy_heed(struct policy *policy, const atomic_bool *stop)
{
    policy->problem.stop = stop;
}

void policy_tell(struct policy *policy, const struct policy_measurement *measurement)
{
    assert(measurement->action_count == policy->problem.module_count);
    assert(measurement->walker_count == policy->problem.walker_count);
    policy->ops->tell(policy->state, measurement);
}

void policy_change(struct policy *policy, const struct policy_problem *problem)
{
    assert(problem->module_count <= POLICY_MODULES_MAX);
    struct policy_problem former = policy->problem;
    policy_problem_copy(problem, &policy->problem);
    if (policy->ops->change) {
        policy->ops->change(policy->state, &former);
    } else {
        policy->ops->stop(policy->state);
        policy->state = policy->ops->start(&policy->problem, policy->params, policy->seed);
    }
    policy_problem_done(&former);
}

const struct policy_problem *policy_problem(const struct policy *policy)
{
    return &policy->problem;
}

const struct policy_ops *policy_ops(const struct policy *policy)
{
    return policy->ops;
}
