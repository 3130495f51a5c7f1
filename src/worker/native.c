/* Loading: dlopen, the checks of what the module declares, setup, registration. Everything that a
 * module's author can get wrong is told with the words of action.h. */
#include "worker/native.h"

#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "worker/native_priv.h"

static const struct worker_loader native_loader = {.kind = "native"};

static struct native_module *module_free(struct native_module *module)
{
    if (!module) {
        return NULL;
    }
    if (module->set_up && module->def->teardown) {
        module->def->teardown();
    }
    for (size_t i = 0; i < module->action_count; i++) {
        for (unsigned k = 0; k < module->actions[i].param_count; k++) {
            (void)json_put(module->actions[i].params[k].fallback);
        }
    }
    free(module->actions);
    if (module->handle) {
        (void)dlclose(module->handle);
    }
    (void)pthread_mutex_destroy(&module->lock);
    free(module->group);
    free(module->name);
    free(module);
    return NULL;
}
DEFINE_CLEANUP(struct native_module *, module_free)

static void end_module(void *arg)
{
    (void)module_free(arg);
}

static struct native_module *module_new(struct worker *worker, const char *name)
{
    struct native_module *module = xcalloc(1, sizeof(*module));
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&module->lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    module->worker = worker;
    module->name = xstrdup(name);
    return module;
}

/* ---- import ---- */

static int check_abi(const struct jsorc_module *def, const char *path, struct err *err)
{
    if (def->abi != JSORC_ABI || def->abi_minor > JSORC_ABI_MINOR) {
        return err_set(err, ELIBBAD,
                       "'%s' is built for version %u.%u of the C interface, this jsorc has %u.%u: "
                       "build it with the jsorc/action.h of this jsorc",
                       path, def->abi, def->abi_minor, JSORC_ABI, JSORC_ABI_MINOR);
    }
    if (def->size < sizeof(struct jsorc_module)) {
        return err_set(err, ELIBBAD,
                       "'%s' declares a module of %u bytes, %zu are needed: begin it with "
                       "JSORC_MODULE_HEAD",
                       path, def->size, sizeof(struct jsorc_module));
    }
    return 0;
}

static int import(struct native_module *module, const char *path, struct err *err)
{
    if (access(path, F_OK) < 0) {
        return err_set(err, ENOENT, "there is no file '%s'", path);
    }
    /* dlopen searches its own folders for a name without a slash. */
    CLEANUP(str_free) char *full = realpath(path, NULL);
    module->handle = dlopen(full ? full : path, RTLD_NOW | RTLD_LOCAL);
    if (!module->handle) {
        return err_set(err, ELIBBAD, "'%s' cannot be loaded: %s", path, dlerror());
    }
    module->def = dlsym(module->handle, "jsorc_module");
    if (!module->def) {
        return err_set(err, ELIBBAD,
                       "'%s' exports no symbol 'jsorc_module': it is no module of actions, or it "
                       "lacks JSORC_MODULE = {...}",
                       path);
    }
    return check_abi(module->def, path, err);
}

/* ---- actions ---- */

/* The file's name up to its first dot. */
static char *group_of(const struct native_module *module, const char *path)
{
    if (module->def->group) {
        return xstrdup(module->def->group);
    }
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    return xstrndup(base, strcspn(base, "."));
}

static int parse_params(struct native_action *action, struct err *err)
{
    const struct jsorc_param *params = action->def->params;
    for (unsigned i = 0; i < JSORC_PARAMS_MAX && params[i].name; i++) {
        if (i == JSORC_PARAMS_MAX - 1) {
            return err_set(err, ENOSPC, "action '%s' has more than %d parameters",
                           action->def->name, JSORC_PARAMS_MAX - 1);
        }
        action->param_count = i + 1; /* also when it fails: what it holds is freed */
        int failed = native_param_parse(&params[i], &action->params[i], err);
        if (failed) {
            (void)err_wrap(err, "action '%s'", action->def->name);
            return failed;
        }
        for (unsigned k = 0; k < i; k++) {
            if (strcmp(params[k].name, params[i].name) == 0) {
                return err_set(err, EEXIST, "action '%s' has two parameters named '%s'",
                               action->def->name, params[i].name);
            }
        }
    }
    return 0;
}

static int parse_actions(struct native_module *module, struct err *err)
{
    const struct jsorc_action *defs = module->def->actions;
    size_t count = 0;
    while (defs && defs[count].name && count <= WORKER_ACTIONS_MAX) {
        count++;
    }
    if (count == 0) {
        return err_set(err, ENODATA,
                       "it has no actions: .actions must point to a table with at least one");
    }
    if (count > WORKER_ACTIONS_MAX) {
        return err_set(err, ENOSPC, "more than %d actions: the table must end with {.name = NULL}",
                       WORKER_ACTIONS_MAX);
    }
    module->actions = xcalloc(count, sizeof(struct native_action));
    for (size_t i = 0; i < count; i++) {
        struct native_action *action = &module->actions[i];
        action->def = &defs[i];
        action->module = module;
        module->action_count = i + 1;
        if (!defs[i].run) {
            return err_set(err, EINVAL, "action '%s' has no function: set .run", defs[i].name);
        }
        int failed = parse_params(action, err);
        if (failed) {
            return failed;
        }
    }
    return 0;
}

/* Splits "a b" into list[WORKER_ALIASES_MAX + 1], whose last entry is NULL; text is changed. */
static int split_aliases(char *text, const char **list, struct err *err)
{
    size_t count = 0;
    char *rest = text;
    for (char *word; (word = strsep(&rest, " "));) {
        if (!*word) {
            continue;
        }
        if (count == WORKER_ALIASES_MAX) {
            return err_set(err, ENOSPC, "more than %d aliases", WORKER_ALIASES_MAX);
        }
        list[count++] = word;
    }
    list[count] = NULL;
    return 0;
}

static int register_action(struct native_module *module, struct native_action *action,
                           struct err *err)
{
    const char *aliases[WORKER_ALIASES_MAX + 1];
    CLEANUP(str_free) char *words = xstrdup(action->def->aliases ? action->def->aliases : "");
    int failed = split_aliases(words, aliases, err);
    if (failed) {
        (void)err_wrap(err, "action '%s'", action->def->name);
        return failed;
    }
    CLEANUP(str_free) char *name = xasprintf("%s.%s", module->group, action->def->name);
    CLEANUP(str_free) char *params = native_params_json(action);
    struct worker_action_def def = {
        .module = module->name,
        .name = name,
        .aliases = aliases,
        .params = params,
        .doc = action->def->doc,
        .returns = action->def->returns,
        .idempotent = action->def->flags & JSORC_IDEMPOTENT,
        .timeout_ms = action->def->timeout_ms,
        .loader = &native_loader,
        .call = native_call_serve,
        .arg = action,
    };
    return worker_add_action(module->worker, &def, NULL, err);
}

/* ---- setup ---- */

#define IGNORE_SETUP_ERROR "_ignore_setup_error" /* in ctx: a switch of ours, not an argument */

static int set_up(struct native_module *module, struct json_object *ctx, struct err *err)
{
    if (module->def->setup) {
        int failed = native_call_setup(module, module->def->setup, NULL, ctx, err);
        if (failed) {
            return failed;
        }
    }
    module->set_up = true;
    for (size_t i = 0; i < module->action_count; i++) {
        const struct native_action *action = &module->actions[i];
        if (strcmp(action->def->name, "setup") == 0) {
            return native_call_setup(module, action->def->run, action, ctx, err);
        }
    }
    return 0;
}

static int set_up_or_ignore(struct native_module *module, struct json_object *ctx, struct err *err)
{
    bool ignored = json_flag(ctx, IGNORE_SETUP_ERROR, false);
    CLEANUP(json_put) struct json_object *rest = NULL;
    if (ctx) { /* the switch is ours, not an argument */
        (void)json_object_deep_copy(ctx, &rest, NULL);
        json_object_object_del(rest, IGNORE_SETUP_ERROR);
    }
    int failed = set_up(module, rest, err);
    if (failed && ignored) {
        log_warn("setup failed, as ctx allows", "module=%s error=\"%s\"", module->name, err->text);
        return 0;
    }
    return failed;
}

/* Whether ctx holds arguments that no setup takes. */
static bool ctx_is_unused(const struct native_module *module, struct json_object *ctx)
{
    bool used = module->def->setup != NULL;
    for (size_t i = 0; i < module->action_count; i++) {
        used |= strcmp(module->actions[i].def->name, "setup") == 0;
    }
    int given = ctx ? json_object_object_length(ctx) : 0;
    given -= json_object_object_get_ex(ctx, IGNORE_SETUP_ERROR, NULL) ? 1 : 0;
    return !used && given > 0;
}

int native_load(struct worker *worker, const char *name, const char *path, struct json_object *ctx,
                struct err *err)
{
    struct err own = {0};
    uint64_t start_ns = clock_now_ns();
    int64_t before_kb = worker_memory_read().pss_kb;
    CLEANUP(module_free) struct native_module *module = module_new(worker, name);
    const char *stage = "import";
    int failed = import(module, path, &own);
    if (!failed) {
        stage = "actions";
        module->group = group_of(module, path);
        failed = parse_actions(module, &own);
    }
    if (!failed) {
        stage = "setup";
        failed = set_up_or_ignore(module, ctx, &own);
    }
    if (!failed) {
        stage = "actions";
        struct worker_module_def def = {
            .name = name,
            .kind = "native",
            .source = path,
            .note = ctx_is_unused(module, ctx) ? WORKER_CTX_UNUSED : NULL,
            .load_ms = (double)(clock_now_ns() - start_ns) / 1e6,
            .mem_kb = worker_memory_read().pss_kb - before_kb,
        };
        failed = worker_add_module(worker, &def, &own);
    }
    for (size_t i = 0; !failed && i < module->action_count; i++) {
        failed = register_action(module, &module->actions[i], &own);
    }
    if (!failed) {
        failed = worker_add_end(worker, end_module, module);
    }
    if (failed) {
        return err_set(err, -failed, "%s: %s", stage, own.text);
    }
    (void)TAKE(module);
    return 0;
}
