/* From a request to what serves it. What needs no user code is answered here, by the thread that
 * holds the loop; all else becomes a job.
 *
 * The paths are those of the original's action server, with its redirects: a path without its last
 * slash is answered 307 to the path with it, which keeps method and body. */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "http/docs_page.h"
#include "http/server.h"
#include "worker/document.h"
#include "worker/worker_priv.h"

#define SEGMENT_MAX (3 * REGISTRY_NAME_MAX) /* percent-encoded */

/* ---- answers without user code ---- */

void route_refuse(struct http_request *request, int status, const char *type, const char *detail,
                  const char *headers)
{
    CLEANUP(json_put) struct json_object *body = json_object_new_object();
    json_set_str(body, "detail", detail);
    json_set_str(body, "type", type);
    http_respond(request, &(struct http_response){
                              .status = status,
                              .content_type = "application/json",
                              .headers = slice_str(headers),
                              .body = slice_str(json_text(body)),
                          });
}

static void answer(struct http_request *request, int status, const char *type, struct slice body)
{
    http_respond(request,
                 &(struct http_response){.status = status, .content_type = type, .body = body});
}

static void answer_json(struct http_request *request, const char *text)
{
    answer(request, 200, "application/json", slice_str(text));
}

static void refuse_unknown(struct http_request *request)
{
    route_refuse(request, 404, "not_found", "Not Found", "");
}

static void refuse_method(struct http_request *request, const char *allow)
{
    char line[40];
    (void)snprintf(line, sizeof(line), "Allow: %s\r\n", allow);
    route_refuse(request, 405, "method_not_allowed", "Method Not Allowed", line);
}

static void redirect(struct http_request *request, struct slice path, const char *tail)
{
    struct slice query = http_request_query(request);
    CLEANUP(str_free)
    char *line = xasprintf("Location: %.*s%s%s%.*s\r\n", (int)path.size, path.data, tail,
                           query.size ? "?" : "", (int)query.size, query.data);
    http_respond(request, &(struct http_response){.status = 307, .headers = slice_str(line)});
}

/* ---- jobs ---- */

static void push(struct worker *worker, const struct job *job, bool first)
{
    if (crew_push(worker->crew, job, first)) {
        http_server_pause(worker->server);
    }
}

static uint64_t expected_ns(const struct worker_action *action)
{
    uint64_t calls = atomic_load_explicit(&action->stat.calls, memory_order_relaxed);
    uint64_t exec_ns = atomic_load_explicit(&action->stat.exec_ns, memory_order_relaxed);
    return calls > 0 ? exec_ns / calls : 0;
}

static void push_action(struct worker *worker, struct http_request *request,
                        struct worker_action *action)
{
    struct job job = {
        .loader = action->loader,
        .call = action->call,
        .arg = action->arg,
        .action = action,
        .expected_ns = expected_ns(action),
        .hog = &action->hog,
        .input = {.route = WORKER_ACTION,
                  .name = slice_str(action->name),
                  .query = http_request_query(request),
                  .body = http_request_body(request),
                  .request = request},
    };
    push(worker, &job, false);
}

static void push_walker(struct worker *worker, struct http_request *request,
                        enum worker_route route, struct slice name)
{
    struct job job = {
        .loader = worker->walker_run.loader,
        .call = worker->walker_run.call,
        .arg = worker->walker_run.arg,
        .input = {.route = route,
                  .name = name,
                  .query = http_request_query(request),
                  .body = http_request_body(request),
                  .request = request},
    };
    push(worker, &job, false);
}

static void push_endpoint(struct worker *worker, struct http_request *request,
                          const struct worker_endpoint *endpoint, struct slice path)
{
    struct job job = {
        .loader = endpoint->loader,
        .call = endpoint->call,
        .arg = endpoint->arg,
        .input = {.route = WORKER_ENDPOINT,
                  .name = slice_from(path, endpoint->prefix ? strlen(endpoint->path) : 0),
                  .query = http_request_query(request),
                  .request = request},
    };
    push(worker, &job, false);
}

static void answer_health(void *arg, const struct worker_call *call, struct worker_answer *out)
{
    (void)arg;
    (void)call;
    out->body = SLICE("{\"status\": \"ok\"}");
}

static void push_health(struct worker *worker, struct http_request *request)
{
    struct job job = {.loader = worker->health_loader,
                      .call = answer_health,
                      .input = {.name = SLICE("healthz"), .request = request}};
    push(worker, &job, true);
}

/* ---- GET ---- */

static void get_spec(struct worker *worker, struct http_request *request)
{
    struct slice query = http_request_query(request);
    bool full = slice_eq(query, SLICE("full=1")) || slice_eq(query, SLICE("full=true"));
    answer_json(request, full ? worker->full_spec : worker->spec);
}

static void get_status(struct worker *worker, struct http_request *request)
{
    CLEANUP(json_put) struct json_object *body = status_document(worker);
    answer_json(request, json_text(body));
}

/* What of the status costs next to nothing and is asked for often. */
static void get_figures(struct worker *worker, struct http_request *request)
{
    struct buf body = {0};
    document_figures(worker->registry, &body);
    answer(request, 200, "application/json", buf_slice(&body));
    buf_done(&body);
}

static void get_openapi(struct worker *worker, struct http_request *request)
{
    answer_json(request, worker->openapi);
}

static void get_root(struct worker *worker, struct http_request *request)
{
    (void)worker;
    redirect(request, SLICE("/docs"), "");
}

static const struct {
    const char *path;
    void (*get)(struct worker *worker, struct http_request *request);
} GET_ROUTES[] = {
    {"/jaseci_actions_spec/", get_spec}, {"/healthz", push_health},
    {"/jsorc/status", get_status},       {"/jsorc/figures", get_figures},
    {"/openapi.json", get_openapi},      {"/", get_root},
};

#define GET_ROUTE_COUNT (sizeof(GET_ROUTES) / sizeof(GET_ROUTES[0]))

/* path with or without its last slash; *ret_exact tells which. GET_ROUTE_COUNT = none. */
static size_t find_get(struct slice path, bool *ret_exact)
{
    for (size_t i = 0; i < GET_ROUTE_COUNT; i++) {
        struct slice own = slice_str(GET_ROUTES[i].path);
        bool slash_missing =
            own.size == path.size + 1 && slice_starts(own, path) && own.data[path.size] == '/';
        bool slash_extra =
            path.size == own.size + 1 && slice_starts(path, own) && path.data[own.size] == '/';
        *ret_exact = slice_eq(own, path);
        if (*ret_exact || ((slash_missing || slash_extra) && own.size > 1)) {
            return i;
        }
    }
    return GET_ROUTE_COUNT;
}

/* True when a GET route is at path: it was answered, or made a job. */
static bool route_get(struct worker *worker, struct http_request *request, struct slice path)
{
    enum request_method method = http_request_method(request);
    bool reads = method == METHOD_GET || method == METHOD_HEAD;
    const struct docs_page *page = docs_page_find(path);
    if (page && reads) {
        docs_page_respond(request, page);
        return true;
    }
    bool exact;
    size_t index = find_get(path, &exact);
    const struct worker_endpoint *endpoint =
        index == GET_ROUTE_COUNT ? registry_endpoint(worker->registry, path) : NULL;
    if (index == GET_ROUTE_COUNT && !endpoint && !page) {
        return false;
    }
    if (!reads) {
        refuse_method(request, "GET, HEAD");
    } else if (endpoint) {
        push_endpoint(worker, request, endpoint, path);
    } else if (exact) {
        GET_ROUTES[index].get(worker, request);
    } else {
        redirect(request, slice_str(GET_ROUTES[index].path), "");
    }
    return true;
}

/* ---- POST ---- */

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit = (char)(digit | 32);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Decodes a segment into buffer[SEGMENT_MAX] if it holds a '%'. Empty when it cannot be a name. */
static struct slice decode(struct slice segment, char *buffer)
{
    if (segment.size == 0 || !memchr(segment.data, '%', segment.size)) {
        return segment;
    }
    size_t size = 0;
    if (segment.size > SEGMENT_MAX) {
        return (struct slice){0};
    }
    for (size_t i = 0; i < segment.size; i++) {
        char byte = segment.data[i];
        if (byte == '%' && i + 2 < segment.size) {
            int high = hex(segment.data[i + 1]), low = hex(segment.data[i + 2]);
            if (high < 0 || low < 0) {
                return (struct slice){0};
            }
            byte = (char)(high * 16 + low);
            i += 2;
        }
        buffer[size++] = byte;
    }
    return (struct slice){buffer, size};
}

struct target {
    struct worker_action *action; /* NULL unless an action */
    enum worker_route route;
    struct slice walker; /* for WORKER_WAPI: in the path */
    bool found;
};

/* What a path means, its last slash taken off. */
static struct target find_target(const struct worker *worker, struct slice path)
{
    char buffer[SEGMENT_MAX];
    struct slice segment = slice_from(path, 1);
    struct target target = {.route = WORKER_ACTION};
    struct slice wapi = SLICE("wapi/");
    if (worker->walker_run.call && slice_eq(segment, SLICE("walker_run"))) {
        target.route = WORKER_WALKER_RUN;
        target.found = true;
    } else if (worker->walker_run.call && slice_starts(segment, wapi) && segment.size > wapi.size &&
               !memchr(segment.data + wapi.size, '/', segment.size - wapi.size)) {
        target.route = WORKER_WAPI;
        target.walker = slice_from(segment, wapi.size);
        target.found = true;
    } else {
        target.action = registry_find(worker->registry, decode(segment, buffer));
        target.found = target.action != NULL;
    }
    return target;
}

static void route_call(struct worker *worker, struct http_request *request, struct slice path,
                       const struct target *target)
{
    if (!target->found) {
        refuse_unknown(request);
    } else if (path.data[path.size - 1] != '/') {
        redirect(request, path, "/");
    } else if (http_request_method(request) != METHOD_POST) {
        refuse_method(request, "POST");
    } else if (target->action) {
        push_action(worker, request, target->action);
    } else {
        push_walker(worker, request, target->route, target->walker);
    }
}

void route_handle(void *arg, struct http_request *request)
{
    struct worker *worker = arg;
    struct slice path = http_request_path(request);
    if (guard_refuses(worker, request, path)) {
        return;
    }
    if (path.size == 0 || path.data[0] != '/') {
        refuse_unknown(request);
        return;
    }
    bool slash = path.size > 1 && path.data[path.size - 1] == '/';
    struct target target = find_target(worker, (struct slice){path.data, path.size - slash});
    bool is_call = target.found && http_request_method(request) == METHOD_POST;
    if (is_call || !route_get(worker, request, path)) {
        route_call(worker, request, path, &target);
    }
}
