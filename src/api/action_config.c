#include "api/action_config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "api/api.h"
#include "base/alloc.h"
#include "base/child.h"
#include "base/environment.h"
#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"
#include "loop/job.h"

#define READ_TIMEOUT_MS  30000 /* importing a package may load what it should not */
#define OUTPUT_BYTES_MAX (16 * 1024 * 1024)

/* Prints the package's dict. What the import itself prints goes to the other stream. */
static const char read_package[] = "import sys, json, importlib, os\n"
                                   "out = os.dup(1); os.dup2(2, 1)\n"
                                   "sys.path.insert(0, os.getcwd())\n"
                                   "module = importlib.import_module(sys.argv[1])\n"
                                   "configs = getattr(module, 'ACTION_CONFIGS', None)\n"
                                   "if not isinstance(configs, dict):\n"
                                   "    sys.exit(\"the package has no dict ACTION_CONFIGS\")\n"
                                   "os.write(out, json.dumps(configs).encode())\n";

struct reading {
    struct api *api;
    char *source;
    action_configs_fn fn;
    void *arg;
    struct json_object *configs;
    struct err err;
};

static int read_folder(struct reading *reading)
{
    DIR *folder = opendir(reading->source);
    int failed = 0;
    if (!folder) {
        return err_errno(&reading->err, errno, "cannot read '%s'", reading->source);
    }
    reading->configs = json_object_new_object();
    for (struct dirent *entry; !failed && (entry = readdir(folder));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || dot == entry->d_name ||
            (strcmp(dot, ".json") != 0 && strcmp(dot, ".yaml") != 0 && strcmp(dot, ".yml") != 0)) {
            continue;
        }
        CLEANUP(str_free) char *path = xasprintf("%s/%s", reading->source, entry->d_name);
        CLEANUP(json_put) struct json_object *part = NULL;
        failed = yaml_read_file(path, &part, &reading->err);
        if (!failed && json_object_is_type(part, json_type_object)) {
            json_object_object_foreach(part, name, value)
            {
                json_set(reading->configs, name, json_ref(value));
            }
        }
    }
    (void)closedir(folder);
    return failed;
}

static int read_python(struct reading *reading)
{
    struct buf out = {0}, errors = {0};
    CLEANUP(str_free) char *variable = NULL;
    char **environment = environment_prepend("PYTHONPATH", reading->api->python_path, &variable);
    char *args[] = {(char *)(uintptr_t)reading->api->python, (char *)"-c",
                    (char *)(uintptr_t)read_package, reading->source, NULL};
    struct child_run run = {.args = args,
                            .environment = environment,
                            .timeout_ms = READ_TIMEOUT_MS,
                            .output_bytes_max = OUTPUT_BYTES_MAX};
    int status = child_capture(&run, &out, &errors, &reading->err);
    if (status > 0) { /* the last line of a traceback says what is wrong */
        struct slice text = buf_slice(&errors);
        while (text.size > 0 && text.data[text.size - 1] == '\n') {
            text.size--;
        }
        const char *line = text.size ? memrchr(text.data, '\n', text.size) : NULL;
        struct slice last = line ? slice_from(text, (size_t)(line + 1 - text.data)) : text;
        status = err_set(&reading->err, ENOENT, "cannot read package '%s': %.*s", reading->source,
                         (int)(last.size < 500 ? last.size : 500), last.size ? last.data : "");
    } else if (status == 0) {
        status = json_parse_object(buf_slice(&out), &reading->configs, &reading->err);
    }
    buf_done(&out);
    buf_done(&errors);
    free(environment);
    return status;
}

static void work(void *arg)
{
    struct reading *reading = arg;
    struct stat status;
    if (strncmp(reading->source, "file://", 7) == 0) {
        memmove(reading->source, reading->source + 7, strlen(reading->source + 7) + 1);
    }
    if (!strchr(reading->source, '/') && stat(reading->source, &status) < 0) {
        (void)read_python(reading);
    } else if (stat(reading->source, &status) == 0 && S_ISDIR(status.st_mode)) {
        (void)read_folder(reading);
    } else {
        (void)yaml_read_file(reading->source, &reading->configs, &reading->err);
    }
}

static void done(void *arg)
{
    struct reading *reading = arg;
    if (reading->err.code == 0 && !json_object_is_type(reading->configs, json_type_object)) {
        (void)err_set(&reading->err, EINVAL, "'%s' holds no object of action configs",
                      reading->source);
    }
    bool well = reading->err.code == 0;
    reading->fn(reading->arg, well ? reading->configs : NULL, well ? NULL : reading->err.text);
    (void)json_put(reading->configs);
    free(reading->source);
    free(reading);
}

void action_configs_read(struct api *api, const char *source, action_configs_fn fn, void *arg)
{
    struct reading *reading = xcalloc(1, sizeof(*reading));
    *reading = (struct reading){.api = api, .source = xstrdup(source), .fn = fn, .arg = arg};
    job_submit(api->jobs, api->loop, work, done, reading);
}

int action_config_check(struct json_object *entry, struct err *err)
{
    if (!json_object_is_type(entry, json_type_object)) {
        return err_set(err, EINVAL, "an action config is an object");
    }
    if (!json_str(entry, "module")) {
        return err_set(err, EINVAL, "'module' is missing: the import name or file of the module");
    }
    struct json_object *memory = NULL;
    if (json_object_object_get_ex(entry, "local_mem_requirement", &memory) && memory &&
        !json_object_is_type(memory, json_type_int) &&
        !json_object_is_type(memory, json_type_double)) {
        return err_set(err, EINVAL, "'local_mem_requirement' is a number of MB");
    }
    struct json_object *remote = NULL;
    if (json_object_object_get_ex(entry, "remote", &remote) && remote &&
        !json_object_is_type(remote, json_type_object)) {
        return err_set(err, EINVAL,
                       "'remote' is an object: manifests by kind, or image, port and "
                       "memory");
    }
    return 0;
}
