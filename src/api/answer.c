#include "api/answer.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/op_run.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "http/server.h"

#define JSON_TYPE     "application/json"
#define FILE_TYPE_MAX 100 /* longer names of a content type do not exist */
#define FILE_NAME_MAX 255 /* as file systems have it */

/* A download: bytes and the header lines that go with them. */
struct download {
    unsigned char *bytes; /* owned */
    size_t size;
    char content_type[FILE_TYPE_MAX + 1];
    struct buf headers;
};

/* NaN and infinity become null in place. Depth is what the parsers and our own code made. */
static struct json_object *numbers_clean(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_double:
        return isfinite(json_object_get_double(value)) ? json_ref(value) : NULL;
    case json_type_array:
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            struct json_object *item = json_object_array_get_idx(value, i);
            struct json_object *clean = numbers_clean(item);
            if (clean != item) {
                (void)json_object_array_put_idx(value, i, clean);
            } else {
                (void)json_put(clean);
            }
        }
        return json_ref(value);
    case json_type_object: {
        json_object_object_foreach(value, name, member)
        {
            struct json_object *clean = numbers_clean(member);
            if (clean != member) {
                json_set(value, name, clean); /* replaces in place: the walk goes on */
            } else {
                (void)json_put(clean);
            }
        }
        return json_ref(value);
    }
    default:
        return json_ref(value);
    }
}

static void respond_json(struct http_request *request, int status, const char *headers,
                         struct json_object *value)
{
    CLEANUP(json_put) struct json_object *clean = numbers_clean(value);
    CLEANUP(str_free) char *repaired = NULL;
    struct slice text = slice_str(json_text(clean));
    if (!utf8_valid(text)) { /* a worker's or a file's bytes came in */
        repaired = xstrndup(text.data, text.size);
        utf8_repair(repaired, text.size);
        text.data = repaired;
    }
    http_respond(request, &(struct http_response){
                              .status = status,
                              .content_type = JSON_TYPE,
                              .headers = slice_str(headers),
                              .body = text,
                          });
}

void answer_empty(struct http_request *request, int status, const char *headers)
{
    CLEANUP(str_free) char *lines = xasprintf("%s%s", ANSWER_CORS, headers);
    http_respond(request, &(struct http_response){.status = status, .headers = slice_str(lines)});
}

void answer_detail(struct http_request *request, int status, const char *headers, const char *text,
                   const char *hint)
{
    CLEANUP(json_put) struct json_object *body = json_object_new_object();
    CLEANUP(str_free) char *lines = xasprintf("%s%s", ANSWER_CORS, headers);
    json_set_str(body, "detail", text);
    if (hint) {
        json_set_str(body, "hint", hint);
    }
    respond_json(request, status, lines, body);
}

void answer_methods(struct http_request *request, const char *allow)
{
    CLEANUP(str_free) char *header = xasprintf("Allow: %s\r\n", allow);
    if (http_request_method(request) == METHOD_OPTIONS) {
        answer_empty(request, 200, header);
        return;
    }
    CLEANUP(str_free)
    char *text = xasprintf("Method \"%s\" not allowed.", http_request_method_name(request));
    answer_detail(request, 405, header, text, NULL);
}

void answer_preflight(struct http_request *request)
{
    http_respond(
        request,
        &(struct http_response){
            .status = 200,
            .headers = SLICE(ANSWER_CORS
                             "Access-Control-Allow-Methods: DELETE, GET, OPTIONS, PATCH, POST, "
                             "PUT\r\n"
                             "Access-Control-Allow-Headers: accept, accept-encoding, "
                             "authorization, content-type, dnt, origin, user-agent, x-csrftoken, "
                             "x-requested-with\r\n"
                             "Access-Control-Max-Age: 86400\r\n"),
        });
}

/* Only what can stand in a header; anything else is told as plain bytes. */
static void content_type_copy(char *type, const char *from)
{
    bool good = from && from[0] && strlen(from) <= FILE_TYPE_MAX;
    for (size_t i = 0; good && from[i]; i++) {
        good = from[i] >= ' ' && from[i] <= '~';
    }
    (void)snprintf(type, FILE_TYPE_MAX + 1, "%s", good ? from : "application/octet-stream");
}

/* The name twice: plain for old clients, and percent-encoded UTF-8 (RFC 6266). */
static void disposition_put(struct buf *headers, const char *name)
{
    if (!name || !name[0]) {
        name = "download";
    }
    size_t size = strnlen(name, FILE_NAME_MAX);
    buf_printf(headers, ANSWER_CORS "X-Content-Type-Options: nosniff\r\n"
                                    "Content-Disposition: attachment; filename=\"");
    for (size_t i = 0; i < size; i++) {
        bool plain = name[i] >= ' ' && name[i] <= '~' && !strchr("\"\\/", name[i]);
        buf_printf(headers, "%c", plain ? name[i] : '_');
    }
    buf_printf(headers, "\"; filename*=UTF-8''");
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)name[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c && strchr("-._~", c));
        buf_printf(headers, plain ? "%c" : "%%%02X", c);
    }
    buf_printf(headers, "\r\n");
}

/* False: not the shape of a file. */
static bool download_make(struct json_object *file, struct download *ret_download)
{
    const char *base64 = json_str(file, "base64");
    if (!base64) {
        return false;
    }
    size_t length = strlen(base64);
    unsigned char *bytes = try_alloc(length + 1);
    size_t size = 0;
    if (!bytes || sodium_base642bin(bytes, length + 1, base64, length, " \r\n", &size, NULL,
                                    sodium_base64_VARIANT_ORIGINAL) != 0) {
        free(bytes);
        return false;
    }
    *ret_download = (struct download){.bytes = bytes, .size = size};
    content_type_copy(ret_download->content_type, json_str(file, "content-type"));
    disposition_put(&ret_download->headers, json_str(file, "name"));
    return true;
}

static void answer_file(struct http_request *request, int status, struct json_object *file)
{
    struct download download = {0};
    if (!download_make(file, &download)) {
        CLEANUP(json_put)
        struct json_object *envelope =
            op_envelope("report_file must be an object with \"base64\", and perhaps \"name\" and "
                        "\"content-type\"");
        answer_value(request, 200, true, envelope);
        return;
    }
    http_respond(request, &(struct http_response){
                              .status = status,
                              .content_type = download.content_type,
                              .headers = buf_slice(&download.headers),
                              .body = {(const char *)download.bytes, download.size},
                          });
    free(download.bytes);
    buf_done(&download.headers);
}

void answer_value(struct http_request *request, int status, bool failed, struct json_object *value)
{
    struct json_object *part = NULL;
    if (json_object_is_type(value, json_type_object)) {
        if (json_object_object_get_ex(value, "report_custom", &part) && part) {
            value = part;
        } else if (json_object_object_get_ex(value, "report_file", &part) && part) {
            answer_file(request, status, part);
            return;
        }
    }
    respond_json(request, status, failed ? ANSWER_CORS "X-Jsorc-Error: 1\r\n" : ANSWER_CORS, value);
}
