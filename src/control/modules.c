/* What modules there are and where they are wanted: the durable half of the control's state. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "store/store.h"

struct module *module_find(const struct control *control, const char *name, uint32_t *ret_index)
{
    for (uint32_t i = 0; i < control->module_count; i++) {
        if (strcmp(control->modules[i]->name, name) == 0) {
            if (ret_index) {
                *ret_index = i;
            }
            return control->modules[i];
        }
    }
    return NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

const char *control_kind_of(const char *source)
{
    if (strncmp(source, "http://", 7) == 0 || strncmp(source, "https://", 8) == 0) {
        return "server";
    }
    if (ends_with(source, ".so")) {
        return "native";
    }
    return strchr(source, '/') || ends_with(source, ".py") ? "python-file" : "python-module";
}

char *control_name_of(const char *source)
{
    const char *kind = control_kind_of(source);
    const char *start = source;
    if (strcmp(kind, "server") == 0) {
        start = strstr(source, "://") + 3;
        char *name = xstrndup(start, strcspn(start, "?#"));
        size_t size = strlen(name);
        while (size > 0 && name[size - 1] == '/') {
            name[--size] = '\0';
        }
        for (char *at = name; *at; at++) {
            *at = isalnum((unsigned char)*at) || *at == '.' ? *at : '_';
        }
        return name;
    }
    if (strcmp(kind, "python-module") == 0) {
        const char *dot = strrchr(source, '.');
        return xstrdup(dot ? dot + 1 : source);
    }
    const char *slash = strrchr(source, '/');
    start = slash ? slash + 1 : source;
    bool native = strcmp(kind, "native") == 0;
    if (native && strncmp(start, "lib", 3) == 0 && strlen(start) > 6) {
        start += 3;
    }
    const char *end = strstr(start, native ? ".so" : ".py");
    return xstrndup(start, end ? (size_t)(end - start) : strlen(start));
}

bool module_is_native(const struct module *module)
{
    return strcmp(module->kind, "native") == 0;
}

int64_t module_memory_max_mb(const struct control *control, const struct module *module)
{
    return json_int(module->config, "memory_max_mb", control->settings.memory_max_mb);
}

struct json_object *module_spec(const struct module *module, bool remote)
{
    struct json_object *spec = json_object_new_object();
    json_set_str(spec, "name", module->name);
    json_set_str(spec, "kind", module->kind);
    json_set_str(spec, "source", module->source);
    json_set(spec, "ctx", module->ctx ? json_ref(module->ctx) : json_object_new_object());
    json_set_bool(spec, "remote", remote);
    json_set_int(spec, "revision", module->revision);
    return spec;
}

/* What was learnt of it, with the actions that were unloaded by name. Owned by the caller. */
static struct json_object *learnt_of(const struct module *module)
{
    struct json_object *learnt = json_object_new_object(), *hidden = NULL;
    json_object_object_foreach(module->info, name, value)
    {
        json_set(learnt, name, json_ref(value));
    }
    for (size_t i = 0; i < module->action_count; i++) {
        if (module->actions[i]->hidden) {
            hidden = hidden ? hidden : json_object_new_array();
            (void)json_object_array_add(hidden, json_object_new_string(module->actions[i]->name));
        }
    }
    json_set(learnt, "hidden", hidden);
    return learnt;
}

static int save(struct control *control, const struct module *module, struct err *err)
{
    CLEANUP(json_put) struct json_object *learnt = module->info ? learnt_of(module) : NULL;
    return store_module_put(control->parts.store,
                            &(struct store_module){
                                .name = module->name,
                                .kind = module->kind,
                                .source = module->source,
                                .config = module->config ? json_text(module->config) : "{}",
                                .ctx = module->ctx ? json_text(module->ctx) : "{}",
                                .place = place_name(module->wanted),
                                .loaded_by = module->loaded_by,
                                .learnt = learnt ? json_text(learnt) : "{}",
                                .position = module->position,
                            },
                            err);
}

static void save_or_warn(struct control *control, const struct module *module)
{
    struct err err = {0};
    if (module->listed && save(control, module, &err) < 0) {
        log_warn("module was not saved", "module=%s error=\"%s\"", module->name, err.text);
    }
}

static struct module *module_add(struct control *control, const char *name, struct err *err)
{
    if (control->module_count == DECIDE_MODULES_MAX) {
        (void)err_set(err, ENOSPC, "more than %d modules", DECIDE_MODULES_MAX);
        return NULL;
    }
    struct module *module = xcalloc(1, sizeof(*module));
    module->name = xstrdup(name);
    control->modules[control->module_count++] = module;
    return module;
}

static struct action_entry *entry_for(struct module *module, const char *name)
{
    for (size_t i = 0; i < module->action_count; i++) {
        if (strcmp(module->actions[i]->name, name) == 0) {
            return module->actions[i];
        }
    }
    struct action_entry *entry = xcalloc(1, sizeof(*entry));
    entry->name = xstrdup(name);
    module->actions =
        xrealloc(module->actions, (module->action_count + 1) * sizeof(struct action_entry *));
    module->actions[module->action_count++] = entry;
    return entry;
}

/* Takes over what is known of the module's actions. */
static void learn(struct control *control, struct module *module, struct json_object *info)
{
    (void)json_put(module->info);
    module->info = json_ref(info);
    struct json_object *walkers = json_member(info, "walkers", json_type_array);
    module->walkers = walkers && json_object_array_length(walkers) > 0;
    for (size_t i = 0; i < module->action_count; i++) {
        module->actions[i]->live = false;
    }
    struct json_object *actions = json_member(info, "actions", json_type_object);
    if (!actions) {
        return;
    }
    double configured_s = json_double(module->config, "timeout_s", 0);
    json_object_object_foreach(actions, name, action)
    {
        struct action_entry *entry = entry_for(module, name);
        int64_t declared_ms = json_int(action, "timeout_ms", 0);
        entry->live = true;
        entry->idempotent = json_flag(action, "idempotent", false);
        entry->timeout_ms = declared_ms > 0    ? (uint64_t)declared_ms
                            : configured_s > 0 ? (uint64_t)(configured_s * 1000)
                                               : control->settings.call_timeout_ms;
    }
    control->must_publish = true;
}

void module_loaded(struct control *control, uint32_t index, struct json_object *info)
{
    struct module *module = control->modules[index];
    module->broken = false;
    module->proven = true;
    module->retry_ms = 0;
    str_replace(&module->error, NULL);
    if (clock_now_ms() - module->failed_ms > STABLE_MS) {
        module->failures = 0;
    }
    learn(control, module, info);
    save_or_warn(control, module);
}

uint64_t backoff_ms(unsigned failures)
{
    uint64_t wait_ms = BACKOFF_MS_MIN;
    for (unsigned i = 1; i < failures && wait_ms < BACKOFF_MS_MAX; i++) {
        wait_ms *= 2;
    }
    return wait_ms < BACKOFF_MS_MAX ? wait_ms : BACKOFF_MS_MAX;
}

void module_failed(struct control *control, uint32_t index, const char *error, const char *hint)
{
    struct module *module = control->modules[index];
    uint64_t now_ms = clock_now_ms();
    if (now_ms - module->failed_ms > STABLE_MS + BACKOFF_MS_MAX) {
        module->failures = 0;
    }
    module->failures++;
    module->failed_ms = now_ms;
    module->broken = true;
    module->retry_ms = now_ms + backoff_ms(module->failures);
    free(module->error);
    module->error = hint ? xasprintf("%s; %s", error, hint) : xstrdup(error);
    control->must_publish = true;
    log_warn("module did not start", "module=%s error=\"%s\"", module->name, module->error);
}

/* ---- load and unload ---- */

static int check_load(const struct control *control, const struct control_load *load,
                      const struct module *known, struct err *err)
{
    (void)control;
    const char *name = load->name ? load->name : load->source;
    if (!load->source && (!known || !known->source)) {
        return err_set(err, ENOENT,
                       "module '%s' is not known; give its file, its import name or "
                       "its action config first",
                       name);
    }
    if (known && known->walkers && load->place == PLACE_REMOTE) {
        return err_set(err, EINVAL, "module '%s' " MODULE_HAS_WALKERS, name);
    }
    return 0;
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
                              .revision = control->modules[index]->revision,
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
    if (!*name || strlen(name) > CONTROL_NAME_MAX || strchr(name, '/') || name[0] == '.') {
        return err_set(err, EINVAL,
                       "'%s' cannot be a module's name: 1 to %d bytes, no '/' and no "
                       "leading dot",
                       name, CONTROL_NAME_MAX);
    }
    uint32_t index = 0;
    struct module *module = module_find(control, name, &index);
    int failed = check_load(control, load, module, err);
    if (failed) {
        return failed;
    }
    if (!module) {
        module = module_add(control, name, err);
        if (!module) {
            return -ENOSPC;
        }
        index = control->module_count - 1;
    }
    bool fresh = !module->listed || load->reload || differs(module, load);
    enum place before = module->wanted;
    bool again = load->place != PLACE_NONE && (load->reload || before == PLACE_NONE);
    apply_load(module, load);
    module->wanted = load->place;
    if (!module->listed || again) { /* the last loaded one serves a name that several have */
        module->position = ++control->last_position;
    }
    module->listed = true;
    module->asked |= load->place != PLACE_NONE;
    failed = save(control, module, err);
    if (failed) {
        module->wanted = before; /* what is not saved is not done */
        return err_wrap(err, "cannot save module '%s'", name);
    }
    if (fresh) {
        module->revision++;
        for (size_t i = 0; i < module->action_count; i++) {
            module->actions[i]->hidden = false;
        }
    }
    module->broken = false;
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
    module->listed = !forget;
    module->asked &= !forget;
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
    int failed = save(control, module, err);
    found->hidden = !failed; /* what is not saved is not done */
    control->must_publish = true;
    control_wake(control);
    return failed;
}

/* ---- after a restart ---- */

static enum place place_of(const char *text)
{
    return strcmp(text, "module") == 0   ? PLACE_MODULE
           : strcmp(text, "remote") == 0 ? PLACE_REMOTE
                                         : PLACE_NONE;
}

static void hide(struct module *module, struct json_object *names)
{
    for (size_t i = 0; names && i < json_object_array_length(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        entry_for(module, name ? name : "")->hidden = true;
    }
}

static int restore_one(void *arg, const struct store_module *row)
{
    struct control *control = arg;
    struct err err = {0};
    struct module *module = module_add(control, row->name, &err);
    if (!module) {
        return -ENOSPC;
    }
    module->kind = xstrdup(row->kind);
    module->source = xstrdup(row->source);
    module->loaded_by = xstrdup(row->loaded_by);
    module->wanted = place_of(row->place);
    module->position = row->position;
    module->listed = true;
    module->asked = module->wanted != PLACE_NONE || strcmp(row->learnt, "{}") != 0;
    control->wanted_since_ms[control->module_count - 1] = clock_now_ms();
    (void)json_parse_object(slice_str(row->config), &module->config, NULL);
    (void)json_parse_object(slice_str(row->ctx), &module->ctx, NULL);
    CLEANUP(json_put) struct json_object *info = NULL;
    if (json_parse_object(slice_str(row->learnt), &info, NULL) == 0 &&
        json_object_object_length(info) > 0) {
        learn(control, module, info);
        hide(module, json_member(info, "hidden", json_type_array));
        module->proven = true;
    }
    control->last_position =
        row->position > control->last_position ? row->position : control->last_position;
    return 0;
}

int modules_restore(struct control *control, struct err *err)
{
    int failed = store_module_each(control->parts.store, restore_one, control, err);
    return failed ? err_wrap(err, "cannot restore the modules") : 0;
}
