#include "api/schema.h"

#include <stdlib.h>
#include <string.h>

#include "api/op.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/slice.h"

#define ANNOTATION_DEPTH_MAX 8 /* list[list[...]]: nobody writes more */

static struct json_object *schema_type(const char *type)
{
    struct json_object *schema = json_object_new_object();
    if (type) {
        json_set_str(schema, "type", type);
    }
    return schema;
}

/* Adds null to the types that schema allows; one without a type allows it already. */
static void allow_null(struct json_object *schema)
{
    struct json_object *type = NULL;
    if (!json_object_object_get_ex(schema, "type", &type)) {
        return;
    }
    struct json_object *types = json_object_new_array();
    if (json_object_is_type(type, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(type); i++) {
            (void)json_object_array_add(types, json_ref(json_object_array_get_idx(type, i)));
        }
    } else {
        (void)json_object_array_add(types, json_ref(type));
    }
    (void)json_object_array_add(types, json_object_new_string("null"));
    json_set(schema, "type", types);
}

static void add_name(struct json_object *list, const char *name)
{
    (void)json_object_array_add(list, json_object_new_string(name));
}

/* ---- operations ---- */

static struct json_object *schema_of_op_type(enum op_type type)
{
    static const char *const names[] = {
        [OP_STR] = "string",   [OP_INT] = "integer", [OP_FLOAT] = "number",
        [OP_BOOL] = "boolean", [OP_DICT] = "object", [OP_LIST] = "array",
    };
    if (type == OP_ANY) {
        return schema_type(NULL);
    }
    if (type != OP_STR_OR_DICT) {
        return schema_type(names[type]);
    }
    struct json_object *both = json_object_new_array();
    add_name(both, "string");
    add_name(both, "object");
    struct json_object *schema = json_object_new_object();
    json_set(schema, "type", both);
    return schema;
}

struct json_object *schema_of_param(const struct op_param *param)
{
    struct json_object *schema = schema_of_op_type(param->type);
    struct json_object *fallback = NULL;
    if (param->fallback && json_parse(slice_str(param->fallback), &fallback, NULL) == 0) {
        if (!fallback) {
            allow_null(schema);
        }
        json_set(schema, "default", fallback);
    }
    if (param->help) {
        json_set_str(schema, "description", param->help);
    }
    return schema;
}

struct json_object *schema_of_op(const struct op *op)
{
    struct json_object *schema = schema_type("object");
    struct json_object *properties = json_object_new_object();
    struct json_object *required = json_object_new_array();
    for (int i = 0; i < OP_PARAMS_MAX && op->params[i].name; i++) {
        json_set(properties, op->params[i].name, schema_of_param(&op->params[i]));
        if (!op->params[i].fallback) {
            add_name(required, op->params[i].name);
        }
    }
    json_set(schema, "properties", properties);
    json_set(schema, "required", required);
    return schema;
}

/* ---- routes ---- */

struct json_object *schema_of_fields(const char *fields)
{
    if (!fields || !fields[0]) {
        return NULL;
    }
    struct json_object *schema = schema_type("object");
    struct json_object *properties = json_object_new_object();
    struct json_object *required = json_object_new_array();
    while (*fields) {
        size_t size = strcspn(fields, " ");
        bool optional = size > 0 && fields[size - 1] == '?';
        CLEANUP(str_free) char *name = xstrndup(fields, size - optional);
        if (name[0]) {
            json_set(properties, name, json_object_new_object());
            if (!optional) {
                add_name(required, name);
            }
        }
        fields += size;
        fields += strspn(fields, " ");
    }
    json_set(schema, "properties", properties);
    json_set(schema, "required", required);
    return schema;
}

/* ---- actions ---- */

static struct slice trim(struct slice text)
{
    while (text.size > 0 && text.data[0] == ' ') {
        text = slice_from(text, 1);
    }
    while (text.size > 0 && text.data[text.size - 1] == ' ') {
        text.size--;
    }
    return text;
}

/* The part of text before the first separator outside of brackets; what follows goes to *ret_rest
 * (size 0 = none). */
static struct slice split(struct slice text, char separator, struct slice *ret_rest)
{
    int depth = 0;
    for (size_t i = 0; i < text.size; i++) {
        depth += text.data[i] == '[';
        depth -= text.data[i] == ']';
        if (text.data[i] == separator && depth == 0) {
            *ret_rest = slice_from(text, i + 1);
            return trim((struct slice){text.data, i});
        }
    }
    *ret_rest = (struct slice){0};
    return trim(text);
}

/* "list" of "list[int]", and "int" in *ret_inner. */
static struct slice outer_name(struct slice text, struct slice *ret_inner)
{
    const char *bracket = memchr(text.data, '[', text.size);
    *ret_inner = (struct slice){0};
    if (!bracket) {
        return text;
    }
    size_t size = (size_t)(bracket - text.data);
    if (text.data[text.size - 1] == ']') {
        *ret_inner = (struct slice){bracket + 1, text.size - size - 2};
    }
    return (struct slice){text.data, size};
}

static struct json_object *annotation(struct slice text, int depth);

static struct json_object *union_of(struct slice text, char separator, int depth)
{
    struct json_object *schema = NULL;
    bool with_null = false;
    while (text.size > 0) {
        struct slice part = split(text, separator, &text);
        if (slice_eq(part, SLICE("None"))) {
            with_null = true;
            continue;
        }
        if (schema) { /* int | str: more than one type is not narrowed down */
            (void)json_put(schema);
            return schema_type(NULL);
        }
        schema = annotation(part, depth + 1);
    }
    if (!schema) {
        return schema_type("null");
    }
    if (with_null) {
        allow_null(schema);
    }
    return schema;
}

static struct json_object *annotation(struct slice text, int depth)
{
    static const struct {
        const char *name, *type;
    } rows[] = {
        {"str", "string"},  {"int", "integer"},    {"float", "number"},   {"bool", "boolean"},
        {"dict", "object"}, {"Dict", "object"},    {"Mapping", "object"}, {"list", "array"},
        {"List", "array"},  {"Sequence", "array"}, {"tuple", "array"},    {"Tuple", "array"},
        {"set", "array"},   {"Iterable", "array"}, {"bytes", "string"},
    };
    struct slice rest;
    struct slice inner;
    text = trim(text);
    if (depth > ANNOTATION_DEPTH_MAX || text.size == 0) {
        return schema_type(NULL);
    }
    (void)split(text, '|', &rest);
    if (rest.size > 0) {
        return union_of(text, '|', depth);
    }
    struct slice name = outer_name(text, &inner);
    if (slice_starts(name, SLICE("typing."))) {
        name = slice_from(name, 7);
    }
    if (slice_eq(name, SLICE("Optional"))) {
        struct json_object *schema = annotation(inner, depth + 1);
        allow_null(schema);
        return schema;
    }
    if (slice_eq(name, SLICE("Union"))) {
        return union_of(inner, ',', depth);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (slice_eq(name, slice_str(rows[i].name))) {
            struct json_object *schema = schema_type(rows[i].type);
            struct slice item = split(inner, ',', &rest);
            if (strcmp(rows[i].type, "array") == 0 && item.size > 0 && rest.size == 0) {
                json_set(schema, "items", annotation(item, depth + 1));
            }
            return schema;
        }
    }
    return schema_type(NULL);
}

struct json_object *schema_of_annotation(const char *text)
{
    return annotation(slice_str(text), 0);
}

static struct json_object *schema_of_action_type(struct json_object *param, const char *name)
{
    struct json_object *given = json_member(param, "schema", json_type_object);
    struct json_object *schema = NULL;
    if (given && json_object_deep_copy(given, &schema, NULL) == 0) {
        return schema;
    }
    if (strncmp(name, "**", 2) == 0) {
        return schema_type("object");
    }
    if (name[0] == '*') {
        return schema_type("array");
    }
    schema = schema_of_annotation(json_str(param, "type"));
    struct json_object *fallback = NULL;
    if (json_object_object_get_ex(param, "default", &fallback) && !fallback) {
        allow_null(schema);
    }
    return schema;
}

static struct json_object *schema_of_action_param(struct json_object *param, const char *name)
{
    struct json_object *schema = schema_of_action_type(param, name);
    struct json_object *fallback = NULL;
    if (json_object_object_get_ex(param, "default", &fallback) &&
        !json_object_object_get_ex(schema, "default", NULL)) {
        json_set(schema, "default", json_ref(fallback));
    }
    if (json_str(param, "doc") && !json_object_object_get_ex(schema, "description", NULL)) {
        json_set_str(schema, "description", json_str(param, "doc"));
    }
    return schema;
}

struct json_object *schema_of_params(struct json_object *params)
{
    struct json_object *schema = schema_type("object");
    struct json_object *properties = json_object_new_object();
    struct json_object *required = json_object_new_array();
    size_t count =
        json_object_is_type(params, json_type_array) ? json_object_array_length(params) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *param = json_object_array_get_idx(params, i);
        const char *name = json_str(param, "name");
        if (!name) {
            continue;
        }
        json_set(properties, name, schema_of_action_param(param, name));
        if (name[0] != '*' && json_flag(param, "required", false)) {
            add_name(required, name);
        }
    }
    json_set(schema, "properties", properties);
    json_set(schema, "required", required);
    json_set_bool(schema, "additionalProperties", false);
    return schema;
}
