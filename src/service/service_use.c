/* Methods of a service and its pages, for others. */
#include <errno.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "service/service_priv.h"

#define UPKEEP_INTERVALS 30    /* between two tries: one that fails must not load the host */
#define START_WAIT_MS    10000 /* a call waits so long for a service that it is the first to use */

static const struct service_method *find_method(const struct service *service, const char *name)
{
    for (const struct service_method *m = service->ops->methods; m && m->name; m++) {
        if (strcmp(m->name, name) == 0) {
            return m;
        }
    }
    return NULL;
}

static int refuse_method(const struct service *service, const char *name, struct err *err)
{
    struct buf names = {0};
    for (const struct service_method *m = service->ops->methods; m && m->name; m++) {
        buf_printf(&names, "%s%s", m == service->ops->methods ? "" : ", ", m->name);
    }
    int failed = err_set(err, ENOENT, "%s has no method '%s'; it has: %.*s", service->ops->name,
                         name, (int)buf_size(&names), buf_size(&names) ? names.data : "");
    buf_done(&names);
    return failed;
}

static int check_room(const struct service *service, struct err *err)
{
    return service->all->jobs_out < SERVICE_JOBS_MAX
               ? 0
               : err_set(err, EBUSY, "too many calls of services are under way");
}

/* A call that waits for its service to run, be it with the last good config. */
static void on_settled(void *arg, int status, const char *text)
{
    struct service_job *job = arg;
    struct service *service = job->service;
    if (status != -ECANCELED && service->keep.state == SERVICE_RUNNING) {
        struct service_job *fresh = service_job_new(service, JOB_METHOD); /* it has a port now */
        fresh->method = job->method;
        fresh->method_args = TAKE(job->method_args);
        fresh->call_done = job->call_done;
        fresh->arg = job->arg;
        service_job_submit(fresh);
    } else {
        job->call_done(job->arg, NULL, text ? text : "it does not run");
    }
    service_job_free(job);
}

/* The names in params, of which one is name[size]; -1 = none. */
static int param_index(const char *params, const char *name)
{
    size_t size = strlen(name);
    int index = 0;
    for (const char *at = params; *at; index++) {
        size_t length = strcspn(at, " ");
        if (length == size && memcmp(at, name, size) == 0) {
            return index;
        }
        at += length + (at[length] == ' ');
    }
    return -1;
}

static size_t param_count(const char *params)
{
    size_t count = *params != '\0';
    for (; *params; params++) {
        count += *params == ' ';
    }
    return count;
}

/* Both kinds of arguments as one array of copies; owned by the caller; NULL with err. */
static struct json_object *bind_args(const struct service_method *method, struct json_object *args,
                                     struct json_object *kwargs, struct err *err)
{
    size_t count = args ? json_object_array_length(args) : 0, max = param_count(method->params);
    CLEANUP(json_put) struct json_object *bound = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        struct json_object *copy = NULL;
        (void)json_object_deep_copy(json_object_array_get_idx(args, i), &copy, NULL);
        (void)json_object_array_add(bound, copy);
    }
    if (kwargs) {
        json_object_object_foreach(kwargs, name, value)
        {
            struct json_object *copy = NULL;
            int index = param_index(method->params, name);
            if (index < 0 || (size_t)index < count) {
                (void)err_set(err, EINVAL, "%s does not take '%s'; it takes: %s", method->name,
                              name, method->params);
                return NULL;
            }
            (void)json_object_deep_copy(value, &copy, NULL);
            (void)json_object_array_put_idx(bound, (size_t)index, copy);
        }
    }
    size_t given = json_object_array_length(bound);
    bool whole = given >= method->args_min && given <= max;
    for (size_t i = 0; i < method->args_min && whole; i++) {
        whole = json_object_array_get_idx(bound, i) != NULL;
    }
    if (!whole) {
        (void)err_set(err, EINVAL, "%s takes %s%s", method->name,
                      *method->params ? "these arguments: " : "no argument", method->params);
        return NULL;
    }
    return TAKE(bound);
}

int services_call(struct services *services, const struct service_call *call, service_call_fn done,
                  void *arg, struct err *err)
{
    struct service *service = services_find(services, call->service);
    if (!service) {
        return err_set(err, ENOENT, "service '%s' does not exist", call->service);
    }
    const struct service_method *found = find_method(service, call->method);
    if (!found) {
        return refuse_method(service, call->method, err);
    }
    CLEANUP(json_put) struct json_object *bound = bind_args(found, call->args, call->kwargs, err);
    if (!bound) {
        return -EINVAL;
    }
    if (!service->enabled || service->provider == PROVIDER_EMBEDDED) {
        return err_set(err, ENOTCONN, "%s is disabled or not yet configured!", service->ops->title);
    }
    if (check_room(service, err) < 0) {
        return -EBUSY;
    }
    struct service_job *job = service_job_new(service, JOB_METHOD);
    job->method = found;
    job->call_done = done;
    job->arg = arg;
    job->method_args = TAKE(bound);
    service->asked = true;
    if (service->keep.state == SERVICE_RUNNING) {
        service_job_submit(job);
    } else if (service->keep.state == SERVICE_FAILED) {
        CLEANUP(str_free) char *text = service->error ? xstrdup(service->error) : NULL;
        done(arg, NULL, text ? text : "it does not run");
        service_job_free(job);
    } else {
        service_await(service, &(struct service_wait){START_WAIT_MS, on_settled, job});
    }
    return 0;
}

/* ---- upkeep ---- */

static void on_upkept(void *arg, struct json_object *result, const char *text)
{
    struct service *service = arg;
    const struct services *all = service->all;
    service->upkeep_runs = false;
    str_replace(&service->upkeep_error, text);
    service->upkeep_next_ms = clock_now_ms() + UPKEEP_INTERVALS * all->rules.interval_ms;
    (void)json_put(result);
    if (text && !atomic_load(&all->stopping)) {
        log_warn("upkeep of a service failed", "service=%s work=%s error=\"%s\"",
                 service->ops->name, service->ops->upkeep->name, text);
    } else if (!text) {
        log_info("upkeep of a service is done", "service=%s work=%s", service->ops->name,
                 service->ops->upkeep->name);
    }
}

void service_upkeep(struct service *service)
{
    if (service->upkeep_runs || clock_now_ms() < service->upkeep_next_ms ||
        check_room(service, NULL) < 0) {
        return;
    }
    struct service_job *job = service_job_new(service, JOB_METHOD);
    job->method = service->ops->upkeep;
    job->method_args = json_object_new_array();
    (void)json_object_array_add(job->method_args, json_object_new_string("schedule"));
    job->call_done = on_upkept;
    job->arg = service;
    service->upkeep_runs = true;
    service_job_submit(job);
}

/* ---- pages ---- */

/* A segment that leads out of the folder, however it is written: the server may fold what we do not
 * (RFC 3986, section 5.2.4). */
static bool leads_out(struct slice path)
{
    for (size_t i = 0; i < path.size;) {
        size_t dots = 0, other = 0;
        for (; i < path.size && path.data[i] != '/' && path.data[i] != '\\'; i++) {
            bool coded = path.size - i >= 3 && strncasecmp(path.data + i, "%2e", 3) == 0;
            bool slash = path.size - i >= 3 && (strncasecmp(path.data + i, "%2f", 3) == 0 ||
                                                strncasecmp(path.data + i, "%5c", 3) == 0);
            if (slash) {
                i += 2;
                break;
            }
            dots += coded || path.data[i] == '.';
            other += !coded && path.data[i] != '.';
            i += coded ? 2 : 0;
        }
        if (other == 0 && (dots == 1 || dots == 2)) {
            return true;
        }
        i++;
    }
    return false;
}

int services_http(struct services *services, const char *name, const struct service_http *request,
                  service_http_fn done, void *arg, struct err *err)
{
    struct service *service = services_find(services, name);
    if (!service || !service->ops->root_url) {
        return err_set(err, ENOENT, "service '%s' has no pages", name);
    }
    if (leads_out(request->path)) {
        return err_set(err, EINVAL, "the path must not have '.' or '..' as a part");
    }
    if (service->provider == PROVIDER_ADDRESS && !request->staff) {
        return err_set(err, EACCES, "%s is somebody else's, and what we may see there is for staff",
                       service->ops->name);
    }
    const char *open = service->ops->open_post;
    if (request->post && open && !request->staff && !slice_eq(request->path, slice_str(open))) {
        return err_set(err, EACCES, "what changes something in %s is for staff",
                       service->ops->name);
    }
    if (service->keep.state != SERVICE_RUNNING) {
        return err_set(err, ENOTCONN, "%s does not run%s%s", service->ops->name,
                       service->error ? ": " : "", service->error ? service->error : "");
    }
    if (check_room(service, err) < 0) {
        return -EBUSY;
    }
    struct service_job *job = service_job_new(service, JOB_HTTP);
    job->post = request->post;
    job->path = request->query.size > 0
                    ? xasprintf("%.*s?%.*s", (int)request->path.size, request->path.data,
                                (int)request->query.size, request->query.data)
                    : xstrndup(request->path.data, request->path.size);
    if (request->content_type.size > 0) {
        job->content_type = xstrndup(request->content_type.data, request->content_type.size);
    }
    if (buf_append(&job->body, request->body.data, request->body.size) < 0) {
        service_job_free(job);
        return err_set(err, EBUSY, "no memory for the request");
    }
    job->http_done = done;
    job->arg = arg;
    service_job_submit(job);
    return 0;
}
