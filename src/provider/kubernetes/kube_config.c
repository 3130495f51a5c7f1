#include "provider/kubernetes/kube_config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "provider/kubernetes/kube_secret.h"

#define SERVICE_ACCOUNT_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"

struct kube_exec *kube_exec_free(struct kube_exec *exec)
{
    if (exec) {
        for (int i = 0; exec->args[i]; i++) {
            free(exec->args[i]);
        }
        for (int i = 0; exec->env[i]; i++) {
            free(exec->env[i]);
        }
        free(exec->api_version);
        free(exec->command);
        free(exec->hint);
        free(exec);
    }
    return NULL;
}

struct kube_config *kube_config_free(struct kube_config *config)
{
    if (config) {
        free(config->source);
        free(config->server);
        free(config->namespace);
        free(config->server_name);
        free(config->proxy);
        free(config->ca_file);
        free(config->ca_pem);
        free(config->certificate_file);
        free(config->certificate_pem);
        free(config->key_file);
        kube_secret_wipe(config->key_pem);
        kube_secret_wipe(config->token);
        free(config->token_file);
        free(config->user);
        kube_secret_wipe(config->password);
        (void)kube_exec_free(config->exec);
        free(config);
    }
    return NULL;
}

const char *kube_config_server(const struct kube_config *config)
{
    return config->server;
}

const char *kube_config_namespace(const struct kube_config *config)
{
    return config->namespace;
}

int kube_read_text(const char *path, char **ret_text, struct err *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_errno(err, errno, "cannot read '%s'", path);
    }
    CLEANUP(str_free) char *text = xcalloc(1, KUBE_FILE_BYTES_MAX + 2);
    size_t size = 0;
    ssize_t got;
    while (size <= KUBE_FILE_BYTES_MAX &&
           (got = read(fd, text + size, KUBE_FILE_BYTES_MAX + 1 - size)) != 0) {
        if (got < 0) {
            return err_errno(err, errno, "cannot read '%s'", path);
        }
        size += (size_t)got;
    }
    if (size > KUBE_FILE_BYTES_MAX) {
        return err_set(err, EFBIG, "'%s' has more than %d bytes", path, KUBE_FILE_BYTES_MAX);
    }
    while (size > 0 && strchr(" \t\r\n", text[size - 1])) {
        size--;
    }
    *ret_text = xstrndup(text, size);
    explicit_bzero(text, size);
    return 0;
}

static bool exists(const char *path)
{
    return access(path, R_OK) == 0;
}

static int read_pod(struct kube_config *config, const char *folder, struct err *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    CLEANUP(str_free) char *token_file = xasprintf("%s/token", folder);
    CLEANUP(str_free) char *namespace_file = xasprintf("%s/namespace", folder);
    CLEANUP(str_free) char *ca_file = xasprintf("%s/ca.crt", folder);
    if (!host || !port || !*host || !*port) {
        return err_set(err, ENOENT,
                       "not in a pod of a cluster: KUBERNETES_SERVICE_HOST and _PORT are not set; "
                       "use a kubeconfig (in_cluster false)");
    }
    if (!exists(token_file)) {
        return err_errno(err, ENOENT,
                         "the pod has no service account token '%s' (automountServiceAccountToken)",
                         token_file);
    }
    bool numeric6 = strchr(host, ':') != NULL;
    config->source = xstrdup("the pod's service account");
    config->server = xasprintf(numeric6 ? "https://[%s]:%s" : "https://%s:%s", host, port);
    config->token_file = TAKE(token_file);
    if (exists(ca_file)) {
        config->ca_file = TAKE(ca_file);
    }
    return exists(namespace_file) ? kube_read_text(namespace_file, &config->namespace, err) : 0;
}

static void read_options(struct kube_config *config, const struct kube_config_options *options)
{
    if (options->api_server) {
        str_replace(&config->server, options->api_server);
    }
    if (options->token_file) {
        str_replace(&config->token_file, options->token_file);
        str_replace(&config->token, NULL);
        config->exec = kube_exec_free(config->exec);
    }
    if (options->ca_file) {
        str_replace(&config->ca_file, options->ca_file);
        str_replace(&config->ca_pem, NULL);
    }
    if (options->insecure) {
        config->insecure = true;
    }
    if (options->namespace) {
        str_replace(&config->namespace, options->namespace);
    }
}

/* What can be said before the first request. */
static int check(struct kube_config *config, struct err *err)
{
    size_t length = config->server ? strlen(config->server) : 0;
    while (length > 0 && config->server[length - 1] == '/') {
        config->server[--length] = '\0';
    }
    if (length == 0) {
        return err_set(err, EINVAL, "no API server is named");
    }
    if (strncmp(config->server, "https://", 8) != 0 && strncmp(config->server, "http://", 7) != 0) {
        return err_set(err, EINVAL, "API server '%s' is no URL that begins with https://",
                       config->server);
    }
    if (config->ca_file && !exists(config->ca_file)) {
        return err_errno(err, errno, "cannot read the certificate authority '%s'", config->ca_file);
    }
    bool certificate = config->certificate_file || config->certificate_pem;
    bool key = config->key_file || config->key_pem;
    if (certificate != key) {
        return err_set(err, EINVAL,
                       "a client certificate and its key belong together: the %s "
                       "is missing",
                       key ? "certificate" : "key");
    }
    return 0;
}

int kube_config_load(const struct kube_config_options *options, struct kube_config **ret_config,
                     struct err *err)
{
    CLEANUP(kube_config_free) struct kube_config *config = xcalloc(1, sizeof(*config));
    int failed = 0;
    if (options->in_cluster) {
        const char *folder = options->service_account_folder;
        failed = read_pod(config, folder ? folder : SERVICE_ACCOUNT_FOLDER, err);
    } else if (options->kubeconfig || !options->api_server) {
        failed = kube_kubeconfig_read(config, options, err);
    } else {
        config->source = xstrdup("the settings");
    }
    if (failed) {
        return failed;
    }
    read_options(config, options);
    failed = check(config, err);
    if (failed) {
        (void)err_wrap(err, "%s", config->source);
        return failed;
    }
    if (!config->namespace || !*config->namespace) {
        str_replace(&config->namespace, "default");
    }
    *ret_config = TAKE(config);
    return 0;
}
