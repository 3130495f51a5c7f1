/* What the API asks of modules: load, move, unload. Nothing is changed that was not saved. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "store/store.h"

static int check_load(const struct control *control, const struct control_load *load,
                      const struct module *known, struct err *err)
{
    (void)control;
    const char *name = load->name ? load->name : load->source;
    if (!load->source && (!known || !known->source)) {
        return err_set(err, ENOENT,
                       "module '%s' is not known; load it first by 'jsorc actions load local FILE' "
                       "or 'jsorc actions load module NAME', or its config by 'jsorc actions "
                       "config'",
                       name);
    }
    if (known && known->walkers && load->place == PLACE_REMOTE) {
        return err_set(err, EINVAL, "module '%s' " MODULE_HAS_WALKERS, name);
    }
    return 0;
}

/* What a load replaces, until what it asks for has loaded. */
struct former {
    char *kind;
    char *source;
    struct json_object *ctx;
};

void module_forget_former(struct module *module)
{
    if (module->former) {
        free(module->former->kind);
        free(module->former->source);
        (void)json_put(module->former->ctx);
        free(module->former);
        module->former = NULL;
    }
}

static void keep_former(const struct control *control, uint32_t index)
{
    struct module *module = control->modules[index];
    bool serves = control->published[index].choice == CHOICE_TARGET;
    if (serves && module->proven && !module->former) {
        module->former = xcalloc(1, sizeof(*module->former));
        module->former->kind = xstrdup(module->kind);
        module->former->source = xstrdup(module->source);
        module->former->ctx = json_ref(module->ctx);
    }
}

void module_put_former_back(struct module *module)
{
    if (module->former) {
        str_replace(&module->kind, module->former->kind);
        str_replace(&module->source, module->former->source);
        (void)json_put(module->ctx);
        module->ctx = json_ref(module->former->ctx);
        module_forget_former(module);
    }
}

static void apply_load(struct module *module, const struct control_load *load)
{
    if (load->source) {
        str_replace(&module->source, load->source);
        str_replace(&module->kind, load->kind ? load->kind : control_kind_of(load->source));
    }
    if (load->ctx) {
        (void)json_put(module->ctx);
        module->ctx = json_ref(load->ctx);
    }
    if (load->config) {
        (void)json_put(module->config);
        module->config = json_ref(load->config);
    }
    if (load->loaded_by) {
        str_replace(&module->loaded_by, load->loaded_by);
    }
}

/* Whether the module is another one now, so that what runs of it is out of date. */
static bool differs(const struct module *module, const struct control_load *load)
{
    return (load->source && module->source && strcmp(load->source, module->source) != 0) ||
           (load->ctx && !json_object_equal(load->ctx, module->ctx));
}

static void wait_for(struct control *control, uint32_t index, uint64_t timeout_ms,
                     control_done_fn done, void *arg)
{
    struct waiter *waiter = xcalloc(1, sizeof(*waiter));
    uint64_t now_ms = clock_now_ms();
    *waiter = (struct waiter){.next = control->waiters,
                              .module = index,
                              .change = control->modules[index]->changes,
                              .place = control->modules[index]->wanted,
                              .begun_ms = now_ms,
                              .deadline_ms = now_ms + timeout_ms,
                              .done = done,
                              .arg = arg};
    control->waiters = waiter;
}

static bool is_free_for(const struct control *control, const char *name, const char *source)
{
    const struct module *module = module_find(control, name, NULL);
    return !module || module->wanted == PLACE_NONE || strcmp(module->source, source) == 0;
}

/* The name for a source that is given without one; it differs from that of another one which is
 * loaded, as long as the folder's or package's name before it makes a difference. */
static char *name_for(const struct control *control, const char *source)
{
    CLEANUP(str_free) char *name = control_name_of(source);
    if (is_free_for(control, name, source)) {
        return TAKE(name);
    }
    if (strcmp(control_kind_of(source), "python-module") == 0) {
        return xstrdup(source);
    }
    const char *end = strrchr(source, '/'), *start = end;
    while (start && start > source && start[-1] != '/') {
        start--;
    }
    return start && end > start ? xasprintf("%.*s.%s", (int)(end - start), start, name)
                                : TAKE(name);
}

/* Saves the module as it will be once load is applied. */
static int save_as(struct control *control, const struct module *module,
                   const struct control_load *load, int64_t position, struct err *err)
{
    struct module next = *module; /* borrows everything */
    if (load->source) {
        next.source = (char *)(uintptr_t)load->source;
        next.kind = (char *)(uintptr_t)(load->kind ? load->kind : control_kind_of(load->source));
    }
    next.ctx = load->ctx ? load->ctx : next.ctx;
    next.config = load->config ? load->config : next.config;
    next.loaded_by = load->loaded_by ? (char *)(uintptr_t)load->loaded_by : next.loaded_by;
    next.wanted = load->place;
    next.kept = PLACE_NONE;
    next.position = position;
    return module_save(control, &next, err);
}

/* A name becomes part of file names and log lines, and must not be taken for a log of ours. */
static bool is_good_name(const char *name)
{
    static const char *const taken[] = {"runtime", "daemon", "api"};
    bool good = *name && strlen(name) <= CONTROL_NAME_MAX && name[0] != '.';
    for (const char *at = name; *at; at++) {
        good &= (unsigned char)*at > ' ' && *at != '/' && *at != '"' && *at != 0x7f;
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        good &= strcmp(name, taken[i]) != 0;
    }
    return good;
}

int control_load(struct control *control, const struct control_load *load, uint64_t timeout_ms,
                 control_done_fn done, void *arg, struct err *err)
{
    CLEANUP(str_free)
    char *name = load->name ? xstrdup(load->name) : name_for(control, load->source);
    if (!load->name && !is_free_for(control, name, load->source)) {
        return err_set(err, EEXIST,
                       "a module named '%s' is loaded from elsewhere; unload it, or give this one "
                       "another name by an action config",
                       name);
    }
    if (!is_good_name(name)) {
        return err_set(err, EINVAL,
                       "'%s' cannot be a module's name: 1 to %d bytes without spaces, quotes and "
                       "'/', no leading dot, and not runtime, daemon or api",
                       name, CONTROL_NAME_MAX);
    }
    uint32_t index = 0;
    struct module *module = module_find(control, name, &index);
    int failed = check_load(control, load, module, err);
    if (failed) {
        return failed;
    }
    bool added = !module;
    if (added) {
        module = module_add(control, name, &index, err);
        if (!module) {
            return -ENOSPC;
        }
    }
    bool fresh = !module->listed || load->reload || differs(module, load);
    bool again = load->place != PLACE_NONE && (load->reload || module->wanted == PLACE_NONE);
    /* the last loaded one serves a name that several have */
    int64_t position = !module->listed || again ? control->last_position + 1 : module->position;
    failed = save_as(control, module, load, position, err);
    if (failed) {
        if (added) {
            module_take_back(control, index);
        }
        return err_wrap(err, "cannot save module '%s'", name);
    }
    if (fresh) {
        keep_former(control, index);
    }
    apply_load(module, load);
    module->wanted = load->place;
    module->kept = PLACE_NONE;
    module->unsaved = 0; /* it was saved whole */
    module->pinned = load->pin && control->phases.talk.name;
    module->position = position;
    control->last_position = position > control->last_position ? position : control->last_position;
    module->listed = true;
    module->asked |= load->place != PLACE_NONE;
    if (fresh) {
        module->revision++;
        for (size_t i = 0; i < module->action_count; i++) {
            module->actions[i]->hidden = false;
        }
    }
    module->changes++;
    module->broken = false;
    module->failures = 0; /* those were of what was loaded before */
    module->retry_ms = 0;
    control->wanted_since_ms[index] = clock_now_ms();
    control->must_publish = true;
    if (done) {
        wait_for(control, index, timeout_ms, done, arg);
    }
    control_wake(control);
    return 0;
}

int control_unload(struct control *control, const char *name, bool forget, struct err *err)
{
    struct module *module = module_find(control, name, NULL);
    if (!module || !module->listed) {
        return err_set(err, ENOENT, "module '%s' is not loaded", name);
    }
    int failed = forget ? store_module_delete(control->parts.store, name, err)
                        : store_module_set_place(control->parts.store, name, "none", err);
    if (failed && failed != -ENOENT) {
        return failed;
    }
    module->wanted = PLACE_NONE;
    module->kept = PLACE_NONE;
    if (forget) {
        module_forget(module);
    }
    module->changes++;
    module->broken = false;
    control->must_publish = true;
    control_wake(control);
    return 0;
}

void control_settle(struct control *control, const char *name, uint64_t timeout_ms,
                    control_done_fn done, void *arg)
{
    uint32_t index = 0;
    if (module_find(control, name, &index)) {
        wait_for(control, index, timeout_ms, done, arg);
        control_wake(control);
    } else {
        done(arg, 0, NULL);
    }
}

void control_forget_others(struct control *control, const char *loaded_by, struct json_object *keep)
{
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        if (module->listed && module->loaded_by && strcmp(module->loaded_by, loaded_by) == 0 &&
            !json_object_object_get_ex(keep, module->name, NULL)) {
            (void)control_unload(control, module->name, true, NULL);
        }
    }
}

int control_unload_action(struct control *control, const char *action, struct err *err)
{
    const char *name = control_module_of_action(control, action);
    struct module *module = name ? module_find(control, name, NULL) : NULL;
    struct action_entry *found = NULL;
    bool others = false;
    for (size_t i = 0; module && i < module->action_count; i++) {
        struct action_entry *entry = module->actions[i];
        if (strcmp(entry->name, action) == 0) {
            found = entry;
        } else {
            others |= entry->live && !entry->hidden;
        }
    }
    if (!found) {
        return err_set(err, ENOENT, "action '%s' is not loaded", action);
    }
    if (!others) {
        return control_unload(control, name, true, err);
    }
    found->hidden = true;
    int failed = module_save(control, module, err);
    found->hidden = !failed; /* what is not saved is not done */
    control->must_publish = true;
    control_wake(control);
    return failed;
}
