#include "api/api_log.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "api/api_priv.h"
#include "api/redact.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "http/http_limits.h"
#include "store/store.h"

static bool is_on(const struct api_call *call)
{
    return call->front->config.log_fd >= 0;
}

static const char *api_name(const struct api_call *call)
{
    return call->op ? call->op->name : call->route->path;
}

/* A text of at most size_max bytes, whole characters only. */
static struct json_object *text_cut(struct slice text, size_t size_max)
{
    if (text.size > size_max) {
        text.size = size_max;
        while (text.size > 0 && (text.data[text.size] & 0xc0) == 0x80) {
            text.size--;
        }
    }
    CLEANUP(str_free) char *copy = xstrndup(text.data ? text.data : "", text.size);
    utf8_repair(copy, text.size);
    return json_object_new_string_len(copy, (int)text.size);
}

static void time_put(struct json_object *record)
{
    int64_t now_ms = clock_unix_ms();
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm utc;
    char text[40];
    char stamp[48];
    (void)gmtime_r(&now_s, &utc);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(stamp, sizeof(stamp), "%s.%03dZ", text, (int)(now_ms % 1000));
    json_set_str(record, "time", stamp);
    json_set_str(record, "level", "info");
}

/* Who it is, by name: an account's e-mail and id, else what stands for it. */
static void caller_put(const struct api_call *call, struct json_object *record)
{
    struct store_user user;
    struct store *store = call->front->config.api->store;
    if (call->caller.user_id && store &&
        store_user_by_id(store, call->caller.user_id, &user, NULL) == 0) {
        json_set_str(record, "caller_name", user.email);
        json_set_str(record, "caller_jid", user.jid);
        return;
    }
    json_set_str(record, "caller_name", call->caller.is_staff ? "local" : "public");
    json_set_str(record, "caller_jid", "");
}

static void record_write(const struct api_call *call, struct json_object *record)
{
    struct buf line = {0};
    buf_printf(&line, "%s\n", json_text(record));
    struct slice text = buf_slice(&line);
    /* One write, so that lines of several writers do not mix; a full disk must not stop the API. */
    (void)!write(call->front->config.log_fd, text.data, text.size);
    buf_done(&line);
}

/* The record that both have in common. */
static struct json_object *record_new(const struct api_call *call)
{
    struct json_object *record = json_object_new_object();
    time_put(record);
    json_set(record, "message", NULL); /* its place; the text comes last */
    json_set_str(record, "api_name", api_name(call));
    caller_put(call, record);
    return record;
}

void api_log_begin(struct api_call *call)
{
    if (!is_on(call)) {
        return;
    }
    struct slice agent = http_request_header(call->request, "user-agent");
    size_t body_bytes = http_request_body(call->request).size;
    CLEANUP(json_put) struct json_object *record = record_new(call);
    CLEANUP(json_put) struct json_object *payload = NULL;
    CLEANUP(str_free) char *size_text = xasprintf("(%zu bytes)", body_bytes);
    struct slice text = slice_str(size_text);
    if (body_bytes <= API_LOG_BODY_BYTES_MAX) {
        payload = redact(call->body, &call->has_secret);
        text = slice_str(json_text(payload));
    }
    CLEANUP(json_put) struct json_object *agent_text = text_cut(agent, API_LOG_SHORT_BYTES);
    CLEANUP(json_put) struct json_object *shown = text_cut(text, API_LOG_SHORT_BYTES);
    CLEANUP(str_free)
    char *message =
        xasprintf("Incoming call from %s:%s to %s with %s via %s", json_str(record, "caller_name"),
                  json_str(record, "caller_jid"), api_name(call), json_object_get_string(shown),
                  json_object_get_string(agent_text));
    json_set_str(record, "message", message);
    json_set(record, "request_user_agent", json_ref(agent_text));
    json_set(record, "request_payload", text_cut(text, API_LOG_TEXT_BYTES_MAX));
    record_write(call, record);
}

void api_log_end(struct api_call *call, bool failed, struct json_object *value)
{
    if (!is_on(call)) {
        return;
    }
    double seconds = (double)call->latency_ns / 1e9;
    CLEANUP(json_put) struct json_object *record = record_new(call);
    CLEANUP(json_put) struct json_object *clean = NULL;
    struct slice text = SLICE("***"); /* who was given a secret may say it again */
    bool found = false;
    if (!call->has_secret) {
        clean = redact(value, &found);
        text = slice_str(json_text(clean));
    }
    CLEANUP(json_put) struct json_object *shown = text_cut(text, API_LOG_SHORT_BYTES);
    CLEANUP(str_free)
    char *message = xasprintf("API call from %s:%s to %s completed in %.6f seconds. Response: %s",
                              json_str(record, "caller_name"), json_str(record, "caller_jid"),
                              api_name(call), seconds, json_object_get_string(shown));
    json_set_str(record, "message", message);
    json_set_double(record, "request_latency", seconds);
    json_set_bool(record, "success", !failed);
    json_set(record, "api_response", text_cut(text, API_LOG_TEXT_BYTES_MAX));
    record_write(call, record);
}
