/* From a request's body to the arguments of a C action; the error texts are the original's. */
#include <errno.h>

#include "base/err.h"
#include "worker/native_priv.h"

static const struct native_mismatch NO_NULL = {"none is not an allowed value",
                                               "type_error.none.not_allowed"};

struct binding {
    const struct native_action *action;
    struct json_object *root;
    struct json_object **values;
    struct worker_answer *answer;
    bool given[JSORC_PARAMS_MAX];
    bool failed;
};

static void reject(struct binding *binding, const char *field, int64_t index,
                   const struct native_mismatch *why)
{
    worker_answer_invalid(binding->answer, field, index, why->msg, why->type);
    binding->failed = true;
}

/* Puts value (owned) into the root, which keeps it alive, and as the parameter's value. */
static void assign(struct binding *binding, unsigned index, struct json_object *value)
{
    json_set(binding->root, binding->action->params[index].name, value);
    binding->values[index] = value;
}

/* Converts the elements of array in place: it is the request's own. */
static void convert_items(struct binding *binding, const struct native_param *param,
                          struct json_object *array, enum native_kind kind)
{
    size_t count = kind == NATIVE_ANY ? 0 : json_object_array_length(array);
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(array, i);
        struct json_object *made = item ? native_convert(item, kind) : NULL;
        if (!made) {
            reject(binding, param->name, (int64_t)i, item ? &NATIVE_MISMATCHES[kind] : &NO_NULL);
            return;
        }
        (void)json_object_array_put_idx(array, i, made);
    }
}

static void bind_star(struct binding *binding, unsigned index, struct json_object *value)
{
    const struct native_param *param = &binding->action->params[index];
    enum native_kind kind = param->star == NATIVE_STAR ? NATIVE_LIST : NATIVE_DICT;
    if (!value) {
        assign(binding, index,
               kind == NATIVE_LIST ? json_object_new_array() : json_object_new_object());
    } else if (!json_object_is_type(value,
                                    kind == NATIVE_LIST ? json_type_array : json_type_object)) {
        reject(binding, param->name, -1, &NATIVE_MISMATCHES[kind]);
    } else {
        if (kind == NATIVE_LIST) {
            convert_items(binding, param, value, param->kind);
        }
        assign(binding, index, json_ref(value));
    }
}

static void bind_default(struct binding *binding, unsigned index)
{
    struct json_object *copy = NULL; /* reference counts are not atomic: no sharing */
    (void)json_object_deep_copy(binding->action->params[index].fallback, &copy, NULL);
    assign(binding, index, copy);
}

static void bind_value(struct binding *binding, unsigned index, struct json_object *value)
{
    const struct native_param *param = &binding->action->params[index];
    if (param->star != NATIVE_PLAIN) {
        bind_star(binding, index, value);
        return;
    }
    if (!value && !param->required) { /* null means: the default */
        bind_default(binding, index);
        return;
    }
    if (!value && !param->nullable) {
        reject(binding, param->name, -1, &NO_NULL);
        return;
    }
    struct json_object *made = value ? native_convert(value, param->kind) : NULL;
    if (value && !made) {
        reject(binding, param->name, -1, &NATIVE_MISMATCHES[param->kind]);
        return;
    }
    if (made && param->kind == NATIVE_LIST) {
        convert_items(binding, param, made, param->item);
    }
    assign(binding, index, made);
}

static void bind_missing(struct binding *binding, unsigned index)
{
    static const struct native_mismatch missing = {"field required", "value_error.missing"};
    const struct native_param *param = &binding->action->params[index];
    if (param->star != NATIVE_PLAIN) {
        bind_star(binding, index, NULL);
    } else if (param->required) {
        reject(binding, param->name, -1, &missing);
    } else {
        bind_default(binding, index);
    }
}

static int find_param(const struct native_action *action, const char *name)
{
    for (unsigned i = 0; i < action->param_count; i++) {
        if (strcmp(action->params[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* Older clients leave the stars out of a name. */
static void add_stars(const struct native_action *action, struct json_object *root)
{
    for (unsigned i = 0; i < action->param_count; i++) {
        const struct native_param *param = &action->params[i];
        struct json_object *value = NULL;
        if (param->star == NATIVE_PLAIN || find_param(action, param->bare) >= 0 ||
            json_object_object_get_ex(root, param->name, NULL) ||
            !json_object_object_get_ex(root, param->bare, &value)) {
            continue;
        }
        json_set(root, param->name, json_ref(value));
        json_object_object_del(root, param->bare);
    }
}

/* Values of the request in the order of its text. Assigning to a present key keeps its place, so
 * the walk over the members stays valid. */
static void bind_given(struct binding *binding)
{
    static const struct native_mismatch extra = {"extra fields not permitted", "value_error.extra"};
    struct lh_entry *entry = json_object_get_object(binding->root)->head;
    for (; entry; entry = entry->next) {
        const char *name = (const char *)lh_entry_k(entry);
        int index = find_param(binding->action, name);
        if (index < 0) {
            reject(binding, name, -1, &extra);
            continue;
        }
        binding->given[index] = true;
        bind_value(binding, (unsigned)index, (struct json_object *)(uintptr_t)lh_entry_v(entry));
    }
}

int native_args_bind(const struct native_action *action, struct slice body,
                     struct json_object **ret_root, struct json_object **values,
                     struct worker_answer *answer)
{
    struct err err = {0};
    CLEANUP(json_put) struct json_object *root = NULL;
    int failed = body.size > 0 ? json_parse(body, &root, &err) : 0;
    if (body.size == 0) {
        root = json_object_new_object();
    }
    if (failed) {
        worker_answer_invalid(answer, NULL, -1, err.text, "value_error.jsondecode");
        return -EINVAL;
    }
    struct binding binding = {.action = action, .root = root, .values = values, .answer = answer};
    if (!json_object_is_type(root, json_type_object)) {
        reject(&binding, NULL, -1, &NATIVE_MISMATCHES[NATIVE_DICT]);
        return -EINVAL;
    }
    add_stars(action, root);
    bind_given(&binding);
    for (unsigned i = 0; i < action->param_count; i++) {
        if (!binding.given[i]) {
            bind_missing(&binding, i);
        }
    }
    if (binding.failed) {
        return -EINVAL;
    }
    *ret_root = TAKE(root);
    return 0;
}
