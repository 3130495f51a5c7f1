#include "daemon/sources.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/child.h"
#include "base/environment.h"
#include "base/err.h"
#include "base/json.h"
#include "control/control.h"
#include "daemon/paths.h"
#include "daemon/settings.h"

#define LOADED_BY      "serve"
#define SCAN_BYTES_MAX (1024 * 1024) /* a source file beyond this is not looked into */

/* A folder may hold scripts beside modules: a module is what decorates something as an action or a
 * walker. */
static bool has_actions(const char *path)
{
    static const char *const marks[] = {"@jsorc.action", "@jsorc.walker", "@jaseci_action",
                                        "@action", "@walker"};
    CLEANUP(str_free) char *text = xcalloc(1, SCAN_BYTES_MAX + 1);
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    size_t size = fread(text, 1, SCAN_BYTES_MAX, file);
    (void)fclose(file);
    text[size] = '\0';
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (strstr(text, marks[i])) {
            return true;
        }
    }
    return false;
}

static bool is_module_file(const char *folder, const char *name)
{
    size_t size = strlen(name);
    if (size > 3 && strcmp(name + size - 3, ".so") == 0) {
        return true;
    }
    if (size <= 3 || strcmp(name + size - 3, ".py") != 0 || name[0] == '_' || name[0] == '.') {
        return false;
    }
    CLEANUP(str_free) char *path = xasprintf("%s/%s", folder, name);
    return has_actions(path);
}

/* Adds name -> {"source": path}. */
static int add(struct json_object *found, const char *source, struct err *err)
{
    CLEANUP(str_free) char *name = control_name_of(source);
    const char *other = json_str(json_member(found, name, json_type_object), "source");
    if (other && strcmp(other, source) != 0) {
        return err_set(err, EEXIST,
                       "two modules are named '%s': '%s' and '%s'; rename one, or name them in "
                       "jsorc.yaml under modules",
                       name, other, source);
    }
    struct json_object *module = json_object_new_object();
    json_set_str(module, "source", source);
    json_set(found, name, module);
    return 0;
}

static int scan_folder(struct json_object *found, const char *folder, struct err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0) {
        return err_errno(err, errno, "cannot read '%s'", folder);
    }
    int before = json_object_object_length(found);
    int failed = 0;
    for (int i = 0; i < count; i++) {
        if (!failed && is_module_file(folder, entries[i]->d_name)) {
            CLEANUP(str_free) char *path = xasprintf("%s/%s", folder, entries[i]->d_name);
            failed = add(found, path, err);
        }
        free(entries[i]);
    }
    free(entries);
    if (failed) {
        return failed;
    }
    if (json_object_object_length(found) == before) {
        return err_set(err, ENOENT,
                       "'%s' holds no module: no .so file, and no Python file with "
                       "@jsorc.action, @jsorc.walker or @jaseci_action",
                       folder);
    }
    return 0;
}

#define FIND_TIMEOUT_MS 20000 /* a cold start from a slow disk */
#define FIND_OUTPUT_MAX 65536
#define FIND_NOT_FOUND  3 /* exit status: none that an interpreter ends with by itself */

/* A path that is written wrong looks like the name of a Python module. Asks the interpreter for the
 * package, without importing anything; what else can go wrong is the worker's to tell. */
static int check_import_name(const char *name, const struct paths *paths, struct err *err)
{
    static const char code[] = "import sys, importlib.util\n"
                               "name = sys.argv[1].partition('.')[0]\n"
                               "sys.exit(0 if importlib.util.find_spec(name) else 3)\n";
    char *python_path = NULL;
    char **environment = environment_prepend("PYTHONPATH", paths->python_path, &python_path);
    char *args[] = {paths->python, (char *)(uintptr_t) "-c", (char *)(uintptr_t)code,
                    (char *)(uintptr_t)name, NULL};
    struct child_run run = {.args = args,
                            .environment = environment,
                            .timeout_ms = FIND_TIMEOUT_MS,
                            .output_bytes_max = FIND_OUTPUT_MAX};
    struct buf out = {0}, errors = {0};
    int status = child_capture(&run, &out, &errors, NULL);
    buf_done(&out);
    buf_done(&errors);
    free(environment);
    free(python_path);
    if (status != FIND_NOT_FOUND) {
        return 0;
    }
    return err_set(err, ENOENT,
                   "cannot load '%s': there is no such file or folder, and %s finds no Python "
                   "module of that name; give a path that exists, or install the module for that "
                   "interpreter (another one: --python PATH)",
                   name, paths->python);
}

static bool is_import_name(const char *source)
{
    struct stat status;
    return !strchr(source, '/') && !strstr(source, ".py") && !strstr(source, ".so") &&
           stat(source, &status) < 0;
}

static int find_one(struct json_object *found, const char *source, bool has_modules,
                    struct err *err)
{
    struct stat status;
    if (strstr(source, "://") || is_import_name(source)) {
        return add(found, source, err);
    }
    CLEANUP(str_free) char *path = realpath(source, NULL);
    if (!path || stat(path, &status) < 0) {
        return err_errno(err, errno, "cannot read '%s'", source);
    }
    if (!S_ISDIR(status.st_mode)) {
        return add(found, path, err);
    }
    return has_modules ? 0 : scan_folder(found, path, err); /* jsorc.yaml in it says which */
}

/* name -> {source, place, ctx, ...} of everything that is to be loaded; owned by the caller. */
static int find_all(const struct settings *settings, struct json_object **ret, struct err *err)
{
    CLEANUP(json_put) struct json_object *found = json_object_new_object();
    bool listed = json_object_object_length(settings->modules) > 0;
    json_object_object_foreach(settings->modules, name, module)
    {
        json_set(found, name, json_ref(module));
    }
    for (size_t i = 0; i < json_object_array_length(settings->sources); i++) {
        const char *source =
            json_object_get_string(json_object_array_get_idx(settings->sources, i));
        int failed = find_one(found, source, listed, err);
        if (failed) {
            return failed;
        }
    }
    *ret = TAKE(found);
    return 0;
}

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* As posix_spawnp finds it. */
static bool is_in_path(const char *name)
{
    const char *folders = getenv("PATH");
    for (const char *at = folders ? folders : "/usr/bin:/bin"; *at;) {
        size_t size = strcspn(at, ":");
        CLEANUP(str_free) char *path = xasprintf("%.*s/%s", (int)size, at, name);
        if (is_program(path)) {
            return true;
        }
        at += size + (at[size] == ':');
    }
    return false;
}

/* One that was named and is not there is a wrong setting; the usual one may be missing where all
 * modules are native. */
static int check_python(const char *python, struct err *err)
{
    bool there =
        !python || !*python || (strchr(python, '/') ? is_program(python) : is_in_path(python));
    return there ? 0
                 : err_set(err, EINVAL,
                           "setting 'python': '%s' is no program that can be run; 'jsorc doctor "
                           "--python PATH' looks at an interpreter",
                           python);
}

/* A file that jsorc.yaml names, as one of the command line. */
static int check_files(const struct settings *settings, struct err *err)
{
    json_object_object_foreach(settings->modules, name, module)
    {
        struct stat status;
        const char *source = json_str(module, "source");
        if (source && *source == '/' && stat(source, &status) < 0) {
            return err_errno(err, errno, "'%s': module '%s': cannot read its source '%s'",
                             settings->config_path, name, source);
        }
    }
    return 0;
}

int sources_check(const struct settings *settings, const struct paths *paths, struct err *err)
{
    CLEANUP(json_put) struct json_object *found = NULL;
    int failed = check_python(settings->python, err);
    failed = failed ? failed : check_files(settings, err);
    failed = failed ? failed : find_all(settings, &found, err);
    for (size_t i = 0; !failed && i < json_object_array_length(settings->sources); i++) {
        const char *source =
            json_object_get_string(json_object_array_get_idx(settings->sources, i));
        if (!strstr(source, "://") && is_import_name(source)) {
            failed = check_import_name(source, paths, err);
        }
    }
    return failed;
}

static int load_one(struct control *control, const char *name, struct json_object *module,
                    struct err *err)
{
    const char *source = json_str(module, "source"), *place = json_str(module, "place");
    bool server = strcmp(control_kind_of(source), "server") == 0;
    struct control_load load = {
        .name = name,
        .source = source,
        .ctx = json_member(module, "ctx", json_type_object),
        .config = module,
        .place = server || (place && strcmp(place, "remote") == 0) ? PLACE_REMOTE : PLACE_MODULE,
        .loaded_by = LOADED_BY,
    };
    enum place now = control_wanted(control, name);
    if (now != PLACE_NONE && (!place || control_has_config(control, name, module))) {
        load.place = now; /* it was moved since the file said so */
    }
    return control_load(control, &load, 0, NULL, NULL, err);
}

int sources_load(const struct settings *settings, struct control *control, struct err *err)
{
    CLEANUP(json_put) struct json_object *found = NULL;
    int failed = find_all(settings, &found, err);
    if (failed) {
        return failed;
    }
    json_object_object_foreach(found, name, module)
    {
        failed = load_one(control, name, module, err);
        if (failed) {
            return err_wrap(err, "cannot load module '%s'", name);
        }
    }
    /* A daemon without modules of its own serves those of the others that share the state. */
    if (!settings->state_url || json_object_object_length(found) > 0) {
        control_forget_others(control, LOADED_BY, found);
    }
    return 0;
}
