/* A call's body on its way to an action in C. What is refused has a 422 that is JSON; what is
 * accepted has a value for each parameter, and can be written and read again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "worker/native_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct jsorc_action DEF = {
    .name = "f",
    .params = {{"s", "str", "\"\"", NULL},
               {"i", "int", "0", NULL},
               {"f", "float", "0.5", NULL},
               {"b", "bool", "null", NULL},
               {"l", "list[float]", "[]", NULL},
               {"t", "list[str]", "[]", NULL},
               {"d", "dict", "{}", NULL},
               {"*p", "int", NULL, NULL},
               {"a", "any", "null", NULL},
               {"**o", NULL, NULL, NULL}},
};

static struct native_action action;

static void make_action(void)
{
    action.def = &DEF;
    for (unsigned i = 0; DEF.params[i].name; i++) {
        if (native_param_parse(&DEF.params[i], &action.params[i], NULL) < 0) {
            abort();
        }
        action.param_count++;
    }
}

static void check_json(struct slice text)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    if (json_parse(text, &value, NULL) < 0) {
        abort();
    }
}

static void check_refusal(struct worker_answer *answer)
{
    if (answer->status != 422) {
        abort();
    }
    check_json(answer->body);
    answer->release(answer->owner);
}

/* Each value is touched as an action would, and put into a result. */
static void check_values(struct json_object **values)
{
    double numbers[8];
    for (unsigned i = 0; i < action.param_count; i++) {
        const struct jsorc_value *value = native_value_of(values[i]);
        (void)native_value_int(value);
        (void)native_value_double(value);
        (void)native_value_doubles(value, numbers, 8);
        struct jsorc_place place = {0};
        const char *key;
        while (native_value_next(value, &place, &key)) {
        }
        struct native_result result = {.size_max = 1 << 24};
        native_result_value(&result, values[i]);
        if (native_result_finish(&result)) {
            abort();
        }
        check_json(buf_slice(&result.text));
        native_result_done(&result);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object *root = NULL;
    struct json_object *values[JSORC_PARAMS_MAX] = {0};
    struct worker_answer answer = {0};
    if (action.param_count == 0) {
        make_action();
    }
    struct slice body = {(const char *)data, size};
    if (native_args_bind(&action, body, &root, values, &answer) < 0) {
        check_refusal(&answer);
        return 0;
    }
    check_values(values);
    (void)json_put(root);
    return 0;
}
