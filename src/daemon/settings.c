#include "daemon/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/state.h"
#include "base/suggest.h"
#include "base/yaml.h"

static void *field(struct settings *settings, const struct setting *row)
{
    return (char *)settings + row->offset;
}

void settings_done(struct settings *settings)
{
    for (const struct setting *row = SETTINGS_TABLE; row->name; row++) {
        void *at = field(settings, row);
        if (row->type == SETTING_TEXT) {
            str_replace(at, NULL);
        } else if (row->type == SETTING_LIST || row->type == SETTING_OBJECT) {
            *(struct json_object **)at = json_put(*(struct json_object **)at);
        }
    }
    settings->sources = json_put(settings->sources);
    str_replace(&settings->config_path, NULL);
}

static const struct setting *find(const char *name, size_t size)
{
    for (const struct setting *row = SETTINGS_TABLE; row->name; row++) {
        bool same = strlen(row->name) == size;
        for (size_t i = 0; same && i < size; i++) {
            same = row->name[i] == (name[i] == '-' ? '_' : name[i]);
        }
        if (same) {
            return row;
        }
    }
    return NULL;
}

/* "; did you mean 'timeout_s'?", or of an option '--timeout-s', or nothing. Owned by the caller. */
static char *suggestion(const char *name, size_t size, bool option)
{
    CLEANUP(str_free) char *wanted = xstrndup(name, size);
    struct suggest nearest = suggest_for(wanted);
    for (const struct setting *row = SETTINGS_TABLE; row->name; row++) {
        suggest_try(&nearest, row->name);
    }
    const char *best = suggest_best(&nearest);
    CLEANUP(str_free) char *spelt = best ? xstrdup(best) : NULL;
    for (char *at = spelt; at && option && (at = strchr(at, '_'));) {
        *at = '-';
    }
    return spelt ? xasprintf("; did you mean '%s%s'?", option ? "--" : "", spelt) : xstrdup("");
}

static int set_number(struct settings *settings, const struct setting *row,
                      struct json_object *value, struct err *err)
{
    bool whole = row->type == SETTING_INT;
    if (!json_object_is_type(value, json_type_int) &&
        (whole || !json_object_is_type(value, json_type_double))) {
        return err_set(err, EINVAL, "setting '%s' is a %s", row->name,
                       whole ? "whole number" : "number");
    }
    double number = json_object_get_double(value);
    if (number < row->min || number > row->max) {
        return err_set(err, EINVAL, "setting '%s' is %g, but must be between %g and %g", row->name,
                       number, row->min, row->max);
    }
    if (whole) {
        *(int64_t *)field(settings, row) = json_object_get_int64(value);
    } else {
        *(double *)field(settings, row) = number;
    }
    return 0;
}

static int set(struct settings *settings, const struct setting *row, struct json_object *value,
               struct err *err)
{
    void *at = field(settings, row);
    switch (row->type) {
    case SETTING_TEXT:
        if (value && !json_object_is_type(value, json_type_string)) {
            return err_set(err, EINVAL, "setting '%s' is a text", row->name);
        }
        str_replace(at, value ? json_object_get_string(value) : NULL);
        return 0;
    case SETTING_LIST: {
        struct json_object *list = NULL;
        if (json_object_is_type(value, json_type_string)) { /* one is a list of one */
            list = json_object_new_array();
            (void)json_object_array_add(list, json_ref(value));
        } else if (json_object_is_type(value, json_type_array)) {
            list = json_ref(value);
        } else {
            return err_set(err, EINVAL, "setting '%s' is a list of texts", row->name);
        }
        (void)json_put(*(struct json_object **)at);
        *(struct json_object **)at = list;
        return 0;
    }
    case SETTING_OBJECT:
        if (!json_object_is_type(value, json_type_object)) {
            return err_set(err, EINVAL, "setting '%s' is an object", row->name);
        }
        (void)json_put(*(struct json_object **)at);
        *(struct json_object **)at = json_ref(value);
        return 0;
    case SETTING_FLAG:
        if (!json_object_is_type(value, json_type_boolean)) {
            return err_set(err, EINVAL, "setting '%s' is true or false", row->name);
        }
        *(bool *)at = json_object_get_boolean(value) != 0;
        return 0;
    case SETTING_INT:
    case SETTING_NUMBER:
        return set_number(settings, row, value, err);
    }
    return 0;
}

static int set_defaults(struct settings *settings, struct err *err)
{
    int failed = 0;
    for (const struct setting *row = SETTINGS_TABLE; !failed && row->name; row++) {
        CLEANUP(json_put) struct json_object *value = NULL;
        failed = json_parse(slice_str(row->fallback), &value, err);
        if (!failed) {
            failed = set(settings, row, value, err);
        }
    }
    return failed;
}

/* ---- the file ---- */

/* Relative paths of a file's modules are meant from its folder. */
static void resolve_sources(struct settings *settings)
{
    CLEANUP(str_free) char *folder = xstrdup(settings->config_path);
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = '\0';
    } else {
        str_replace(&folder, ".");
    }
    json_object_object_foreach(settings->modules, name, module)
    {
        (void)name;
        const char *source = json_str(module, "source");
        if (source && source[0] != '/' && !strstr(source, "://") &&
            (strchr(source, '/') || strstr(source, ".py") || strstr(source, ".so"))) {
            CLEANUP(str_free) char *path = xasprintf("%s/%s", folder, source);
            CLEANUP(str_free) char *whole = realpath(path, NULL);
            json_set_str(module, "source", whole ? whole : path);
        }
    }
}

static int read_file(struct settings *settings, const char *path, struct err *err)
{
    CLEANUP(json_put) struct json_object *file = NULL;
    int failed = yaml_read_file(path, &file, err);
    if (failed) {
        return failed;
    }
    CLEANUP(str_free) char *whole = realpath(path, NULL);
    str_replace(&settings->config_path, whole ? whole : path);
    if (!file) {
        return 0;
    }
    if (!json_object_is_type(file, json_type_object)) {
        return err_set(err, EINVAL, "'%s' holds no settings (name: value)", path);
    }
    json_object_object_foreach(file, name, value)
    {
        const struct setting *row = find(name, strlen(name));
        if (!row) {
            CLEANUP(str_free) char *meant = suggestion(name, strlen(name), false);
            return err_set(err, EINVAL,
                           "'%s': unknown setting '%s'%s; 'jsorc serve --settings' "
                           "lists them",
                           path, name, meant);
        }
        failed = set(settings, row, value, err);
        if (failed) {
            return err_wrap(err, "'%s'", path);
        }
    }
    failed = settings_check_modules(settings, err);
    if (failed) {
        return err_wrap(err, "'%s'", path);
    }
    resolve_sources(settings);
    return 0;
}

/* ---- the command line ---- */

struct words {
    const char *config;
    struct json_object *options; /* name -> text or list of texts */
    struct json_object *sources;
};

static int take_option(struct words *words, int argc, char **argv, int *at, struct err *err)
{
    const char *word = argv[*at];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    size_t size = strcspn(name, "=");
    bool is_config = (size == 6 && strncmp(name, "config", 6) == 0) || (size == 1 && *name == 'c');
    const struct setting *row = is_config ? NULL : find(name, size);
    if (!is_config && (!row || !row->on_command_line)) {
        CLEANUP(str_free) char *meant = suggestion(name, size, true);
        return err_set(err, EINVAL, "unknown option '%s'%s; 'jsorc help serve' shows what there is",
                       word, meant);
    }
    const char *value = name[size] == '=' ? name + size + 1 : NULL;
    if (!value && row && row->type == SETTING_FLAG) {
        value = "true";
    }
    if (!value && *at + 1 < argc) {
        value = argv[++*at];
    }
    if (!value) {
        return err_set(err, EINVAL, "option '%s' needs a value", word);
    }
    if (is_config) {
        words->config = value;
        return 0;
    }
    struct json_object *text = json_object_new_string(value);
    struct json_object *list = json_member(words->options, row->name, json_type_array);
    if (row->type == SETTING_LIST && list) {
        (void)json_object_array_add(list, text);
    } else if (row->type == SETTING_LIST) {
        list = json_object_new_array();
        (void)json_object_array_add(list, text);
        json_set(words->options, row->name, list);
    } else {
        json_set(words->options, row->name, text);
    }
    return 0;
}

static int take_words(struct words *words, int argc, char **argv, struct err *err)
{
    bool only_sources = false;
    for (int i = 1; i < argc; i++) {
        if (!only_sources && strcmp(argv[i], "--") == 0) {
            only_sources = true;
        } else if (!only_sources && argv[i][0] == '-' && argv[i][1]) {
            int failed = take_option(words, argc, argv, &i, err);
            if (failed) {
                return failed;
            }
        } else {
            (void)json_object_array_add(words->sources, json_object_new_string(argv[i]));
        }
    }
    return 0;
}

/* A text of the command line in the setting's own type. */
static int set_text(struct settings *settings, const struct setting *row, struct json_object *given,
                    struct err *err)
{
    if (row->type == SETTING_TEXT || row->type == SETTING_LIST) {
        return set(settings, row, given, err);
    }
    CLEANUP(json_put) struct json_object *value = NULL;
    const char *text = json_object_get_string(given);
    if (json_parse(slice_str(text), &value, NULL) < 0) {
        return err_set(err, EINVAL, "'%s' is no value for setting '%s': %s", text, row->name,
                       row->help);
    }
    return set(settings, row, value, err);
}

/* The file to read: given, or jsorc.yaml in the only folder that is served, or here. */
static char *config_file(const struct words *words)
{
    if (words->config) {
        return xstrdup(words->config);
    }
    struct stat status;
    size_t count = json_object_array_length(words->sources);
    const char *only =
        count == 1 ? json_object_get_string(json_object_array_get_idx(words->sources, 0)) : ".";
    CLEANUP(str_free) char *path = xasprintf("%s/jsorc.yaml", only);
    return count <= 1 && stat(path, &status) == 0 ? TAKE(path) : NULL;
}

int settings_read(struct settings *settings, int argc, char **argv, struct err *err)
{
    *settings = (struct settings){0};
    CLEANUP(json_put) struct json_object *options = json_object_new_object();
    struct words words = {.options = options, .sources = json_object_new_array()};
    settings->sources = words.sources;
    int failed = set_defaults(settings, err);
    if (!failed) {
        failed = take_words(&words, argc, argv, err);
    }
    CLEANUP(str_free) char *path = failed ? NULL : config_file(&words);
    if (path) {
        failed = read_file(settings, path, err);
    }
    if (failed) {
        return failed;
    }
    json_object_object_foreach(options, name, value)
    {
        failed = set_text(settings, find(name, strlen(name)), value, err);
        if (failed) {
            return failed;
        }
    }
    if (!settings->state) {
        settings->state = state_folder(NULL);
    }
    return settings_check(settings, err);
}

void settings_print(void)
{
    for (const struct setting *row = SETTINGS_TABLE; row->name; row++) {
        printf("%-18s %s (default %s)\n", row->name, row->help, row->fallback);
    }
}
