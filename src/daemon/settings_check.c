/* Whether values are what they may be beyond what a row of the table says. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "control/control.h"
#include "daemon/settings.h"
#include "provider/kubernetes/access.h"

static int check_choice(const char *name, const char *value, const char *one, const char *other,
                        struct err *err)
{
    return strcmp(value, one) == 0 || strcmp(value, other) == 0
               ? 0
               : err_set(err, EINVAL, "setting '%s': '%s' is none of %s, %s", name, value, one,
                         other);
}

static int check_choices(const struct settings *settings, struct err *err)
{
    enum access_way way;
    int failed = check_choice("provider", settings->provider, "process", "kubernetes", err);
    failed =
        failed ? failed : check_choice("lease", settings->lease, "postgresql", "kubernetes", err);
    if (failed) {
        return failed;
    }
    return access_way_of(settings->pod_access, &way) == 0
               ? 0
               : err_set(err, EINVAL, "setting 'pod_access': '%s' is none of auto, direct, forward",
                         settings->pod_access);
}

int settings_check(const struct settings *settings, struct err *err)
{
    if (control_policy_check(settings->policy, NULL, err) < 0) {
        return err_wrap(err, "setting 'policy'");
    }
    int failed = check_choices(settings, err);
    if (failed) {
        return failed;
    }
    if (!settings->tls_cert != !settings->tls_key) {
        return err_set(err, EINVAL, "tls_cert and tls_key are needed both or not at all");
    }
    return 0;
}

int settings_check_modules(const struct settings *settings, struct err *err)
{
    static const char *const known[] = {
        "source",        "place",   "ctx",    "timeout_s",
        "memory_max_mb", "module",  "remote", "local_mem_requirement",
        "loaded_module", "provider"};
    json_object_object_foreach(settings->modules, name, module)
    {
        if (!json_object_is_type(module, json_type_object) || !json_str(module, "source")) {
            return err_set(err, EINVAL, "module '%s' needs a 'source': a file or an import name",
                           name);
        }
        const char *place = json_str(module, "place");
        if (place && strcmp(place, "module") != 0 && strcmp(place, "remote") != 0) {
            return err_set(err, EINVAL, "place '%s' of module '%s' is neither module nor remote",
                           place, name);
        }
        json_object_object_foreach(module, key, value)
        {
            bool found = false;
            (void)value;
            for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                found |= strcmp(key, known[i]) == 0;
            }
            if (!found) {
                return err_set(err, EINVAL,
                               "module '%s' has an unknown key '%s'; known: source, "
                               "place, ctx, timeout_s, memory_max_mb",
                               name, key);
            }
        }
    }
    return 0;
}
