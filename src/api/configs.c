/* The operations config_*: texts by name, with the answers of the original. */
#include <errno.h>

#include "api/api.h"
#include "api/config_names.h"
#include "api/op.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "control/control.h"
#include "store/store.h"

static struct store *store_of(struct op_call *call)
{
    return op_api(call)->store;
}

/* [TEXT], how the original answers; takes text over. */
static struct json_object *told(char *text)
{
    struct json_object *list = json_object_new_array();
    (void)json_object_array_add(list, json_object_new_string(text));
    free(text);
    return list;
}

static void answer(struct op_call *call, char *text)
{
    op_return(call, told(text));
}

/* The same of a failure, which the original's text alone tells. */
static void refuse(struct op_call *call, char *text)
{
    op_refuse(call, told(text));
}

/* Python's spelling of JSON, ", " and ": ", which clients have seen in these answers. */
static char *spaced(struct json_object *value)
{
    const char *compact = json_text(value);
    char *text = xcalloc(2, strlen(compact) + 1);
    char *end = text;
    bool in_string = false;
    for (const char *c = compact; *c; c++) {
        *end++ = *c;
        if (in_string && *c == '\\') {
            *end++ = *++c;
        } else if (*c == '"') {
            in_string = !in_string;
        } else if (!in_string && (*c == ',' || *c == ':')) {
            *end++ = ' ';
        }
    }
    return text;
}

/* A text stays as it is. */
static char *text_of(struct json_object *value)
{
    return json_object_is_type(value, json_type_string) ? xstrdup(json_object_get_string(value))
                                                        : spaced(value);
}

/* With do_check an unknown name is answered here: true. */
static bool refuse_unknown(struct op_call *call, const char *name, bool do_check)
{
    if (!do_check || config_is_known(name)) {
        return false;
    }
    CLEANUP(json_put) struct json_object *known = config_known();
    CLEANUP(str_free) char *names = spaced(known);
    for (char *c = names; *c; c++) {
        *c = *c == '"' ? '\'' : *c; /* Python's spelling of a list */
    }
    refuse(call, xasprintf("Config %s not recognized, must be in %s!", name, names));
    return true;
}

static void get(struct op_call *call, const char *name)
{
    CLEANUP(str_free) char *text = NULL;
    struct err err = {0};
    int failed = config_read(store_of(call), name, &text, &err);
    if (failed && failed != -ENOENT) {
        op_fail(call, "%s", err.text);
        return;
    }
    if (!text && strcmp(name, "ACTION_SETS") == 0) { /* kept by what is loaded, not by hand */
        CLEANUP(json_put) struct json_object *sets = control_action_sets(op_api(call)->control);
        text = xstrdup(json_text(sets));
    }
    op_return(call, text ? json_object_new_string(text) : NULL);
}

static void run_get(struct op_call *call)
{
    const char *name = op_arg_str(call, "name");
    if (!refuse_unknown(call, name, op_arg_bool(call, "do_check"))) {
        get(call, name);
    }
}

static void run_refresh(struct op_call *call)
{
    get(call, op_arg_str(call, "name"));
}

static void run_set(struct op_call *call)
{
    const char *name = op_arg_str(call, "name");
    bool do_check = op_arg_bool(call, "do_check");
    if (refuse_unknown(call, name, do_check)) {
        return;
    }
    CLEANUP(str_free) char *text = text_of(op_arg(call, "value"));
    struct err err = {0};
    if (config_write(store_of(call), name, text, do_check, &err)) {
        op_fail(call, "%s", err.text);
        return;
    }
    answer(call, xasprintf("Config of '%s' to '%s' set!", name, text));
}

/* What the field becomes: a text keeps the type that the field has, so that "20", which is all that
 * a command line can send, stays a number. Owned. */
static struct json_object *field_value(struct json_object *old, struct json_object *given)
{
    struct json_object *value = NULL;
    if (json_object_is_type(given, json_type_string) &&
        !json_object_is_type(old, json_type_string) &&
        json_parse(slice_str(json_object_get_string(given)), &value, NULL) == 0) {
        return value;
    }
    return json_ref(given);
}

static void update(struct op_call *call, const char *name, struct json_object *object)
{
    const char *key = op_arg_str(call, "field_key");
    struct json_object *given = op_arg(call, "field_value");
    struct json_object *old = NULL;
    if (!json_object_object_get_ex(object, key, &old)) {
        refuse(call, xasprintf("Config %s has no key %s. Uses config_set to set the value for this "
                               "config.",
                               name, key));
        return;
    }
    json_set(object, key, field_value(old, given));
    CLEANUP(str_free) char *text = spaced(object);
    CLEANUP(str_free) char *echo = text_of(given);
    struct err err = {0};
    if (config_write(store_of(call), name, text, op_arg_bool(call, "do_check"), &err)) {
        op_fail(call, "%s", err.text);
        return;
    }
    answer(call, xasprintf("Config of '%s' is updated with %s:%s. Current config value: %s", name,
                           key, echo, text));
}

static void run_update(struct op_call *call)
{
    const char *name = op_arg_str(call, "name");
    CLEANUP(str_free) char *text = NULL;
    CLEANUP(json_put) struct json_object *object = NULL;
    struct err err = {0};
    if (refuse_unknown(call, name, op_arg_bool(call, "do_check"))) {
        return;
    }
    int failed = config_read(store_of(call), name, &text, &err);
    if (failed == -ENOENT) {
        refuse(call, xasprintf("Config %s is not set. Uses config_set to set the value for this "
                               "config.",
                               name));
    } else if (failed) {
        op_fail(call, "%s", err.text);
    } else if (!*text || json_parse_object(slice_str(text), &object, NULL)) {
        refuse(call, xasprintf("Config %s is not a dictionary. Uses config_set to set the value "
                               "for this config.",
                               name));
    } else {
        update(call, name, object);
    }
}

static int add_known(void *arg, const char *name, const char *text)
{
    (void)text;
    if (config_is_known(name)) {
        (void)json_object_array_add(arg, json_object_new_string(name));
    }
    return 0;
}

static void run_list(struct op_call *call)
{
    struct json_object *names = json_object_new_array();
    struct err err = {0};
    if (store_config_each(store_of(call), add_known, names, &err)) {
        (void)json_put(names);
        op_fail(call, "%s", err.text);
        return;
    }
    op_return(call, names);
}

static void run_index(struct op_call *call)
{
    op_return(call, config_known());
}

static void run_exists(struct op_call *call)
{
    CLEANUP(str_free) char *text = NULL;
    struct err err = {0};
    int failed = config_read(store_of(call), op_arg_str(call, "name"), &text, &err);
    if (failed && failed != -ENOENT) {
        op_fail(call, "%s", err.text);
        return;
    }
    op_return(call, json_object_new_boolean(failed == 0));
}

static void run_delete(struct op_call *call)
{
    const char *name = op_arg_str(call, "name");
    struct err err = {0};
    if (refuse_unknown(call, name, op_arg_bool(call, "do_check"))) {
        return;
    }
    int failed = config_delete(store_of(call), name, &err);
    if (failed) {
        op_fail(call, failed == -ENOENT ? "Config %s is not set." : "%s",
                failed == -ENOENT ? name : err.text);
        return;
    }
    answer(call, xasprintf("%s Deleted.", name));
}

#define NAME                                                                                       \
    {                                                                                              \
        "name", OP_STR, NULL, "Name of the config; config_index lists the valid ones."             \
    }
#define DO_CHECK                                                                                   \
    {                                                                                              \
        "do_check", OP_BOOL, "true", "Refuse names that config_index does not list."               \
    }

extern const struct op op_config_get, op_config_set, op_config_update, op_config_list,
    op_config_index, op_config_exists, op_config_delete, op_config_refresh;

const struct op op_config_get = {
    .name = "config_get",
    .access = OP_ADMIN,
    .params = {NAME, DO_CHECK},
    .positionals = "name",
    .help = "Shows the text of a config that was set.",
    .result = "the text as a JSON string; null when it was never set",
    .run = run_get,
};

const struct op op_config_set = {
    .name = "config_set",
    .access = OP_ADMIN,
    .changes = true,
    .params = {NAME,
               {"value", OP_STR_OR_DICT, NULL, "The new text, or an object whose JSON text it is."},
               DO_CHECK},
    .positionals = "name",
    .help = "Stores a config; what uses it reads it when it is refreshed.",
    .result = "[\"Config of 'NAME' to 'VALUE' set!\"]",
    .run = run_set,
};

const struct op op_config_update = {
    .name = "config_update",
    .access = OP_ADMIN,
    .changes = true,
    .params = {NAME,
               {"field_key", OP_STR, NULL, "A key that the config's object has."},
               {"field_value", OP_ANY, NULL,
                "Its new value; a text keeps the type of the old one."},
               DO_CHECK},
    .positionals = "name",
    .help = "Changes one field of a config that is an object.",
    .result = "[\"Config of 'NAME' is updated with KEY:VALUE. Current config value: {...}\"]",
    .run = run_update,
};

const struct op op_config_list = {
    .name = "config_list",
    .access = OP_ADMIN,
    .positionals = "",
    .help = "Lists the configs that were set.",
    .result = "names, sorted",
    .run = run_list,
};

const struct op op_config_index = {
    .name = "config_index",
    .access = OP_ADMIN,
    .positionals = "",
    .help = "Lists the names that a config can have.",
    .result = "names",
    .run = run_index,
};

const struct op op_config_exists = {
    .name = "config_exists",
    .access = OP_ADMIN,
    .params = {NAME},
    .positionals = "name",
    .help = "Tells whether a config was set.",
    .result = "true or false",
    .run = run_exists,
};

const struct op op_config_delete = {
    .name = "config_delete",
    .access = OP_ADMIN,
    .changes = true,
    .params = {NAME, DO_CHECK},
    .positionals = "name",
    .help = "Takes a config away, so that its defaults hold again.",
    .result = "[\"NAME Deleted.\"]",
    .run = run_delete,
};

const struct op op_config_refresh = {
    .name = "config_refresh",
    .access = OP_ADMIN,
    .changes = true,
    .params = {NAME},
    .positionals = "name",
    .help = "Reads a config again; configs are not cached, so this is config_get.",
    .result = "the text as a JSON string; null when it was never set",
    .run = run_refresh,
};
