#include "api/openapi.h"

#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/api_priv.h"
#include "api/match.h"
#include "api/schema.h"
#include "base/alloc.h"
#include "base/json.h"

#define JSON_TYPE "application/json"

#define INTRODUCTION                                                                               \
    "Every operation takes its parameters as a JSON object, as a form "                            \
    "(application/x-www-form-urlencoded or multipart/form-data, with files) or in the query, "     \
    "which goes over the body. Text is accepted where it says the same: \"true\" for a boolean, "  \
    "digits for a number, JSON text for an object or a list. Unknown keys are ignored. An "        \
    "operation that could not do what was asked answers 200 with the header X-Jsorc-Error: 1, "    \
    "and but for those of configs, which tell it in their own shape, with \"success\": false."

static struct json_object *reference(const char *path)
{
    struct json_object *object = json_object_new_object();
    json_set_str(object, "$ref", path);
    return object;
}

/* {"description": ..., "content": {TYPE: {"schema": ...}}}; schema is taken over,
 * NULL = no body. */
static struct json_object *response(const char *description, const char *type_name,
                                    struct json_object *schema)
{
    struct json_object *object = json_object_new_object();
    json_set_str(object, "description", description);
    if (schema) {
        struct json_object *content = json_object_new_object();
        struct json_object *type = json_object_new_object();
        json_set(type, "schema", schema);
        json_set(content, type_name, type);
        json_set(object, "content", content);
    }
    return object;
}

static struct json_object *request_body(struct json_object *schema)
{
    struct json_object *object = json_object_new_object();
    struct json_object *content = json_object_new_object();
    struct json_object *type = json_object_new_object();
    struct json_object *required = json_member(schema, "required", json_type_array);
    json_set_bool(object, "required", required && json_object_array_length(required) > 0);
    json_set(type, "schema", schema);
    json_set(content, JSON_TYPE, type);
    json_set(object, "content", content);
    return object;
}

enum token_need {
    TOKEN_NEVER,
    TOKEN_SOMETIMES, /* by the way the request comes */
    TOKEN_ALWAYS,
};

static struct json_object *security(enum token_need need)
{
    struct json_object *list = json_object_new_array();
    if (need == TOKEN_SOMETIMES) {
        (void)json_object_array_add(list, json_object_new_object());
    }
    if (need != TOKEN_NEVER) {
        struct json_object *token = json_object_new_object();
        json_set(token, "token", json_object_new_array());
        (void)json_object_array_add(list, token);
    }
    return list;
}

struct operation {
    const char *path;
    const char *method; /* lower case */
    const char *id;     /* unique in the document */
    const char *tag;
    const char *summary;
    const char *description; /* NULL = none */
    const char *result;      /* what a 200 holds */
    const char *type;        /* of the answer; NULL = JSON */
    enum token_need token;
    struct json_object *body;       /* schema, taken over; NULL = no body */
    struct json_object *parameters; /* taken over; NULL = none */
};

static void add_errors(struct json_object *responses, const struct operation *operation)
{
    json_set(responses, "400", reference("#/components/responses/Refused"));
    if (operation->token != TOKEN_NEVER) {
        json_set(responses, "401", reference("#/components/responses/Unauthorized"));
        json_set(responses, "403", reference("#/components/responses/Forbidden"));
    }
    json_set(responses, "default", reference("#/components/responses/Error"));
}

static void add_operation(struct json_object *paths, const struct operation *operation)
{
    struct json_object *object = json_object_new_object();
    struct json_object *tags = json_object_new_array();
    struct json_object *responses = json_object_new_object();
    struct json_object *item = json_member(paths, operation->path, json_type_object);

    (void)json_object_array_add(tags, json_object_new_string(operation->tag));
    json_set_str(object, "operationId", operation->id);
    json_set(object, "tags", tags);
    json_set_str(object, "summary", operation->summary);
    if (operation->description) {
        json_set_str(object, "description", operation->description);
    }
    json_set(object, "security", security(operation->token));
    if (operation->parameters) {
        json_set(object, "parameters", operation->parameters);
    }
    if (operation->body) {
        json_set(object, "requestBody", request_body(operation->body));
    }
    const char *type = operation->type ? operation->type : JSON_TYPE;
    json_set(responses, "200", response(operation->result, type, json_object_new_object()));
    add_errors(responses, operation);
    json_set(object, "responses", responses);

    if (!item) {
        item = json_object_new_object();
        json_set(paths, operation->path, item);
    }
    json_set(item, operation->method, object);
}

static struct json_object *parameter(const char *name, const char *in, bool required,
                                     struct json_object *schema)
{
    struct json_object *object = json_object_new_object();
    json_set_str(object, "name", name);
    json_set_str(object, "in", in);
    json_set_bool(object, "required", required);
    json_set(object, "schema", schema);
    return object;
}

/* ---- operations ---- */

static struct json_object *query_parameters(const struct op *op)
{
    struct json_object *list = json_object_new_array();
    for (int i = 0; i < OP_PARAMS_MAX && op->params[i].name; i++) {
        const struct op_param *param = &op->params[i];
        (void)json_object_array_add(
            list, parameter(param->name, "query", !param->fallback, schema_of_param(param)));
    }
    return list;
}

/* Operations are grouped by the first word of their names: config_get is one of "config". */
static void add_op(struct json_object *paths, const struct op *op)
{
    CLEANUP(str_free) char *path = xasprintf("%s%s", match_prefix(op), op->name);
    CLEANUP(str_free) char *tag = xstrndup(op->name, strcspn(op->name, "_"));
    add_operation(paths, &(struct operation){
                             .path = path,
                             .method = op->get ? "get" : "post",
                             .id = op->name,
                             .tag = tag,
                             .summary = op->help,
                             .result = op->result,
                             .token = op->access == OP_PUBLIC ? TOKEN_NEVER : TOKEN_ALWAYS,
                             .body = op->get ? NULL : schema_of_op(op),
                             .parameters = op->get ? query_parameters(op) : NULL,
                         });
}

/* ---- routes ---- */

static struct json_object *path_parameters(const char *path)
{
    const char *brace = strchr(path, '{');
    if (!brace) {
        return NULL;
    }
    CLEANUP(str_free) char *name = xstrndup(brace + 1, strcspn(brace + 1, "}"));
    struct json_object *schema = json_object_new_object();
    struct json_object *list = json_object_new_array();
    json_set_str(schema, "type", "string");
    (void)json_object_array_add(list, parameter(name, "path", true, schema));
    return list;
}

static void add_route(struct json_object *paths, const struct route *route)
{
    CLEANUP(str_free) char *method = xstrdup(match_method_name(route->method));
    for (char *c = method; *c; c++) {
        *c = (char)(*c | 0x20); /* ASCII letters only */
    }
    CLEANUP(str_free) char *id = xasprintf("%s %s", method, route->path);
    const char *start = route->path + 1;
    CLEANUP(str_free) char *tag = xstrndup(start, strcspn(start, "/."));
    add_operation(paths, &(struct operation){
                             .path = route->path,
                             .method = method,
                             .id = id,
                             .tag = tag,
                             .summary = route->help,
                             .result = "as the summary says",
                             .type = route->type,
                             .token = route->access == ROUTE_OPEN   ? TOKEN_NEVER
                                      : route->access == ROUTE_NEAR ? TOKEN_SOMETIMES
                                                                    : TOKEN_ALWAYS,
                             .body = schema_of_fields(route->body),
                             .parameters = path_parameters(route->path),
                         });
}

/* ---- actions and walkers ---- */

/* The body of a walker's run: its arguments stand in ctx. params: NULL = not known. */
static struct json_object *walker_schema(struct json_object *params)
{
    struct json_object *schema = json_object_new_object();
    struct json_object *properties = json_object_new_object();
    struct json_object *context = params ? schema_of_params(params) : json_object_new_object();
    struct json_object *needed = json_member(context, "required", json_type_array);
    json_set_str(context, "type", "object");
    json_set_str(context, "description", "the walker's arguments by name");
    json_set(properties, "ctx", context);
    json_set_str(schema, "type", "object");
    json_set(schema, "properties", properties);
    if (needed && json_object_array_length(needed) > 0) {
        struct json_object *required = json_object_new_array();
        (void)json_object_array_add(required, json_object_new_string("ctx"));
        json_set(schema, "required", required);
    }
    return schema;
}

/* path: the original's with a login, or ours, which is as open as an action. */
static void add_walker(struct json_object *paths, const char *prefix, struct json_object *walker,
                       enum token_need token)
{
    const char *name = json_str(walker, "name");
    CLEANUP(str_free) char *path = xasprintf("%s%s", prefix, name);
    CLEANUP(str_free) char *summary = xasprintf("Runs the walker %s.", name);
    add_operation(paths, &(struct operation){
                             .path = path,
                             .method = "post",
                             .id = path,
                             .tag = "walkers",
                             .summary = summary,
                             .description = json_str(walker, "doc"),
                             .result = "{\"success\": true, \"report\": [...]}",
                             .token = token,
                             .body = walker_schema(json_member(walker, "params", json_type_array)),
                         });
}

static void add_action(struct json_object *paths, const char *name, struct json_object *entry)
{
    CLEANUP(str_free) char *path = xasprintf("/actions/%s", name);
    const char *module = json_str(entry, "module");
    CLEANUP(str_free) char *tag = xasprintf("module %s", module ? module : "?");
    add_operation(paths,
                  &(struct operation){
                      .path = path,
                      .method = "post",
                      .id = name, /* has a dot and no blank: no other id is like that */
                      .tag = tag,
                      .summary = name,
                      .description = json_str(entry, "doc"),
                      .result = "what the action returned",
                      .token = TOKEN_SOMETIMES,
                      .body = schema_of_params(json_member(entry, "params", json_type_array)),
                  });
}

static void add_live(struct json_object *paths, struct json_object *actions,
                     struct json_object *walkers)
{
    if (json_object_is_type(actions, json_type_object)) {
        json_object_object_foreach(actions, name, entry)
        {
            add_action(paths, name, entry);
        }
    }
    size_t count =
        json_object_is_type(walkers, json_type_array) ? json_object_array_length(walkers) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *walker = json_object_array_get_idx(walkers, i);
        if (json_str(walker, "name")) {
            add_walker(paths, "/walkers/", walker, TOKEN_SOMETIMES);
            add_walker(paths, "/js/wapi/", walker, TOKEN_ALWAYS);
        }
    }
}

/* ---- the document ---- */

#define COMPONENTS                                                                                 \
    "{\"securitySchemes\": {\"token\": {\"type\": \"apiKey\", \"in\": \"header\", "                \
    "\"name\": \"Authorization\", \"description\": \"Token TEXT, with the text that "              \
    "POST /user/token/ gives. Not needed on the daemon's Unix socket.\"}}, "                       \
    "\"schemas\": {"                                                                               \
    "\"Detail\": {\"type\": \"object\", \"properties\": {\"detail\": {\"type\": [\"string\", "     \
    "\"array\"]}, \"hint\": {\"type\": \"string\"}}}, "                                            \
    "\"Envelope\": {\"type\": \"object\", \"properties\": {\"response\": {\"type\": \"string\"}, " \
    "\"success\": {\"const\": false}, \"errors\": {\"type\": \"array\", \"items\": {\"type\": "    \
    "\"string\"}}, \"stack_trace\": {\"type\": \"array\"}}}}, "                                    \
    "\"responses\": {"                                                                             \
    "\"Refused\": {\"description\": \"The request is malformed, or a parameter is of another "     \
    "type.\", \"content\": {\"application/json\": {\"schema\": {\"anyOf\": ["                      \
    "{\"$ref\": \"#/components/schemas/Detail\"}, "                                                \
    "{\"$ref\": \"#/components/schemas/Envelope\"}]}}}}, "                                         \
    "\"Unauthorized\": {\"description\": \"No token, or an unknown or expired one.\", "            \
    "\"content\": {\"application/json\": {\"schema\": {\"$ref\": "                                 \
    "\"#/components/schemas/Detail\"}}}}, "                                                        \
    "\"Forbidden\": {\"description\": \"The account may not do this.\", "                          \
    "\"content\": {\"application/json\": {\"schema\": {\"$ref\": "                                 \
    "\"#/components/schemas/Detail\"}}}}, "                                                        \
    "\"Error\": {\"description\": \"Any other outcome.\"}}}"

struct json_object *openapi_document(struct json_object *actions, struct json_object *walkers,
                                     const char *version)
{
    struct json_object *document = json_object_new_object();
    struct json_object *info = json_object_new_object();
    struct json_object *paths = json_object_new_object();
    struct json_object *components = NULL;

    json_set_str(info, "title", "jsorc");
    json_set_str(info, "version", version);
    json_set_str(info, "description", INTRODUCTION);
    add_live(paths, actions, walkers); /* first: a reader looks for them */
    for (const struct op *const *op = OP_TABLE; *op; op++) {
        add_op(paths, *op);
    }
    for (const struct route *const *route = ROUTE_TABLE; *route; route++) {
        add_route(paths, *route);
    }
    if (json_parse(SLICE(COMPONENTS), &components, NULL) < 0) {
        abort(); /* a constant of ours */
    }
    json_set_str(document, "openapi", "3.1.0");
    json_set(document, "info", info);
    json_set(document, "paths", paths);
    json_set(document, "components", components);
    return document;
}

static void run_openapi(struct api_call *call)
{
    const struct api_http_config *config = &call->front->config;
    const struct control *control = config->api->control;
    CLEANUP(json_put)
    struct json_object *actions = config->actions_full ? config->actions_full(control) : NULL;
    CLEANUP(json_put)
    struct json_object *walkers = config->walkers_full ? config->walkers_full(control) : NULL;
    api_answer(call, 200, openapi_document(actions, walkers, config->api->version));
}

extern const struct route route_openapi;
const struct route route_openapi = {
    .method = METHOD_GET,
    .path = "/openapi.json",
    .access = ROUTE_OPEN,
    .help = "This document.",
    .body = "",
    .run = run_openapi,
};
