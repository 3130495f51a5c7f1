/* What a worker tells of itself: its status to whoever asks, and one line to its parent. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "worker/document.h"
#include "worker/worker_priv.h"

#define NOTIFY_WAIT_MS 5000 /* for the reader of the ready line, before it is given up */

static const char *role_text(enum worker_role role)
{
    static const char *const texts[] = {"host", "pod", "runtime"};
    return texts[role];
}

/* As /jsorc/figures has them. */
static struct json_object *local_calls(const struct worker *worker)
{
    struct buf text = {0};
    struct json_object *parsed = NULL;
    document_figures(worker->registry, &text);
    (void)json_parse_object(buf_slice(&text), &parsed, NULL);
    buf_done(&text);
    return parsed;
}

struct json_object *status_document(struct worker *worker)
{
    struct json_object *root = json_object_new_object();
    struct worker_memory memory = worker_memory_read();
    struct crew_figures figures = crew_figures(worker->crew);
    json_set_int(root, "pid", getpid());
    json_set_str(root, "role", role_text(worker->config.role));
    json_set_str(root, "name", worker->config.name);
    json_set_int(root, "generation", worker->config.generation);
    json_set_bool(root, "draining", worker->draining);
    json_set_int(root, "pss_kb", memory.pss_kb);
    json_set_int(root, "pss_peak_kb", memory.pss_peak_kb);
    json_set_int(root, "in_flight", figures.waiting + figures.running);
    json_set_int(root, "waiting", figures.waiting);
    json_set_int(root, "threads", figures.threads);
    json_set(root, "modules", document_modules(worker->registry));
    json_set(root, "actions", document_action_figures(worker->registry));
    json_set(root, "walkers", document_walker_figures(worker->registry));
    struct json_object *local = local_calls(worker);
    json_set(root, "local_calls", json_ref(json_member(local, "local_calls", json_type_array)));
    (void)json_put(local);
    return root;
}

char *status_ready_line(struct worker *worker)
{
    CLEANUP(json_put) struct json_object *root = json_object_new_object();
    json_set_bool(root, "ready", true);
    json_set_int(root, "pid", getpid());
    json_set_str(root, "name", worker->config.name);
    json_set_int(root, "generation", worker->config.generation);
    if (worker->address[0]) {
        json_set_str(root, "address", worker->address);
    }
    json_set(root, "modules", document_modules(worker->registry));
    return xasprintf("%s\n", json_text(root));
}

void status_notify(struct worker *worker, struct slice line)
{
    while (line.size > 0 && worker->notify_fd >= 0) {
        ssize_t put = write(worker->notify_fd, line.data, line.size);
        if (put > 0) {
            line = slice_from(line, (size_t)put);
            continue;
        }
        struct pollfd wait = {.fd = worker->notify_fd, .events = POLLOUT};
        bool full = put < 0 && errno == EAGAIN;
        if (!(put < 0 && errno == EINTR) && !(full && poll(&wait, 1, NOTIFY_WAIT_MS) > 0)) {
            log_warn("ready line not delivered", "error=\"%s\"", strerror(errno));
            break;
        }
    }
    worker->notify_fd = fd_close(worker->notify_fd);
}

void worker_report_failure(struct worker *worker, const char *module, const char *stage,
                           const char *error, const char *traceback, const char *hint)
{
    CLEANUP(json_put) struct json_object *root = json_object_new_object();
    json_set_bool(root, "ready", false);
    json_set_str(root, "module", module);
    json_set_str(root, "stage", stage);
    json_set_str(root, "error", error);
    if (traceback) {
        json_set_str(root, "traceback", traceback);
    }
    if (hint) {
        json_set_str(root, "hint", hint);
    }
    CLEANUP(str_free) char *line = xasprintf("%s\n", json_text(root));
    status_notify(worker, slice_str(line));
}
