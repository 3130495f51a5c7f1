#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/op.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/endpoint.h"
#include "cli/transport.h"

#define TIMEOUT_DEFAULT_S 300 /* a load waits 120 s by default, and models are slow to load */

long cli_timeout_ms(const struct cli *cli)
{
    double seconds = json_double(cli->common, "timeout", TIMEOUT_DEFAULT_S);
    return seconds > 0 && seconds < 1e9 ? (long)(seconds * 1000) : 0;
}

static int status_of(int failed)
{
    return failed == -EHOSTUNREACH ? CLI_UNREACHABLE : CLI_FAILED;
}

static int send_request(struct cli *cli, const struct request *request, struct reply *ret_reply,
                        bool quiet)
{
    struct endpoint endpoint = {0};
    struct err err = {0};
    if (endpoint_find(cli->common, &cli->memory, &endpoint, &err) < 0) {
        return quiet ? CLI_USAGE : cli_fail(cli, CLI_USAGE, &err);
    }
    if (endpoint.token && endpoint_is_open_to_listeners(&endpoint) && !quiet) {
        (void)fprintf(stderr,
                      "jsorc: warning: the token for '%s' crosses the network in the clear; use "
                      "https\n",
                      endpoint.name);
    }
    if (!cli->transport) {
        cli->transport = transport_new();
    }
    int failed = transport_send(cli->transport, &endpoint, request, ret_reply, &err);
    endpoint_done(&endpoint);
    if (failed) {
        return quiet ? status_of(failed) : cli_fail(cli, status_of(failed), &err);
    }
    return CLI_OK;
}

int cli_send(struct cli *cli, const struct request *request, struct reply *ret_reply)
{
    return send_request(cli, request, ret_reply, false);
}

int cli_send_quietly(struct cli *cli, const struct request *request, struct reply *ret_reply)
{
    return send_request(cli, request, ret_reply, true);
}

void cli_reply_value(const struct reply *reply, struct json_object **ret_value)
{
    struct slice body = buf_slice(&reply->body);
    *ret_value = NULL;
    if (body.size > 0 && json_parse(body, ret_value, NULL) < 0) {
        *ret_value = json_object_new_string_len(body.data, (int)body.size);
    }
}

bool cli_reply_failed(const struct reply *reply, struct json_object *value)
{
    return reply->status >= 300 || reply->op_failed || !json_flag(value, "success", true);
}

/* The sentence in an error's body: the original's shapes and ours. NULL = none. */
static const char *sentence(struct json_object *value)
{
    static const char *const names[] = {"detail", "message", "response", "error"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = json_str(value, names[i]);
        if (text && *text) {
            return text;
        }
    }
    if (json_object_is_type(value, json_type_array) && json_object_array_length(value) == 1) {
        value = json_object_array_get_idx(value, 0); /* [TEXT], as the config_* operations answer */
    }
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* ["body", "boxes", 1, "width"] -> "boxes[1].width"; owned by the caller. */
static char *place_in_body(struct json_object *loc)
{
    struct buf name = {0};
    size_t depth = loc ? json_object_array_length(loc) : 0;
    for (size_t i = depth > 1 ? 1 : 0; i < depth; i++) {
        struct json_object *part = json_object_array_get_idx(loc, i);
        const char *text = json_object_get_string(part);
        bool index = json_object_is_type(part, json_type_int) && i > 1;
        if (index) {
            buf_printf(&name, "[%s]", text);
        } else {
            buf_printf(&name, "%s%s", i > 1 ? "." : "", text);
        }
    }
    char *copy = xstrndup(name.data ? name.data : "", buf_size(&name));
    buf_done(&name);
    return copy;
}

/* {"detail": [{"loc": ["body", "text"], "msg": "field required"}]}, a line each. */
static bool report_parameters(struct json_object *value)
{
    struct json_object *list = json_member(value, "detail", json_type_array);
    size_t count = list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        struct json_object *loc = json_member(item, "loc", json_type_array);
        CLEANUP(str_free) char *name = place_in_body(loc);
        const char *text = json_str(item, "msg");
        (void)fprintf(stderr, "jsorc: parameter '%s': %s\n", name, text ? text : "wrong");
    }
    return count > 0;
}

/* {"error": {"password": ["Ensure this field has at least 8 characters."]}}, a line each. */
static bool report_fields(struct json_object *value)
{
    struct json_object *fields = json_member(value, "error", json_type_object);
    size_t told = 0;
    struct lh_entry *entry = fields ? json_object_get_object(fields)->head : NULL;
    for (; entry; entry = entry->next) {
        struct json_object *texts = lh_entry_v(entry);
        size_t count =
            json_object_is_type(texts, json_type_array) ? json_object_array_length(texts) : 0;
        for (size_t i = 0; i < count; i++, told++) {
            (void)fprintf(stderr, "jsorc: %s: %s\n", (const char *)lh_entry_k(entry),
                          json_object_get_string(json_object_array_get_idx(texts, i)));
        }
    }
    return told > 0;
}

static const char *advice(const struct reply *reply)
{
    switch (reply->status) {
    case 401:
        return "; run 'jsorc login URL', or give the token in JSORC_TOKEN";
    case 403:
        return "; log in with an account that has the right ('jsorc login URL')";
    default:
        return "";
    }
}

void cli_report_reply(const struct cli *cli, const struct reply *reply, struct json_object *value)
{
    (void)cli;
    if (reply->status >= 300) { /* the original's words, then the cause */
        (void)fprintf(stderr, "Status Code Error %d\n", reply->status);
    }
    if (report_parameters(value) || report_fields(value)) {
        return;
    }
    const char *text = sentence(value);
    const char *what = text ? text : value ? json_text(value) : "no reason given";
    const char *further = advice(reply), *type = json_str(value, "type");
    bool raised = reply->status == 500 && type && *type >= 'A' && *type <= 'Z'; /* an exception */
    size_t length = strlen(what);
    length -= *further && length > 0 && what[length - 1] == '.';
    (void)fprintf(stderr, "jsorc: %s%s%.*s%s\n", raised ? type : "", raised ? ": " : "",
                  (int)length, what, further);
    const char *traceback = json_str(value, "traceback");
    if (traceback && *traceback) {
        (void)fprintf(stderr, "%s\n", traceback);
    }
    const char *hint = json_str(value, "hint");
    if (hint && *hint) {
        (void)fprintf(stderr, "jsorc: to fix it: %s\n", hint);
    }
}

/* "?name=value&..." for an operation that answers GET; owned by the caller. */
static char *query_of(struct json_object *params)
{
    struct buf text = {0};
    json_object_object_foreach(params, name, value)
    {
        bool string = json_object_is_type(value, json_type_string);
        const char *plain = string ? json_object_get_string(value) : json_text(value);
        buf_printf(&text, "%c%s=", buf_size(&text) ? '&' : '?', name);
        for (const char *at = plain; *at; at++) {
            bool safe = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~",
                               *at) != NULL;
            buf_printf(&text, safe ? "%c" : "%%%02X", (unsigned char)*at);
        }
    }
    char *copy = xstrndup(text.data ? text.data : "", buf_size(&text));
    buf_done(&text);
    return copy;
}

int cli_op(struct cli *cli, const char *name, struct json_object *params,
           struct json_object **ret_result)
{
    static const char *const folders[] = {"js_public", "js", "js_admin"};
    const struct op *op = op_find(name, strlen(name));
    if (!op) {
        return cli_fail_text(cli, CLI_FAILED, "this program has no operation '%s'", name);
    }
    CLEANUP(str_free) char *query = op->get ? query_of(params) : xstrdup("");
    CLEANUP(str_free) char *path = xasprintf("/%s/%s%s", folders[op->access], op->name, query);
    struct request request = {.method = op->get ? "GET" : "POST",
                              .path = path,
                              .body = op->get ? slice_str("") : slice_str(json_text(params)),
                              .timeout_ms = cli_timeout_ms(cli)};
    struct reply reply = {0};
    int status = cli_send(cli, &request, &reply);
    if (status != CLI_OK) {
        return status;
    }
    struct json_object *value = NULL;
    cli_reply_value(&reply, &value);
    if (reply.status >= 300 || reply.op_failed) {
        cli_report_reply(cli, &reply, value);
        (void)json_put(value);
        status = CLI_FAILED;
    } else {
        *ret_result = value;
    }
    reply_done(&reply);
    return status;
}
