#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "http/server_priv.h"

const char *http_status_text(int status)
{
    switch (status) {
#define ROW(number, name, text)                                                                    \
    case number:                                                                                   \
        return #text;
        HTTP_STATUS_MAP(ROW)
#undef ROW
    default:
        return "";
    }
}

/* The text changes once a second; each thread keeps its own copy. */
static size_t put_date(char *at)
{
    static _Thread_local int64_t second;
    static _Thread_local char text[40];
    static _Thread_local size_t size;
    int64_t now = clock_unix_s();
    if (now != second) {
        struct tm utc;
        time_t time = (time_t)now;
        (void)gmtime_r(&time, &utc);
        size = strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
        second = now;
    }
    memcpy(at, text, size);
    return size;
}

static size_t put(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return size;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

static size_t put_number(char *at, size_t number)
{
    char digits[24];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++) {
        at[i] = digits[count - 1 - i];
    }
    return count;
}

size_t response_head(char *head, const struct http_response *response, bool http_1_0,
                     bool keep_alive)
{
    char *at = head;
    if (response->status == 200) {
        at += PUT(at, "HTTP/1.1 200 OK\r\n");
    } else {
        at += snprintf(at, 80, "HTTP/1.1 %d %s\r\n", response->status,
                       http_status_text(response->status));
    }
    at += put_date(at);
    if (response->content_type) {
        size_t size = strnlen(response->content_type, 100);
        at += PUT(at, "Content-Type: ");
        at += put(at, response->content_type, size);
        at += PUT(at, "\r\n");
    }
    if (response->status >= 200 && response->status != 204 && response->status != 304) {
        at += PUT(at, "Content-Length: ");
        at += put_number(at, response->body.size);
        at += PUT(at, "\r\n");
    }
    if (!keep_alive) {
        at += PUT(at, "Connection: close\r\n");
    } else if (http_1_0) {
        at += PUT(at, "Connection: keep-alive\r\n");
    }
    return (size_t)(at - head);
}

void http_respond_detail(struct http_request *request, int status, const char *text)
{
    CLEANUP(json_put) struct json_object *body = json_object_new_object();
    json_set_str(body, "detail", text);
    http_respond(request, &(struct http_response){
                              .status = status,
                              .content_type = "application/json",
                              .body = slice_str(json_text(body)),
                          });
}
