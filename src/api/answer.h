/* How the API writes its answers: the rules for what an operation returns, errors, cross-origin
 * headers. Any thread that owns the request. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct http_request;
struct json_object;

/* On each answer: browsers of every origin may read it. There are no cookies here, so an origin
 * gains nothing that its own token does not give. */
#define ANSWER_CORS                                                                                \
    "Access-Control-Allow-Origin: *\r\n"                                                           \
    "Access-Control-Expose-Headers: X-Jsorc-Error, Content-Disposition\r\n"

/* The result of an operation; value is borrowed, NULL = null; its members may be changed. What
 * "report_custom" holds is the whole body; what "report_file" holds ({"name", "base64",
 * "content-type"}) becomes a download; numbers that JSON does not have become null. failed adds
 * X-Jsorc-Error: 1. */
void answer_value(struct http_request *request, int status, bool failed, struct json_object *value);

/* headers: further lines, each with CRLF, or "". */
void answer_empty(struct http_request *request, int status, const char *headers);

/* {"detail": TEXT}, and "hint" when it is not NULL. */
void answer_detail(struct http_request *request, int status, const char *headers, const char *text,
                   const char *hint);

/* 405 with the methods that the path has, e.g. "GET, PUT"; OPTIONS is answered 200 with the same.
 */
void answer_methods(struct http_request *request, const char *allow);

/* To a browser that asks whether another origin's page may send a request. */
void answer_preflight(struct http_request *request);
