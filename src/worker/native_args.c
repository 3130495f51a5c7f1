/* From a request's body to the arguments of a C action: the rules and the error texts are those of
 * the original (pydantic 1): number text becomes a number, "yes" a bool, 3 the text "3". */
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "worker/native_priv.h"

/* ---- declared parameters ---- */

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

/* ---- values ---- */

struct mismatch {
    const char *msg;
    const char *type;
};

static const struct mismatch MISMATCHES[] = {
    [NATIVE_STR] = {"str type expected", "type_error.str"},
    [NATIVE_INT] = {"value is not a valid integer", "type_error.integer"},
    [NATIVE_FLOAT] = {"value is not a valid float", "type_error.float"},
    [NATIVE_BOOL] = {"value could not be parsed to a boolean", "type_error.bool"},
    [NATIVE_LIST] = {"value is not a valid list", "type_error.list"},
    [NATIVE_DICT] = {"value is not a valid dict", "type_error.dict"},
};

static const struct mismatch NO_NULL = {"none is not an allowed value",
                                        "type_error.none.not_allowed"};

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c_locale) {
        abort();
    }
}

/* The whole text as a number, spaces around it allowed; "nan" and "inf" could not be written again
 * as JSON. */
static bool text_to_double(struct json_object *value, double *ret_number)
{
    const char *text = json_object_get_string(value);
    size_t size = (size_t)json_object_get_string_len(value);
    char *end;
    (void)pthread_once(&c_locale_once, make_c_locale);
    *ret_number = strtod_l(text, &end, c_locale);
    bool any = end != text && !memchr(text, 'x', size) && !memchr(text, 'X', size);
    end += strspn(end, " \t\r\n");
    return any && end == text + size && isfinite(*ret_number);
}

static bool text_to_int(struct json_object *value, int64_t *ret_number)
{
    const char *text = json_object_get_string(value);
    char *end;
    errno = 0;
    *ret_number = strtoll(text, &end, 10);
    bool any = end != text && errno == 0;
    end += strspn(end, " \t\r\n");
    return any && end == text + json_object_get_string_len(value);
}

static struct json_object *to_int(struct json_object *value)
{
    int64_t number;
    switch (json_object_get_type(value)) {
    case json_type_int:
        return json_ref(value);
    case json_type_boolean:
        return json_object_new_int64(json_object_get_boolean(value));
    case json_type_double: {
        double real = json_object_get_double(value);
        bool inside = real >= -9223372036854775808.0 && real < 9223372036854775808.0;
        return inside ? json_object_new_int64((int64_t)real) : NULL;
    }
    case json_type_string:
        return text_to_int(value, &number) ? json_object_new_int64(number) : NULL;
    default:
        return NULL;
    }
}

static struct json_object *to_float(struct json_object *value)
{
    double number;
    switch (json_object_get_type(value)) {
    case json_type_double:
        return json_ref(value);
    case json_type_int:
        return json_object_new_double(json_object_get_double(value));
    case json_type_boolean:
        return json_object_new_double(json_object_get_boolean(value));
    case json_type_string:
        return text_to_double(value, &number) ? json_object_new_double(number) : NULL;
    default:
        return NULL;
    }
}

static struct json_object *to_bool(struct json_object *value)
{
    static const char *const truths[] = {"1", "on", "t", "true", "y", "yes"};
    static const char *const lies[] = {"0", "off", "f", "false", "n", "no"};
    if (json_object_is_type(value, json_type_boolean)) {
        return json_ref(value);
    }
    if (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)) {
        double number = json_object_get_double(value);
        return number == 0 || number == 1 ? json_object_new_boolean(number == 1) : NULL;
    }
    if (!json_object_is_type(value, json_type_string)) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
        if (strcasecmp(json_object_get_string(value), truths[i]) == 0) {
            return json_object_new_boolean(true);
        }
        if (strcasecmp(json_object_get_string(value), lies[i]) == 0) {
            return json_object_new_boolean(false);
        }
    }
    return NULL;
}

static struct json_object *to_str(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_string:
        return json_ref(value);
    case json_type_int:
    case json_type_double:
        return json_object_new_string(json_text(value));
    case json_type_boolean: /* as Python writes it, where bool is a number */
        return json_object_new_string(json_object_get_boolean(value) ? "True" : "False");
    default:
        return NULL;
    }
}

/* The value as kind: a new reference, or NULL when it cannot be one. value is not NULL. */
static struct json_object *convert(struct json_object *value, enum native_kind kind)
{
    switch (kind) {
    case NATIVE_STR:
        return to_str(value);
    case NATIVE_INT:
        return to_int(value);
    case NATIVE_FLOAT:
        return to_float(value);
    case NATIVE_BOOL:
        return to_bool(value);
    case NATIVE_LIST:
        return json_object_is_type(value, json_type_array) ? json_ref(value) : NULL;
    case NATIVE_DICT:
        return json_object_is_type(value, json_type_object) ? json_ref(value) : NULL;
    default:
        return json_ref(value);
    }
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
    struct json_object *made = param->fallback ? convert(param->fallback, param->kind) : NULL;
    if (param->fallback && !made) {
        return err_set(err, EINVAL, "default of parameter '%s' ('%s'): %s", def->name,
                       def->fallback, MISMATCHES[param->kind].msg);
    }
    (void)json_put(param->fallback);
    param->fallback = made;
    return 0;
}

/* ---- binding ---- */

struct binding {
    const struct native_action *action;
    struct json_object *root;
    struct json_object **values;
    struct worker_answer *answer;
    bool given[JSORC_PARAMS_MAX];
    bool failed;
};

static void reject(struct binding *binding, const char *field, int64_t index,
                   const struct mismatch *why)
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
        struct json_object *made = item ? convert(item, kind) : NULL;
        if (!made) {
            reject(binding, param->name, (int64_t)i, item ? &MISMATCHES[kind] : &NO_NULL);
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
        reject(binding, param->name, -1, &MISMATCHES[kind]);
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
    struct json_object *made = value ? convert(value, param->kind) : NULL;
    if (value && !made) {
        reject(binding, param->name, -1, &MISMATCHES[param->kind]);
        return;
    }
    if (made && param->kind == NATIVE_LIST) {
        convert_items(binding, param, made, param->item);
    }
    assign(binding, index, made);
}

static void bind_missing(struct binding *binding, unsigned index)
{
    static const struct mismatch missing = {"field required", "value_error.missing"};
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
    static const struct mismatch extra = {"extra fields not permitted", "value_error.extra"};
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
        reject(&binding, NULL, -1, &MISMATCHES[NATIVE_DICT]);
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
