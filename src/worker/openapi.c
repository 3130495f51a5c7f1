/* OpenAPI 3.1 from the registered signatures. A parameter's own schema wins over its type's text;
 * a text that is not known gives the empty schema, which accepts anything. */
#include "base/alloc.h"
#include "base/json.h"
#include "worker/document.h"
#include "worker/registry.h"

static struct json_object *typed(const char *type)
{
    struct json_object *schema = json_object_new_object();
    if (type) {
        json_set_str(schema, "type", type);
    }
    return schema;
}

/* type: "str", "list[float]", "any" ... of text's first size bytes. */
static struct json_object *schema_of_type(const char *text, size_t size)
{
    static const struct {
        const char *text;
        const char *type;
    } rows[] = {{"str", "string"}, {"int", "integer"}, {"float", "number"}, {"bool", "boolean"},
                {"list", "array"}, {"tuple", "array"}, {"dict", "object"},  {"None", "null"},
                {"List", "array"}, {"Dict", "object"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t own = strlen(rows[i].text);
        if (size < own || strncmp(text, rows[i].text, own) != 0) {
            continue;
        }
        if (size == own) {
            return typed(rows[i].type);
        }
        if (text[own] != '[' || text[size - 1] != ']') {
            continue;
        }
        struct json_object *schema = typed(rows[i].type);
        size_t inner = size - own - 2;
        bool single = memchr(text + own + 1, ',', inner) == NULL;
        if (strcmp(rows[i].type, "array") == 0 && single) {
            json_set(schema, "items", schema_of_type(text + own + 1, inner));
        }
        return schema;
    }
    return typed(NULL);
}

static struct json_object *copy_of(struct json_object *value)
{
    struct json_object *copy = NULL;
    (void)json_object_deep_copy(value, &copy, NULL);
    return copy;
}

static struct json_object *schema_of_param(struct json_object *param)
{
    struct json_object *given = json_member(param, "schema", json_type_object);
    const char *kind = json_str(param, "kind");
    const char *type = json_str(param, "type");
    struct json_object *schema;
    if (given) {
        schema = copy_of(given);
    } else if (strcmp(kind, "list") == 0) {
        schema = typed("array");
        if (type) {
            json_set(schema, "items", schema_of_type(type, strlen(type)));
        }
    } else if (strcmp(kind, "dict") == 0) {
        schema = typed("object");
    } else {
        schema = type ? schema_of_type(type, strlen(type)) : typed(NULL);
    }
    struct json_object *fallback = NULL;
    if (json_object_object_get_ex(param, "default", &fallback)) {
        json_set(schema, "default", copy_of(fallback));
    }
    if (json_str(param, "doc")) {
        json_set_str(schema, "description", json_str(param, "doc"));
    }
    return schema;
}

static struct json_object *schema_of_body(const struct worker_action *action)
{
    struct json_object *schema = typed("object");
    struct json_object *properties = json_object_new_object();
    struct json_object *required = json_object_new_array();
    size_t count = json_object_array_length(action->params_json);
    for (size_t i = 0; i < count; i++) {
        struct json_object *param = json_object_array_get_idx(action->params_json, i);
        const char *name = json_str(param, "name");
        json_set(properties, name, schema_of_param(param));
        if (json_flag(param, "required", false) && name[0] != '*') {
            (void)json_object_array_add(required, json_object_new_string(name));
        }
    }
    json_set(schema, "properties", properties);
    json_set(schema, "required", required);
    json_set_bool(schema, "additionalProperties", false);
    return schema;
}

static struct json_object *content(struct json_object *schema)
{
    struct json_object *media = json_object_new_object();
    json_set(media, "schema", schema);
    struct json_object *types = json_object_new_object();
    json_set(types, "application/json", media);
    struct json_object *row = json_object_new_object();
    json_set(row, "content", types);
    return row;
}

static struct json_object *reply(const char *description, struct json_object *schema)
{
    struct json_object *row = schema ? content(schema) : json_object_new_object();
    json_set_str(row, "description", description);
    return row;
}

static struct json_object *error_schema(void)
{
    struct json_object *schema = typed("object");
    struct json_object *properties = json_object_new_object();
    json_set(properties, "detail", typed(NULL));
    json_set(properties, "type", typed("string"));
    json_set(schema, "properties", properties);
    return schema;
}

static void add_operation(struct json_object *paths, const char *path, const char *method,
                          struct json_object *operation)
{
    struct json_object *item = json_object_new_object();
    json_set(item, method, operation);
    json_set(paths, path, item);
}

static struct json_object *describe_call(const struct worker_action *action, const char *bare)
{
    struct json_object *operation = json_object_new_object();
    json_set_str(operation, "operationId", bare);
    json_set_str(operation, "summary", action->name);
    if (action->doc) {
        json_set_str(operation, "description", action->doc);
    }
    struct json_object *tags = json_object_new_array();
    (void)json_object_array_add(
        tags, json_object_new_string_len(action->name, (int)(action->bare - action->name) - 1));
    json_set(operation, "tags", tags);

    struct json_object *body = content(schema_of_body(action));
    json_set_bool(body, "required", false);
    json_set(operation, "requestBody", body);

    struct json_object *replies = json_object_new_object();
    struct json_object *result =
        action->returns ? schema_of_type(action->returns, strlen(action->returns)) : typed(NULL);
    json_set(replies, "200", reply("The result.", result));
    json_set(replies, "422", reply("The arguments do not fit.", error_schema()));
    json_set(replies, "500", reply("The action failed.", error_schema()));
    json_set(operation, "responses", replies);
    return operation;
}

static void add_call(const struct registry *registry, struct json_object *paths,
                     const struct worker_action *action, const char *bare)
{
    if (name_map_find(&registry->bare, slice_str(bare)) == action) {
        CLEANUP(str_free) char *path = xasprintf("/%s/", bare);
        add_operation(paths, path, "post", describe_call(action, bare));
    }
}

struct json_object *document_openapi(const struct registry *registry)
{
    struct json_object *root = json_object_new_object();
    json_set_str(root, "openapi", "3.1.0");
    struct json_object *info = json_object_new_object();
    json_set_str(info, "title", "Jaseci Action Set API");
    json_set_str(info, "version", "1.0.0");
    json_set(root, "info", info);

    struct json_object *paths = json_object_new_object();
    json_set(root, "paths", paths);
    for (size_t i = 0; i < registry->action_count; i++) {
        const struct worker_action *action = registry->actions[i];
        add_call(registry, paths, action, action->bare);
        for (unsigned k = 0; k < action->alias_count; k++) {
            add_call(registry, paths, action, action->aliases[k] + (action->bare - action->name));
        }
    }
    for (size_t i = 0; i < registry->endpoint_count; i++) {
        struct json_object *operation = json_object_new_object();
        struct json_object *replies = json_object_new_object();
        json_set(replies, "200", reply("What the module exposes here.", NULL));
        json_set(operation, "responses", replies);
        add_operation(paths, registry->endpoints[i].path, "get", operation);
    }
    struct json_object *operation = json_object_new_object();
    json_set_str(operation, "summary", "Names of the actions and of their parameters");
    struct json_object *replies = json_object_new_object();
    json_set(replies, "200", reply("Full action name to list of names.", typed("object")));
    json_set(operation, "responses", replies);
    add_operation(paths, "/jaseci_actions_spec/", "get", operation);
    return root;
}
