/* Calls that come from inside the process: of an action that is here, and, through the daemon, of
 * one that is elsewhere. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "http/blocking.h"
#include "worker/origin.h"
#include "worker/worker_priv.h"

#define DAEMON_TIMEOUT_MS  (3600 * 1000ULL) /* the daemon's own limits end a call before that */
#define CONNECT_TIMEOUT_MS 2000

struct worker_action *worker_action_find(const struct worker *worker, struct slice name)
{
    struct worker_action *action = name_map_find(&worker->registry->full, name);
    if (action && registry_is_ceded(worker->registry, action->module->name, name)) {
        return NULL;
    }
    return action ? action : name_map_find(&worker->registry->bare, name);
}

struct worker_stat *worker_action_stat(struct worker_action *action)
{
    return &action->stat;
}

bool worker_is_measured(const struct worker *worker)
{
    return !worker->config.unmeasured;
}

void worker_count_call(struct worker_action *action, struct slice walker, uint64_t exec_ns,
                       uint64_t nested_ns, bool failed)
{
    worker_stat_add(&action->stat, exec_ns, failed);
    call_stats_add(
        action_stats_of(&action->local, walker),
        &(struct call_sample){
            .latency_ns = exec_ns, .exec_ns = exec_ns, .nested_ns = nested_ns, .failed = failed});
}

const char *worker_action_name(const struct worker_action *action)
{
    return action->name;
}

const struct worker_loader *worker_action_loader(const struct worker_action *action)
{
    return action->loader;
}

const char *worker_action_params(const struct worker_action *action)
{
    return action->params;
}

static void enter(const struct worker_loader *loader)
{
    if (loader->enter) {
        loader->enter(loader->arg);
    }
}

static void leave(const struct worker_loader *loader)
{
    if (loader->leave) {
        loader->leave(loader->arg);
    }
}

void worker_action_call(const struct worker *worker, struct worker_action *action,
                        struct slice body, struct worker_answer *answer)
{
    static const struct call_rules rules = {.result_bytes_max = SIZE_MAX}; /* nothing is sent */
    struct job job = {
        .loader = action->loader,
        .call = action->call,
        .arg = action->arg,
        .input = {.route = WORKER_ACTION, .name = slice_str(action->name), .body = body},
    };
    enter(action->loader);
    call_execute(&rules, &job, answer);
    origin_add_nested(answer->exec_ns);
    if (worker_is_measured(worker)) {
        worker_count_call(action, origin_walker(origin_current()), answer->exec_ns,
                          answer->nested_ns, answer->failed || call_status_failed(answer->status));
    }
    if (!answer->content_type || strncmp(answer->content_type, "application/json", 16) != 0) {
        if (answer->release) {
            answer->release(answer->owner);
        }
        worker_answer_error(answer, 500, "not_json",
                            "the action's answer is no JSON: only HTTP clients can use it");
    }
    leave(action->loader);
}

void worker_answer_release(const struct worker_action *action, struct worker_answer *answer)
{
    if (answer->release) {
        enter(action->loader);
        answer->release(answer->owner);
        answer->release = NULL;
        leave(action->loader);
    }
}

void worker_thread_waits(struct worker *worker)
{
    crew_thread_waits(worker->crew);
}

void worker_thread_leaves(struct worker *worker)
{
    crew_thread_leaves(worker->crew);
}

/* ---- through the daemon ---- */

/* A connection a thread and worker; any thread may call, so its end must be noticed here. */
struct link {
    const struct worker *worker; /* weak; only compared */
    struct http_blocking *client;
};

static pthread_key_t link_key;
static pthread_once_t link_once = PTHREAD_ONCE_INIT;

static void link_free(void *arg)
{
    struct link *link = arg;
    (void)http_blocking_free(link->client);
    free(link);
}

static void make_link_key(void)
{
    if (pthread_key_create(&link_key, link_free)) {
        abort();
    }
}

static struct http_blocking *client_of(const struct worker *worker, struct err *err)
{
    (void)pthread_once(&link_once, make_link_key);
    struct link *link = pthread_getspecific(link_key);
    if (link && link->worker == worker) {
        return link->client;
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = worker->config.daemon_path;
    if (strlen(path) >= sizeof(address.sun_path)) {
        (void)err_set(err, ENAMETOOLONG, "socket path '%s' is too long", path);
        return NULL;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (!link) {
        link = xcalloc(1, sizeof(*link));
        (void)pthread_setspecific(link_key, link);
    }
    (void)http_blocking_free(link->client);
    link->worker = worker;
    link->client = http_blocking_new((const struct sockaddr *)&address, sizeof(address));
    return link->client;
}

/* Only letters that a name may have anyway go into the request line as they are. */
static char *escape(struct slice name)
{
    static const char hex[] = "0123456789ABCDEF";
    char *text = xcalloc(3 * name.size + 1, 1);
    size_t size = 0;
    for (size_t i = 0; i < name.size; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == '-';
        if (plain) {
            text[size++] = (char)byte;
        } else {
            text[size++] = '%';
            text[size++] = hex[byte >> 4];
            text[size++] = hex[byte & 15];
        }
    }
    return text;
}

static int code_of(enum http_outcome outcome, const struct err *err)
{
    switch (outcome) {
    case HTTP_REPLIED:
        return 0;
    case HTTP_UNSENT:
        return -ECONNREFUSED;
    case HTTP_TIMED_OUT:
        return -ETIMEDOUT;
    case HTTP_BROKEN:
        return err->code == EMSGSIZE ? -EMSGSIZE : -EPROTO;
    default:
        return -ECONNRESET;
    }
}

int worker_remote_call(struct worker *worker, struct slice name, struct slice body,
                       uint64_t timeout_ms, struct worker_answer *answer, struct err *err)
{
    struct err cause = {0};
    if (!worker->config.daemon_path) {
        return err_set(err, ENOTCONN,
                       "action '%.*s' is not loaded here, and this worker has no daemon to ask",
                       (int)name.size, name.data);
    }
    struct http_blocking *client = client_of(worker, err);
    if (!client) {
        return -ENOTCONN;
    }
    char line_buffer[ORIGIN_LINES_MAX];
    struct slice lines = origin_lines(origin_current(), line_buffer);
    CLEANUP(str_free) char *path = escape(name);
    CLEANUP(str_free)
    char *head = xasprintf("POST /actions/%s HTTP/1.1\r\nHost: jsorc\r\n"
                           "Content-Type: application/json\r\n%.*s%sContent-Length: %zu\r\n\r\n",
                           path, (int)lines.size, lines.data,
                           worker_is_measured(worker) ? "X-Jsorc-Timed: 1\r\n" : "", body.size);
    struct http_send send = {
        .head = slice_str(head),
        .body = body,
        .timeout_ms = timeout_ms ? timeout_ms : DAEMON_TIMEOUT_MS,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .reply_bytes_max = worker->rules.result_bytes_max,
    };
    struct http_reply reply;
    crew_thread_leaves(worker->crew);
    int failed = code_of(http_blocking_call(client, &send, &reply, &cause), &cause);
    crew_thread_returns(worker->crew);
    if (failed) {
        return err_set(err, -failed, "action '%.*s': %s", (int)name.size, name.data, cause.text);
    }
    bool json = reply.content_type.size >= 16 &&
                slice_starts(reply.content_type, SLICE("application/json"));
    char *copy = try_alloc(reply.body.size + 1);
    if (!copy) {
        return err_set(err, EMSGSIZE, "no memory for a reply of %zu bytes", reply.body.size);
    }
    if (reply.body.size > 0) {
        memcpy(copy, reply.body.data, reply.body.size);
    }
    copy[reply.body.size] = '\0';
    *answer = (struct worker_answer){
        .status = reply.status,
        .content_type = json ? "application/json" : "application/octet-stream",
        .body = {copy, reply.body.size},
        .place = worker_place_from(reply.place),
        .release = free,
        .owner = copy,
    };
    return 0;
}

void worker_count_remote(struct worker *worker, struct slice name, const struct worker_wait *wait)
{
    origin_add_nested(wait->waited_ns);
    if (worker_is_measured(worker) && wait->place != WORKER_PLACE_UNKNOWN && !wait->failed) {
        nested_stats_add(&worker->registry->nested, name, wait->place,
                         origin_walker(origin_current()), wait->seen_ns);
    }
}

void worker_remote_release(struct worker_answer *answer)
{
    if (answer->release) {
        answer->release(answer->owner);
        answer->release = NULL;
    }
}
