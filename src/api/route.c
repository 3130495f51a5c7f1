#include "api/route.h"

#include "api/answer.h"
#include "api/api_log.h"
#include "api/api_priv.h"
#include "base/clock.h"
#include "base/json.h"

struct api *api_of(const struct api_call *call)
{
    return call->front->config.api;
}

struct slice api_variable(const struct api_call *call)
{
    return slice_str(call->variable);
}

struct json_object *api_body(const struct api_call *call)
{
    return call->body;
}

struct slice api_header(const struct api_call *call, const char *name)
{
    return http_request_header(call->request, name);
}

long api_user_id(const struct api_call *call)
{
    return (long)call->caller.user_id;
}

bool api_user_is_staff(const struct api_call *call)
{
    return call->caller.is_staff;
}

void api_answer(struct api_call *call, int status, struct json_object *body)
{
    call->latency_ns = clock_now_ns() - call->begun_ns;
    api_log_end(call, status >= 400, body);
    if (body) {
        answer_value(call->request, status, false, body);
        (void)json_put(body);
    } else {
        answer_empty(call->request, status, "");
    }
    api_call_end(call);
}

struct http_request *api_request(const struct api_call *call)
{
    return call->request;
}

void api_answer_as(struct api_call *call, const struct http_response *response)
{
    call->latency_ns = clock_now_ns() - call->begun_ns;
    api_log_end(call, response->status >= 400, NULL);
    http_respond(call->request, response);
    api_call_end(call);
}

void api_answer_text(struct api_call *call, const char *content_type, struct slice text)
{
    api_answer_as(
        call, &(struct http_response){.status = 200, .content_type = content_type, .body = text});
}
