#include "worker/registry_priv.h"

#include <assert.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"

struct registry *registry_new(void)
{
    struct registry *registry = xcalloc(1, sizeof(*registry));
    nested_stats_init(&registry->nested, &registry->stats_budget);
    return registry;
}

static struct worker_module *module_free(struct worker_module *module)
{
    if (module) {
        free(module->name);
        free(module->kind);
        free(module->source);
        free(module->loaded_module);
        free(module->note);
        free(module);
    }
    return NULL;
}

static struct worker_action *action_free(struct worker_action *action)
{
    if (action) {
        for (unsigned i = 0; i < action->alias_count; i++) {
            free(action->aliases[i]);
        }
        (void)json_put(action->params_json);
        free(action->name);
        free(action->params);
        free(action->doc);
        free(action->returns);
        action_stats_done(&action->local);
        free(action);
    }
    return NULL;
}
DEFINE_CLEANUP(struct worker_action *, action_free)

static void walker_free(struct worker_walker *walker)
{
    (void)json_put(walker->params);
    free(walker->doc);
    free(walker->name);
    free(walker);
}

struct registry *registry_free(struct registry *registry)
{
    if (!registry) {
        return NULL;
    }
    for (size_t i = 0; i < registry->module_count; i++) {
        (void)module_free(registry->modules[i]);
    }
    for (size_t i = 0; i < registry->action_count; i++) {
        (void)action_free(registry->actions[i]);
    }
    for (size_t i = 0; i < registry->walker_count; i++) {
        walker_free(registry->walkers[i]);
    }
    for (size_t i = 0; i < registry->endpoint_count; i++) {
        free(registry->endpoints[i].path);
    }
    for (size_t i = 0; i < registry->ceded_count; i++) {
        free(registry->ceded[i].module);
        free(registry->ceded[i].name);
    }
    free(registry->ceded);
    nested_stats_done(&registry->nested);
    name_map_done(&registry->full);
    name_map_done(&registry->bare);
    free(registry);
    return NULL;
}

struct worker_module *registry_module(const struct registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->module_count; i++) {
        if (strcmp(registry->modules[i]->name, name) == 0) {
            return registry->modules[i];
        }
    }
    return NULL;
}

int registry_add_module(struct registry *registry, const struct worker_module_def *def,
                        struct err *err)
{
    if (registry_module(registry, def->name)) {
        return err_set(err, EEXIST, "module '%s' is loaded twice", def->name);
    }
    if (registry->module_count == REGISTRY_MODULES_MAX) {
        return err_set(err, ENOSPC, "more than %d modules", REGISTRY_MODULES_MAX);
    }
    struct worker_module *module = xcalloc(1, sizeof(*module));
    *module = (struct worker_module){
        .name = xstrdup(def->name),
        .kind = xstrdup(def->kind),
        .source = xstrdup(def->source),
        .loaded_module = xstrdup(def->loaded_module ? def->loaded_module : def->source),
        .note = def->note ? xstrdup(def->note) : NULL,
        .load_ms = def->load_ms,
        .mem_kb = def->mem_kb,
    };
    registry->modules[registry->module_count++] = module;
    return 0;
}

bool registry_name_ok(const char *name)
{
    struct slice text = slice_str(name);
    if (text.size == 0 || text.size > REGISTRY_NAME_MAX || !utf8_valid(text)) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)name[i] <= ' ' || name[i] == 127 || strchr("/?#\"\\", name[i])) {
            return false;
        }
    }
    return true;
}

static int check_param(struct json_object *param, const char *action, struct err *err)
{
    const char *name = json_str(param, "name");
    const char *kind = json_str(param, "kind");
    static const char *const kinds[] = {"plain", "list", "keyword", "dict"};
    if (!name || !*name) {
        return err_set(err, EINVAL, "action '%s' has a parameter without a name", action);
    }
    for (size_t i = 0; kind && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kind, kinds[i]) == 0) {
            return 0;
        }
    }
    return err_set(err, EINVAL, "parameter '%s' of action '%s' has the unknown kind '%s'", name,
                   action, kind ? kind : "");
}

static int parse_params(struct worker_action *action, struct err *err)
{
    int failed = json_parse(slice_str(action->params), &action->params_json, err);
    if (failed) {
        (void)err_wrap(err, "parameters of action '%s'", action->name);
        return failed;
    }
    if (!json_object_is_type(action->params_json, json_type_array)) {
        return err_set(err, EINVAL, "parameters of action '%s' are no JSON array", action->name);
    }
    size_t count = json_object_array_length(action->params_json);
    if (count > WORKER_PARAMS_MAX) {
        return err_set(err, ENOSPC, "action '%s' has more than %d parameters", action->name,
                       WORKER_PARAMS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        failed = check_param(json_object_array_get_idx(action->params_json, i), action->name, err);
        if (failed) {
            return failed;
        }
    }
    return 0;
}

static int copy_aliases(struct worker_action *action, const char *const *aliases, struct err *err)
{
    int group_size = (int)(action->bare - action->name); /* with its dot */
    for (size_t i = 0; aliases && aliases[i]; i++) {
        if (action->alias_count == WORKER_ALIASES_MAX) {
            return err_set(err, ENOSPC, "action '%s' has more than %d aliases", action->name,
                           WORKER_ALIASES_MAX);
        }
        if (!registry_name_ok(aliases[i]) || strchr(aliases[i], '.')) {
            return err_set(err, EINVAL, "'%s' cannot be an alias of action '%s'", aliases[i],
                           action->name);
        }
        action->aliases[action->alias_count++] =
            xasprintf("%.*s%s", group_size, action->name, aliases[i]);
    }
    return 0;
}

static bool has_name(const struct worker_action *action, const char *full)
{
    bool found = strcmp(action->name, full) == 0;
    for (unsigned i = 0; i < action->alias_count && !found; i++) {
        found = strcmp(action->aliases[i], full) == 0;
    }
    return found;
}

/* A name that the action's own module has given already. */
static const char *find_duplicate(const struct registry *registry,
                                  const struct worker_action *action)
{
    for (size_t i = 0; i < registry->action_count; i++) {
        const struct worker_action *other = registry->actions[i];
        if (other->module != action->module) {
            continue;
        }
        if (has_name(other, action->name)) {
            return action->name;
        }
        for (unsigned k = 0; k < action->alias_count; k++) {
            if (has_name(other, action->aliases[k])) {
                return action->aliases[k];
            }
        }
    }
    return NULL;
}

static int check_action(const struct registry *registry, const struct worker_action *action,
                        struct err *err)
{
    if (registry->action_count == WORKER_ACTIONS_MAX) {
        return err_set(err, ENOSPC, "more than %d actions", WORKER_ACTIONS_MAX);
    }
    const char *twice = find_duplicate(registry, action);
    if (twice) {
        return err_set(err, EEXIST, "module '%s' has two actions named '%s': rename one",
                       action->module->name, twice);
    }
    return 0;
}

int registry_cede(struct registry *registry, const char *module, const char *name, struct err *err)
{
    if (registry->ceded_count == WORKER_ACTIONS_MAX) {
        return err_set(err, ENOSPC, "more than %d names are served elsewhere", WORKER_ACTIONS_MAX);
    }
    registry->ceded =
        xrealloc(registry->ceded, (registry->ceded_count + 1) * sizeof(registry->ceded[0]));
    registry->ceded[registry->ceded_count++] = (struct ceded_name){xstrdup(module), xstrdup(name)};
    return 0;
}

bool registry_is_ceded(const struct registry *registry, const char *module, struct slice name)
{
    for (size_t i = 0; i < registry->ceded_count; i++) {
        if (strcmp(registry->ceded[i].module, module) == 0 &&
            slice_eq(slice_str(registry->ceded[i].name), name)) {
            return true;
        }
    }
    return false;
}

static void publish_name(struct registry *registry, struct worker_action *action, struct slice full)
{
    size_t group_size = (size_t)(action->bare - action->name);
    bool ceded = registry_is_ceded(registry, action->module->name, full);
    name_map_put(&registry->full, full, action, !ceded);
    name_map_put(&registry->bare, slice_from(full, group_size), action, false);
}

static void publish(struct registry *registry, struct worker_action *action)
{
    registry->actions[registry->action_count++] = action;
    publish_name(registry, action, slice_str(action->name));
    for (unsigned i = 0; i < action->alias_count; i++) {
        publish_name(registry, action, slice_str(action->aliases[i]));
    }
}

int registry_add_action(struct registry *registry, const struct worker_action_def *def,
                        struct worker_action **ret_action, struct err *err)
{
    assert(def->call && def->loader);

    const char *dot = strrchr(def->name, '.');
    if (!registry_name_ok(def->name) || !dot || dot == def->name || !dot[1]) {
        return err_set(err, EINVAL, "'%s' is no action name of the form GROUP.FUNCTION", def->name);
    }
    struct worker_module *module = registry_module(registry, def->module);
    if (!module) {
        return err_set(err, EINVAL, "action '%s' is of module '%s', which was not added", def->name,
                       def->module);
    }
    CLEANUP(action_free) struct worker_action *action = NULL;
    if (posix_memalign((void **)&action, _Alignof(struct worker_action), sizeof(*action))) {
        abort();
    }
    *action = (struct worker_action){
        .name = xstrdup(def->name),
        .params = xstrdup(def->params),
        .doc = def->doc ? xstrdup(def->doc) : NULL,
        .returns = def->returns ? xstrdup(def->returns) : NULL,
        .idempotent = def->idempotent,
        .timeout_ms = def->timeout_ms,
        .loader = def->loader,
        .call = def->call,
        .arg = def->arg,
        .module = module,
    };
    action_stats_init(&action->local, STATS_WALKERS_MAX, &registry->stats_budget);
    action->bare = action->name + (dot + 1 - def->name);
    int failed = copy_aliases(action, def->aliases, err);
    if (!failed) {
        failed = parse_params(action, err);
    }
    if (!failed) {
        failed = check_action(registry, action, err);
    }
    if (failed) {
        return failed;
    }
    if (ret_action) {
        *ret_action = action;
    }
    publish(registry, TAKE(action));
    return 0;
}

struct worker_action *registry_find(const struct registry *registry, struct slice name)
{
    struct worker_action *action = name_map_find(&registry->bare, name);
    return action ? action : name_map_find(&registry->full, name);
}
