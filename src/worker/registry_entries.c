/* Walkers and endpoints: what requests enter by, besides actions. */
#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "worker/registry_priv.h"

int registry_add_walker(struct registry *registry, const struct worker_walker_def *def,
                        struct worker_stat **ret_stat, struct err *err)
{
    struct worker_module *owner = registry_module(registry, def->module);
    if (!owner) {
        return err_set(err, EINVAL, "walker '%s' is of module '%s', which was not added", def->name,
                       def->module);
    }
    if (!registry_name_ok(def->name)) {
        return err_set(err, EINVAL, "'%s' cannot be a walker's name", def->name);
    }
    for (size_t i = 0; i < registry->walker_count; i++) {
        if (strcmp(registry->walkers[i]->name, def->name) == 0 &&
            registry->walkers[i]->module == owner) {
            return err_set(err, EEXIST, "module '%s' has two walkers named '%s': rename one",
                           def->module, def->name);
        }
    }
    if (registry->walker_count == WORKER_ACTIONS_MAX) {
        return err_set(err, ENOSPC, "more than %d walkers", WORKER_ACTIONS_MAX);
    }
    CLEANUP(json_put) struct json_object *params = NULL;
    int failed = def->params ? json_parse(slice_str(def->params), &params, err) : 0;
    if (failed || (params && !json_object_is_type(params, json_type_array))) {
        return err_set(err, EINVAL, "parameters of walker '%s' are no JSON array", def->name);
    }
    struct worker_walker *walker = xcalloc(1, sizeof(*walker));
    walker->name = xstrdup(def->name);
    walker->params = TAKE(params);
    walker->doc = def->doc ? xstrdup(def->doc) : NULL;
    walker->module = owner;
    registry->walkers[registry->walker_count++] = walker;
    if (ret_stat) {
        *ret_stat = &walker->stat;
    }
    return 0;
}

int registry_add_endpoint(struct registry *registry, const struct worker_endpoint_def *def,
                          struct err *err)
{
    if (def->path[0] != '/' || strpbrk(def->path, "?# \t\r\n")) {
        return err_set(err, EINVAL, "'%s' is no path: it must begin with '/'", def->path);
    }
    for (size_t i = 0; i < registry->endpoint_count; i++) {
        if (strcmp(registry->endpoints[i].path, def->path) == 0) {
            return err_set(err, EEXIST, "endpoint '%s' is exposed twice", def->path);
        }
    }
    if (registry->endpoint_count == REGISTRY_ENDPOINTS_MAX) {
        return err_set(err, ENOSPC, "more than %d endpoints", REGISTRY_ENDPOINTS_MAX);
    }
    registry->endpoints[registry->endpoint_count++] = (struct worker_endpoint){
        .path = xstrdup(def->path),
        .prefix = def->prefix,
        .loader = def->loader,
        .call = def->call,
        .arg = def->arg,
    };
    return 0;
}

/* "/files" as a prefix serves "/files" and "/files/a", not "/filesystem". */
static bool below(struct slice path, struct slice prefix)
{
    bool slash = prefix.size > 0 && prefix.data[prefix.size - 1] == '/';
    return slice_starts(path, prefix) &&
           (slash || path.size == prefix.size || path.data[prefix.size] == '/');
}

const struct worker_endpoint *registry_endpoint(const struct registry *registry, struct slice path)
{
    const struct worker_endpoint *found = NULL;
    size_t found_size = 0;
    for (size_t i = 0; i < registry->endpoint_count; i++) {
        const struct worker_endpoint *endpoint = &registry->endpoints[i];
        struct slice own = slice_str(endpoint->path);
        if (slice_eq(own, path)) {
            return endpoint;
        }
        if (endpoint->prefix && own.size >= found_size && below(path, own)) {
            found = endpoint;
            found_size = own.size;
        }
    }
    return found;
}
