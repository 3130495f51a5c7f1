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
    if (!remote && module->elsewhere) {
        json_set(spec, "elsewhere", json_ref(module->elsewhere));
    }
    return spec;
}

struct json_object *module_learnt(const struct module *module)
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

int module_save(struct control *control, const struct module *module, struct err *err)
{
    CLEANUP(json_put) struct json_object *learnt = module->info ? module_learnt(module) : NULL;
    return store_module_put(control->parts.store,
                            &(struct store_module){
                                .name = module->name,
                                .kind = module->kind,
                                .source = module->source,
                                .config = module->config ? json_text(module->config) : "{}",
                                .ctx = module->ctx ? json_text(module->ctx) : "{}",
                                .place = place_name(module_place(module)),
                                .loaded_by = module->loaded_by,
                                .learnt = learnt ? json_text(learnt) : "{}",
                                .position = module->position,
                            },
                            err);
}

static struct action_entry *entry_for(struct control *control, struct module *module,
                                      const char *name)
{
    for (size_t i = 0; i < module->action_count; i++) {
        if (strcmp(module->actions[i]->name, name) == 0) {
            return module->actions[i];
        }
    }
    struct action_entry *entry = xcalloc(1, sizeof(*entry));
    entry->name = xstrdup(name);
    entry->counts_as = entry;
    for (int i = 0; i < 2; i++) {
        action_stats_init(&entry->stats[i], STATS_WALKERS_MAX, &control->stats_budget);
    }
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
        struct action_entry *entry = entry_for(control, module, name);
        int64_t declared_ms = json_int(action, "timeout_ms", 0);
        const char *alias_of = json_str(action, "alias_of");
        entry->counts_as = alias_of ? entry_for(control, module, alias_of) : entry;
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
    const char *note = json_str(info, "note");
    if (note && !module->proven) { /* once, not in each generation */
        log_warn("module loaded", "module=%s note=\"%s\"", module->name, note);
    }
    module->broken = false;
    module->proven = true;
    module->retry_ms = 0;
    str_replace(&module->error, NULL);
    if (clock_now_ms() - module->failed_ms > STABLE_MS) {
        module->failures = 0;
    }
    learn(control, module, info);
    module_save_later(control, module, UNSAVED_LEARNT);
}

uint64_t backoff_ms(unsigned failures)
{
    uint64_t wait_ms = BACKOFF_MS_MIN;
    for (unsigned i = 1; i < failures && wait_ms < BACKOFF_MS_MAX; i++) {
        wait_ms *= 2;
    }
    return wait_ms < BACKOFF_MS_MAX ? wait_ms : BACKOFF_MS_MAX;
}

#define MEMORY_LITTLE_MB                                                                           \
    128 /* an interpreter, its threads' stacks and a library or two need it                        \
         */

/* A worker that may allocate next to nothing dies of it in many ways, none of which says so. */
static char *limit_hint(const struct control *control, const struct module *module)
{
    int64_t limit_mb = module_memory_max_mb(control, module);
    return limit_mb > 0 && limit_mb < MEMORY_LITTLE_MB
               ? xasprintf("memory_max_mb lets its worker allocate %lld MB, which is little: raise "
                           "it, or leave it away for four fifths of the machine's",
                           (long long)limit_mb)
               : NULL;
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
    CLEANUP(str_free) char *limit = hint ? NULL : limit_hint(control, module);
    hint = hint ? hint : limit;
    free(module->error);
    module->error = hint ? xasprintf("%s; %s", error, hint) : xstrdup(error);
    control->must_publish = true;
    if (!control->released) { /* else its worker has felt the end before it was told */
        log_warn("module did not start", "module=%s error=\"%s\"", module->name, module->error);
    }
}

/* ---- after a restart ---- */

enum place place_of(const char *text)
{
    return strcmp(text, "module") == 0   ? PLACE_MODULE
           : strcmp(text, "remote") == 0 ? PLACE_REMOTE
                                         : PLACE_NONE;
}

static void hide(struct control *control, struct module *module, struct json_object *names)
{
    for (size_t i = 0; i < module->action_count; i++) {
        module->actions[i]->hidden = false;
    }
    for (size_t i = 0; names && i < json_object_array_length(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        entry_for(control, module, name ? name : "")->hidden = true;
    }
}

void module_take_config(struct control *control, struct module *module, const char *text)
{
    CLEANUP(json_put) struct json_object *config = NULL;
    (void)json_parse_object(slice_str(text), &config, NULL);
    if (!json_object_equal(config, module->config)) {
        (void)json_put(module->config);
        module->config = TAKE(config);
        control->must_publish = true;
    }
}

void module_take_learnt(struct control *control, struct module *module, const char *text)
{
    CLEANUP(json_put) struct json_object *info = NULL;
    if (json_parse_object(slice_str(text), &info, NULL) < 0 ||
        json_object_object_length(info) == 0) {
        return;
    }
    if (!module->info) {
        learn(control, module, info);
        module->asked = true;
        module->proven = true;
    }
    hide(control, module, json_member(info, "hidden", json_type_array));
    control->must_publish = true;
}

void module_forget(struct module *module)
{
    module_forget_former(module);
    module->listed = false;
    module->asked = false;
    module->unsaved = 0;
}

static int restore_one(void *arg, const struct store_module *row)
{
    struct control *control = arg;
    struct err err = {0};
    uint32_t index;
    struct module *module = module_add(control, row->name, &index, &err);
    if (!module) {
        return -ENOSPC;
    }
    module->kind = xstrdup(row->kind);
    module->source = xstrdup(row->source);
    module->loaded_by = xstrdup(row->loaded_by);
    module->wanted = place_of(row->place);
    module->position = row->position;
    module->listed = true;
    module->asked = module->wanted != PLACE_NONE;
    control->wanted_since_ms[index] = clock_now_ms();
    module_take_config(control, module, row->config);
    (void)json_parse_object(slice_str(row->ctx), &module->ctx, NULL);
    module_take_learnt(control, module, row->learnt);
    control->last_position =
        row->position > control->last_position ? row->position : control->last_position;
    return 0;
}

int modules_restore(struct control *control, struct err *err)
{
    int failed = store_module_each(control->parts.store, restore_one, control, err);
    return failed ? err_wrap(err, "cannot restore the modules") : 0;
}
