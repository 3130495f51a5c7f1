/* The pages of services below /prometheus/ and /grafana/. */
#include <errno.h>

#include "api/answer.h"
#include "api/api.h"
#include "api/route.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "http/server.h"
#include "service/service.h"

#define PROMETHEUS "/prometheus/"
#define GRAFANA    "/grafana/"

/* The service's own paths as ours: all of them are below the folder that was asked for. */
static void on_page(void *arg, const struct service_http_reply *reply)
{
    struct slice path = http_request_path(api_request(arg));
    const char *end = memchr(path.data + 1, '/', path.size - 1);
    int size = (int)(end - path.data) + 1;
    CLEANUP(str_free)
    char *location = reply->location
                         ? xasprintf("Location: %.*s%s\r\n", size, path.data, reply->location)
                         : xstrdup("");
    api_answer_as(arg, &(struct http_response){.status = reply->status,
                                               .content_type = reply->content_type,
                                               .headers = slice_str(location),
                                               .body = reply->body});
}

static void refuse(struct api_call *call, const char *service, int failed, const char *text)
{
    struct json_object *body = json_object_new_object();
    CLEANUP(str_free) char *more = xasprintf("'jsorc service info %s' tells more", service);
    json_set_str(body, "detail", text);
    json_set_str(body, "hint",
                 failed == -EINVAL     ? "write the path without them"
                 : failed == -EACCES   ? "send the token of a superuser"
                 : failed == -ENOTCONN ? more
                                       : "try again");
    api_answer(call, failed == -EINVAL ? 400 : failed == -EACCES ? 403 : 503, body);
}

/* folder: where the service's pages are here. */
static void run_page(struct api_call *call, const char *service, const char *folder, bool post)
{
    struct http_request *request = api_request(call);
    struct err err = {0};
    struct service_http page = {
        .post = post,
        .staff = api_user_is_staff(call),
        .path = slice_from(http_request_path(request), strlen(folder)),
        .query = http_request_query(request),
        .content_type = http_request_header(request, "content-type"),
        .body = http_request_body(request),
    };
    int failed = services_http(api_of(call)->services, service, &page, on_page, call, &err);
    if (failed) {
        refuse(call, service, failed, err.text);
    }
}

static void get_prometheus(struct api_call *call)
{
    run_page(call, "prome", PROMETHEUS, false);
}

static void post_prometheus(struct api_call *call)
{
    run_page(call, "prome", PROMETHEUS, true);
}

static void get_grafana(struct api_call *call)
{
    run_page(call, "grafana", GRAFANA, false);
}

static void post_grafana(struct api_call *call)
{
    run_page(call, "grafana", GRAFANA, true);
}

#define PROMETHEUS_HELP                                                                            \
    "Prometheus' own pages and API, e.g. /prometheus/graph or "                                    \
    "/prometheus/api/v1/query?query=up."
#define GRAFANA_HELP                                                                               \
    "Grafana's own pages and API, e.g. /grafana/d/jsorc. What changes something there is for "     \
    "staff."

extern const struct route route_prometheus_get, route_prometheus_post, route_grafana_get,
    route_grafana_post;

const struct route route_prometheus_get = {
    .method = METHOD_GET,
    .path = PROMETHEUS "{path}",
    .deep = true,
    .access = ROUTE_NEAR,
    .help = PROMETHEUS_HELP,
    .body = "",
    .type = "text/html",
    .run = get_prometheus,
};

const struct route route_prometheus_post = {
    .method = METHOD_POST,
    .path = PROMETHEUS "{path}",
    .deep = true,
    .access = ROUTE_NEAR,
    .help = PROMETHEUS_HELP,
    .body = "",
    .type = "application/json",
    .run = post_prometheus,
};

const struct route route_grafana_get = {
    .method = METHOD_GET,
    .path = GRAFANA "{path}",
    .deep = true,
    .access = ROUTE_NEAR,
    .help = GRAFANA_HELP,
    .body = "",
    .type = "text/html",
    .run = get_grafana,
};

const struct route route_grafana_post = {
    .method = METHOD_POST,
    .path = GRAFANA "{path}",
    .deep = true,
    .access = ROUTE_NEAR,
    .help = GRAFANA_HELP,
    .body = "",
    .type = "application/json",
    .run = post_grafana,
};
