/* The kubeconfig: one file, or several by ':' of which the first that has an entry counts, as with
 * kubectl. Paths in a file are relative to it. */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/yaml.h"
#include "provider/kubernetes/kube_config.h"

struct files {
    unsigned count;
    char *paths[KUBE_CONFIG_FILES_MAX];                /* owned */
    struct json_object *values[KUBE_CONFIG_FILES_MAX]; /* owned */
};

struct entry {                 /* of clusters, users or contexts */
    struct json_object *value; /* borrowed from files */
    const char *path;          /* of the file that has it */
};

static struct files *files_free(struct files *files)
{
    for (unsigned i = 0; i < files->count; i++) {
        free(files->paths[i]);
        (void)json_put(files->values[i]);
    }
    free(files);
    return NULL;
}
DEFINE_CLEANUP(struct files *, files_free)

static int read_file(struct files *files, const char *path, struct err *err)
{
    struct json_object *value = NULL;
    if (files->count == KUBE_CONFIG_FILES_MAX) {
        return err_set(err, EINVAL, "KUBECONFIG names more than %d files", KUBE_CONFIG_FILES_MAX);
    }
    int failed = yaml_read_file(path, &value, err);
    if (failed) {
        (void)err_wrap(err, "kubeconfig");
        return failed;
    }
    if (!json_object_is_type(value, json_type_object)) {
        (void)json_put(value);
        return err_set(err, EINVAL, "kubeconfig '%s' is no mapping with clusters and users", path);
    }
    files->paths[files->count] = xstrdup(path);
    files->values[files->count++] = value;
    return 0;
}

/* Of a list of paths, those that do not exist are left out, as kubectl does. */
static int read_list(struct files *files, const char *list, struct err *err)
{
    CLEANUP(str_free) char *copy = xstrdup(list);
    char *rest = copy, *path;
    while ((path = strsep(&rest, ":"))) {
        if (*path && access(path, F_OK) == 0) {
            int failed = read_file(files, path, err);
            if (failed) {
                return failed;
            }
        }
    }
    return files->count ? 0 : err_set(err, ENOENT, "no kubeconfig: KUBECONFIG names '%s'", list);
}

static int read_files(struct files *files, const char *given, struct err *err)
{
    const char *list = getenv("KUBECONFIG");
    const char *home = getenv("HOME");
    if (given) {
        return read_file(files, given, err);
    }
    if (list && *list) {
        return read_list(files, list, err);
    }
    CLEANUP(str_free) char *path = xasprintf("%s/.kube/config", home ? home : "");
    if (access(path, F_OK) < 0) {
        return err_set(err, ENOENT,
                       "no kubeconfig: there is no '%s', and neither KUBECONFIG nor a "
                       "setting names another one",
                       path);
    }
    return read_file(files, path, err);
}

/* list "clusters" has members "cluster", and so on: {name: NAME, cluster: {...}}. */
static int find(const struct files *files, const char *list, const char *member, const char *name,
                struct entry *ret_entry, struct err *err)
{
    for (unsigned i = 0; i < files->count; i++) {
        struct json_object *items = json_member(files->values[i], list, json_type_array);
        for (size_t j = 0; items && j < json_object_array_length(items); j++) {
            struct json_object *item = json_object_array_get_idx(items, j);
            const char *its_name = json_str(item, "name");
            struct json_object *value = json_member(item, member, json_type_object);
            if (value && its_name && strcmp(its_name, name) == 0) {
                *ret_entry = (struct entry){value, files->paths[i]};
                return 0;
            }
        }
    }
    return err_set(err, EINVAL, "kubeconfig '%s' has no %s '%s'", files->paths[0], member, name);
}

static const char *current_context(const struct files *files)
{
    for (unsigned i = 0; i < files->count; i++) {
        const char *name = json_str(files->values[i], "current-context");
        if (name && *name) {
            return name;
        }
    }
    return NULL;
}

static void set_text(char **into, const struct entry *entry, const char *name)
{
    const char *text = json_str(entry->value, name);
    if (text && *text) {
        str_replace(into, text);
    }
}

/* A path relative to the file's folder; a bare name stays one when it is a program's. */
static char *resolve(const struct entry *entry, const char *path)
{
    const char *slash = strrchr(entry->path, '/');
    if (path[0] == '/' || !slash) {
        return xstrdup(path);
    }
    return xasprintf("%.*s/%s", (int)(slash - entry->path), entry->path, path);
}

static void set_path(char **into, const struct entry *entry, const char *name)
{
    const char *path = json_str(entry->value, name);
    if (path && *path) {
        free(*into);
        *into = resolve(entry, path);
    }
}

/* Base64 of PEM. */
static int set_data(char **into, const struct entry *entry, const char *name, struct err *err)
{
    const char *data = json_str(entry->value, name);
    if (!data || !*data) {
        return 0;
    }
    size_t length = strlen(data), size = 0;
    char *text = xcalloc(1, length + 1); /* the text is longer than what it means */
    if (sodium_base642bin((unsigned char *)text, length, data, length, " \t\r\n", &size, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        free(text);
        return err_set(err, EINVAL, "kubeconfig '%s': %s is no base64", entry->path, name);
    }
    free(*into);
    *into = text;
    return 0;
}

static int read_cluster(struct kube_config *config, const struct entry *entry, struct err *err)
{
    set_text(&config->server, entry, "server");
    set_text(&config->server_name, entry, "tls-server-name");
    set_text(&config->proxy, entry, "proxy-url");
    set_path(&config->ca_file, entry, "certificate-authority");
    config->insecure = json_flag(entry->value, "insecure-skip-tls-verify", false);
    return set_data(&config->ca_pem, entry, "certificate-authority-data", err);
}

static int read_environment(struct kube_exec *exec, const struct entry *entry, struct err *err)
{
    struct json_object *list = json_member(entry->value, "env", json_type_array);
    size_t count = list ? json_object_array_length(list) : 0;
    if (count > KUBE_EXEC_ARGS_MAX) {
        return err_set(err, EINVAL, "kubeconfig '%s': exec.env has more than %d entries",
                       entry->path, KUBE_EXEC_ARGS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        const char *name = json_str(item, "name"), *value = json_str(item, "value");
        if (!name || !*name || strchr(name, '=')) {
            return err_set(err, EINVAL, "kubeconfig '%s': exec.env %zu has no name", entry->path,
                           i + 1);
        }
        exec->env[i] = xasprintf("%s=%s", name, value ? value : "");
    }
    return 0;
}

static int read_arguments(struct kube_exec *exec, const struct entry *entry, struct err *err)
{
    struct json_object *list = json_member(entry->value, "args", json_type_array);
    size_t count = list ? json_object_array_length(list) : 0;
    exec->args[0] = xstrdup(exec->command);
    if (count > KUBE_EXEC_ARGS_MAX) {
        return err_set(err, EINVAL, "kubeconfig '%s': exec.args has more than %d entries",
                       entry->path, KUBE_EXEC_ARGS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(list, i));
        exec->args[i + 1] = xstrdup(text ? text : "");
    }
    return 0;
}

static int read_exec(struct kube_config *config, const struct entry *user, struct err *err)
{
    struct entry entry = {json_member(user->value, "exec", json_type_object), user->path};
    if (!entry.value) {
        return 0;
    }
    const char *command = json_str(entry.value, "command");
    const char *version = json_str(entry.value, "apiVersion");
    const char *mode = json_str(entry.value, "interactiveMode");
    if (!command || !*command || !version) {
        return err_set(err, EINVAL, "kubeconfig '%s': exec needs apiVersion and command",
                       user->path);
    }
    if (mode && strcmp(mode, "Always") == 0) {
        return err_set(err, EINVAL,
                       "kubeconfig '%s': the exec plugin '%s' wants a terminal "
                       "(interactiveMode Always); use one that does not, or a token",
                       user->path, command);
    }
    struct kube_exec *exec = xcalloc(1, sizeof(*exec));
    config->exec = exec;
    exec->command = strchr(command, '/') ? resolve(&entry, command) : xstrdup(command);
    exec->api_version = xstrdup(version);
    exec->cluster_info = json_flag(entry.value, "provideClusterInfo", false);
    set_text(&exec->hint, &entry, "installHint");
    int failed = read_arguments(exec, &entry, err);
    return failed ? failed : read_environment(exec, &entry, err);
}

static int read_user(struct kube_config *config, const struct entry *entry, struct err *err)
{
    if (json_member(entry->value, "auth-provider", json_type_object)) {
        return err_set(err, EINVAL,
                       "kubeconfig '%s': auth-provider was removed from Kubernetes; use the "
                       "provider's exec plugin",
                       entry->path);
    }
    set_text(&config->token, entry, "token");
    set_path(&config->token_file, entry, "tokenFile");
    set_text(&config->user, entry, "username");
    set_text(&config->password, entry, "password");
    set_path(&config->certificate_file, entry, "client-certificate");
    set_path(&config->key_file, entry, "client-key");
    int failed = set_data(&config->certificate_pem, entry, "client-certificate-data", err);
    if (!failed) {
        failed = set_data(&config->key_pem, entry, "client-key-data", err);
    }
    return failed ? failed : read_exec(config, entry, err);
}

int kube_kubeconfig_read(struct kube_config *config, const struct kube_config_options *options,
                         struct err *err)
{
    CLEANUP(files_free) struct files *files = xcalloc(1, sizeof(*files));
    struct entry context, cluster, user;
    int failed = read_files(files, options->kubeconfig, err);
    if (failed) {
        return failed;
    }
    const char *name = options->context ? options->context : current_context(files);
    if (!name) {
        return err_set(err, EINVAL, "kubeconfig '%s' has no current-context; name a context",
                       files->paths[0]);
    }
    failed = find(files, "contexts", "context", name, &context, err);
    if (failed) {
        return failed;
    }
    config->source = xasprintf("context '%s' of '%s'", name, context.path);
    set_text(&config->namespace, &context, "namespace");
    const char *cluster_name = json_str(context.value, "cluster");
    const char *user_name = json_str(context.value, "user");
    failed = find(files, "clusters", "cluster", cluster_name ? cluster_name : "", &cluster, err);
    if (!failed) {
        failed = read_cluster(config, &cluster, err);
    }
    if (failed || !user_name || !*user_name) { /* without a user: anonymous */
        return failed;
    }
    failed = find(files, "users", "user", user_name, &user, err);
    return failed ? failed : read_user(config, &user, err);
}
