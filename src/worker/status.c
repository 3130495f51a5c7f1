#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "worker/document.h"
#include "worker/worker_priv.h"

static const char *role_text(enum worker_role role)
{
    static const char *const texts[] = {"host", "pod", "runtime"};
    return texts[role];
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
