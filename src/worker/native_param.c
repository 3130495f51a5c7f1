/* The parameters that a C action declares. */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "worker/native_priv.h"

static const struct {
    const char *text;
    enum native_kind kind;
} KINDS[] = {
    {"any", NATIVE_ANY},   {"str", NATIVE_STR},   {"int", NATIVE_INT},   {"float", NATIVE_FLOAT},
    {"bool", NATIVE_BOOL}, {"list", NATIVE_LIST}, {"dict", NATIVE_DICT},
};

static bool parse_kind(struct slice text, enum native_kind *ret_kind)
{
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (slice_eq(text, slice_str(KINDS[i].text))) {
            *ret_kind = KINDS[i].kind;
            return true;
        }
    }
    return false;
}

/* "str", "list", "list[float]" */
static bool parse_type(const char *type, struct native_param *param)
{
    struct slice text = slice_str(type ? type : "any"), head = SLICE("list[");
    param->item = NATIVE_ANY;
    if (slice_starts(text, head) && text.data[text.size - 1] == ']') {
        param->kind = NATIVE_LIST;
        return parse_kind((struct slice){text.data + head.size, text.size - head.size - 1},
                          &param->item);
    }
    return parse_kind(text, &param->kind);
}

static bool name_ok(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size <= 128 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == size;
}

static void describe_type(const struct native_param *param, char *text, size_t size)
{
    if (param->kind == NATIVE_LIST && param->item != NATIVE_ANY) {
        (void)snprintf(text, size, "list[%s]", KINDS[param->item].text);
    } else {
        (void)snprintf(text, size, "%s", KINDS[param->kind].text);
    }
}

char *native_params_json(const struct native_action *action)
{
    static const char *const kinds[] = {"plain", "list", "dict"};
    CLEANUP(json_put) struct json_object *list = json_object_new_array();
    bool after_star = false;
    for (unsigned i = 0; i < action->param_count; i++) {
        const struct native_param *param = &action->params[i];
        char type[32];
        describe_type(param, type, sizeof(type));
        struct json_object *row = json_object_new_object();
        json_set_str(row, "name", param->name);
        json_set_str(row, "kind",
                     after_star && param->star == NATIVE_PLAIN ? "keyword" : kinds[param->star]);
        json_set_str(row, "type", type);
        json_set_bool(row, "required", param->required);
        if (!param->required && param->star == NATIVE_PLAIN) {
            struct json_object *copy = NULL;
            (void)json_object_deep_copy(param->fallback, &copy, NULL);
            json_set(row, "default", copy);
        }
        if (action->def->params[i].doc) {
            json_set_str(row, "doc", action->def->params[i].doc);
        }
        (void)json_object_array_add(list, row);
        after_star |= param->star == NATIVE_STAR;
    }
    return xstrdup(json_text(list));
}

int native_param_parse(const struct jsorc_param *def, struct native_param *param, struct err *err)
{
    size_t stars = strspn(def->name, "*");
    *param = (struct native_param){.name = def->name, .bare = def->name + stars};
    if (!name_ok(param->bare) || stars > 2) {
        return err_set(err, EINVAL, "'%s' is no parameter name: letters, digits and '_'",
                       def->name);
    }
    param->star = (enum native_star)stars;
    if (!parse_type(def->type, param)) {
        return err_set(err, EINVAL,
                       "parameter '%s' has the unknown type '%s': str, int, float, bool, list, "
                       "dict, any or list[T]",
                       def->name, def->type);
    }
    if (stars && def->fallback) {
        return err_set(err, EINVAL, "parameter '%s' takes no default: without it, it is empty",
                       def->name);
    }
    param->required = !stars && !def->fallback;
    if (def->fallback && json_parse(slice_str(def->fallback), &param->fallback, err) < 0) {
        (void)err_wrap(err, "default of parameter '%s' ('%s')", def->name, def->fallback);
        return -EINVAL;
    }
    param->nullable = param->kind == NATIVE_ANY || stars || (def->fallback && !param->fallback);
    struct json_object *made =
        param->fallback ? native_convert(param->fallback, param->kind) : NULL;
    if (param->fallback && !made) {
        return err_set(err, EINVAL, "default of parameter '%s' ('%s'): %s", def->name,
                       def->fallback, NATIVE_MISMATCHES[param->kind].msg);
    }
    (void)json_put(param->fallback);
    param->fallback = made;
    return 0;
}
