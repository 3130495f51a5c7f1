/* What the control saves by itself, without anybody who waits for it: what a module's load taught,
 * where a policy has settled it, where a failed load left it. What cannot be saved now is saved
 * later, in its latest form. */
#include <errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "store/store.h"
#include "store/store_shared.h"

struct save {
    struct control *control;
    const struct module *module;
};

static int save_place(void *arg, struct err *err)
{
    const struct save *save = arg;
    const struct module *module = save->module;
    return store_module_set_place(save->control->parts.store, module->name,
                                  place_name(module_place(module)), err);
}

/* Not anew what another daemon has deleted meanwhile: -ENOENT then. */
static int save_load(void *arg, struct err *err)
{
    const struct save *save = arg;
    int failed = save_place(arg, err);
    return failed ? failed : module_save(save->control, save->module, err);
}

static int save_learnt(void *arg, struct err *err)
{
    const struct save *save = arg;
    CLEANUP(json_put) struct json_object *learnt = module_learnt(save->module);
    return store_module_set_learnt(save->control->parts.store, save->module->name,
                                   json_text(learnt), err);
}

/* One kind of what is unsaved of a module. */
static int save_one(struct control *control, struct module *module, enum unsaved what,
                    struct err *err)
{
    struct store *store = control->parts.store;
    struct save save = {control, module};
    int failed = what == UNSAVED_LOAD   ? store_transact(store, save_load, &save, err)
                 : what == UNSAVED_KEPT ? store_transact_leading(store, save_place, &save, err)
                                        : store_transact_leading(store, save_learnt, &save, err);
    /* Gone meanwhile, or another daemon decides now: there is nothing to save any more. */
    bool moot = failed == -ENOENT || failed == -ESTALE;
    if (store_is_hopeless(failed)) {
        log_warn("module was not saved", "module=%s error=\"%s\"", module->name, err->text);
        moot = true;
    }
    if (!failed || moot) {
        module->unsaved &= ~(unsigned)what;
    }
    return moot ? 0 : failed;
}

static int save_module(struct control *control, struct module *module, struct err *err)
{
    static const enum unsaved kinds[] = {UNSAVED_LOAD, UNSAVED_KEPT, UNSAVED_LEARNT};
    int failed = 0;
    for (size_t i = 0; !failed && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (module->unsaved & kinds[i]) {
            failed = save_one(control, module, kinds[i], err);
        }
    }
    return failed;
}

void saves_turn(struct control *control, uint64_t now_ms)
{
    struct err err = {0};
    int failed = 0;
    if (now_ms < control->save_retry_ms) {
        return;
    }
    for (uint32_t i = 0; !failed && i < control->module_count; i++) {
        struct module *module = control->modules[i];
        if (!module->listed) {
            module->unsaved = 0;
        }
        failed = module->unsaved ? save_module(control, module, &err) : 0;
    }
    failed = failed ? failed : phase_lines_save(control, &err);
    if (!failed) {
        control->save_failures = 0;
        return;
    }
    if (control->save_failures++ == 0) { /* not each time: it goes on until it is done */
        log_warn("the state was not saved: it is tried again", "error=\"%s\"", err.text);
    }
    control->save_retry_ms = now_ms + backoff_ms(control->save_failures);
}

void module_save_later(struct control *control, struct module *module, enum unsaved what)
{
    bool leaders = what != UNSAVED_LOAD;
    if (module->listed && (control->leads || !leaders)) {
        module->unsaved |= what;
        saves_turn(control, clock_now_ms());
    }
}
