/* What a handler may ask of a request. */
#include <assert.h>

#include "http/server_priv.h"

enum request_method http_request_method(const struct http_request *request)
{
    switch (request->message.parser.method) {
    case HTTP_GET:
        return METHOD_GET;
    case HTTP_HEAD:
        return METHOD_HEAD;
    case HTTP_POST:
        return METHOD_POST;
    case HTTP_PUT:
        return METHOD_PUT;
    case HTTP_PATCH:
        return METHOD_PATCH;
    case HTTP_DELETE:
        return METHOD_DELETE;
    case HTTP_OPTIONS:
        return METHOD_OPTIONS;
    default:
        return METHOD_OTHER;
    }
}

const char *http_request_method_name(const struct http_request *request)
{
    return request->message.head_done ? http_method_str(request->message.parser.method) : "";
}

struct slice http_request_path(const struct http_request *request)
{
    struct slice url = http_message_span(&request->message, request->message.url);
    const char *mark = url.size ? memchr(url.data, '?', url.size) : NULL;
    return (struct slice){url.data, mark ? (size_t)(mark - url.data) : url.size};
}

struct slice http_request_query(const struct http_request *request)
{
    struct slice url = http_message_span(&request->message, request->message.url);
    const char *mark = url.size ? memchr(url.data, '?', url.size) : NULL;
    return mark ? slice_from(url, (size_t)(mark - url.data) + 1) : (struct slice){0};
}

struct slice http_request_body(const struct http_request *request)
{
    return http_message_body(&request->message);
}

struct slice http_request_header(const struct http_request *request, const char *name)
{
    return http_message_header(&request->message, name);
}

size_t http_request_header_count(const struct http_request *request)
{
    return request->message.header_count;
}

void http_request_header_at(const struct http_request *request, size_t index, struct slice *name,
                            struct slice *value)
{
    assert(index < request->message.header_count);
    *name = http_message_span(&request->message, request->message.names[index]);
    *value = http_message_span(&request->message, request->message.values[index]);
}

struct slice http_request_id(const struct http_request *request)
{
    struct slice id = http_request_header(request, "X-Request-Id");
    bool good = id.size <= HTTP_REQUEST_ID_MAX;
    for (size_t i = 0; good && i < id.size; i++) {
        char c = id.data[i];
        good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_' || c == '.' || c == ':' || c == '/' || c == '+' || c == '=';
    }
    return good ? id : (struct slice){0};
}

int http_request_listener(const struct http_request *request)
{
    return request->listener_kind;
}

const struct sockaddr *http_request_peer(const struct http_request *request)
{
    return &request->peer.any;
}

int http_request_fd(const struct http_request *request)
{
    return request->stream.fd;
}

uint64_t http_request_start_ns(const struct http_request *request)
{
    return request->start_ns;
}

bool http_request_gone(const struct http_request *request)
{
    return atomic_load(&request->state) & CONN_GONE;
}

struct http_note *http_request_note(struct http_request *request)
{
    return &request->note;
}

const struct http_note *http_request_noted(const struct http_request *request)
{
    return &request->note;
}
