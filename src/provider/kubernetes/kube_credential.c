/* Who we are: a token of the configuration, a token file that rotates, or what an exec plugin
 * prints. The plugin runs as a job. When the client is freed meanwhile, the job gets what it reads
 * (the plugin's arguments) as its own.
 * Source: kubernetes.io, "Authenticating", client-go credential plugins. */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/json.h"
#include "loop/job.h"
#include "provider/kubernetes/kube_priv.h"
#include "provider/kubernetes/kube_secret.h"

#define EXEC_TIMEOUT_MS 60000 /* it may ask a service on another continent */
#define EXEC_BYTES_MAX  (1024 * 1024)
#define EXEC_EARLY_MS   10000 /* renewed so long before it expires: clocks differ */
#define EXEC_AGAIN_MS   5000  /* pause between runs, but after a 401 */
#define ENVIRONMENT_MAX 4096  /* variables; Linux allows more, nobody has them */

struct kube_exec_job {
    struct kube *kube;      /* NULL: freed meanwhile. The loop's thread only */
    struct kube_exec *exec; /* the configuration's; owned when kube is NULL */
    char *info;             /* "KUBERNETES_EXEC_INFO=..." */
    struct kube_secret secret;
    struct err err;
};

static struct kube_exec_job *job_free(struct kube_exec_job *job)
{
    if (!job->kube) {
        (void)kube_exec_free(job->exec);
    }
    kube_secret_done(&job->secret);
    free(job->info);
    free(job);
    return NULL;
}

/* Ours, with the plugin's variables in front: getenv finds the first. Array owned by the caller. */
static char **make_environment(const struct kube_exec_job *job)
{
    size_t own = 0, count = 0;
    while (environ[own] && own < ENVIRONMENT_MAX) {
        own++;
    }
    char **all = xcalloc(own + KUBE_EXEC_ARGS_MAX + 2, sizeof(char *));
    all[count++] = job->info;
    for (int i = 0; job->exec->env[i]; i++) {
        all[count++] = job->exec->env[i];
    }
    for (size_t i = 0; i < own; i++) {
        const char *equals = strchr(environ[i], '=');
        size_t length = equals ? (size_t)(equals - environ[i]) + 1 : 0;
        bool set = length == 0;
        for (int j = 0; job->exec->env[j] && !set; j++) {
            set = strncmp(job->exec->env[j], environ[i], length) == 0;
        }
        if (!set && strncmp(environ[i], "KUBERNETES_EXEC_INFO=", 21) != 0) {
            all[count++] = environ[i];
        }
    }
    return all;
}

/* In a thread of the pool. */
static void run_plugin(void *arg)
{
    struct kube_exec_job *job = arg;
    struct buf out = {0}, errors = {0};
    char **environment = make_environment(job);
    struct child_run run = {.args = job->exec->args,
                            .environment = environment,
                            .timeout_ms = EXEC_TIMEOUT_MS,
                            .output_bytes_max = EXEC_BYTES_MAX};
    int status = child_capture(&run, &out, &errors, &job->err);
    if (status == 0) {
        status = kube_secret_read(buf_slice(&out), job->exec->api_version, &job->secret, &job->err);
    } else if (status > 0) {
        struct slice said = buf_slice(&errors);
        int length = said.size < 300 ? (int)said.size : 300;
        (void)err_set(&job->err, EPERM, "exit status %d: %.*s", status, length,
                      said.data ? said.data : "");
    }
    if (status == -ENOENT && job->exec->hint) {
        (void)err_wrap(&job->err, "%.500s", job->exec->hint);
    }
    free(environment);
    if (out.data) {
        explicit_bzero(out.data, out.capacity);
    }
    buf_done(&out);
    buf_done(&errors);
}

static void set_token(struct kube_credential *credential, const char *token)
{
    kube_secret_wipe(credential->authorization);
    credential->authorization = token ? xasprintf("Authorization: Bearer %s", token) : NULL;
}

static void take_secret(struct kube_credential *credential, struct kube_secret *secret)
{
    set_token(credential, secret->token);
    free(credential->certificate);
    kube_secret_wipe(credential->key);
    credential->certificate = TAKE(secret->certificate);
    credential->key = TAKE(secret->key);
    credential->expires_ms = secret->expires_ms;
    credential->valid = true;
}

static void plugin_ended(void *arg)
{
    struct kube_exec_job *job = arg;
    if (job->kube) {
        struct kube_credential *credential = &job->kube->credential;
        credential->job = NULL;
        credential->tried_ms = clock_now_ms();
        credential->err = job->err;
        if (!job->err.code) {
            take_secret(credential, &job->secret);
        }
        kube_pump_soon(job->kube);
    }
    (void)job_free(job);
}

static void set_base64(struct json_object *object, const char *name, const char *text)
{
    size_t size = sodium_base64_encoded_len(strlen(text), sodium_base64_VARIANT_ORIGINAL);
    CLEANUP(str_free) char *encoded = xcalloc(1, size);
    (void)sodium_bin2base64(encoded, size, (const unsigned char *)text, strlen(text),
                            sodium_base64_VARIANT_ORIGINAL);
    json_set_str(object, name, encoded);
}

/* ExecCredential's spec, told to the plugin in its environment. */
static char *make_info(const struct kube_config *config)
{
    CLEANUP(json_put) struct json_object *info = json_object_new_object();
    struct json_object *spec = json_object_new_object();
    json_set_str(info, "apiVersion", config->exec->api_version);
    json_set_str(info, "kind", "ExecCredential");
    json_set(info, "spec", spec);
    json_set_bool(spec, "interactive", false);
    if (config->exec->cluster_info) {
        struct json_object *cluster = json_object_new_object();
        json_set_str(cluster, "server", config->server);
        json_set_bool(cluster, "insecure-skip-tls-verify", config->insecure);
        if (config->server_name) {
            json_set_str(cluster, "tls-server-name", config->server_name);
        }
        if (config->ca_pem) {
            set_base64(cluster, "certificate-authority-data", config->ca_pem);
        }
        json_set(spec, "cluster", cluster);
    }
    return xasprintf("KUBERNETES_EXEC_INFO=%s", json_text(info));
}

static enum kube_ready ready_plugin(struct kube *kube, struct err *err)
{
    struct kube_credential *credential = &kube->credential;
    bool recent = clock_now_ms() < credential->tried_ms + EXEC_AGAIN_MS;
    bool expired =
        credential->expires_ms && clock_unix_ms() + EXEC_EARLY_MS >= credential->expires_ms;
    if (credential->valid && (!expired || recent)) { /* it may print what it has kept */
        return KUBE_READY;
    }
    if (credential->job) {
        return KUBE_READY_LATER;
    }
    if (credential->err.code && recent) {
        (void)err_set(err, EPERM, "the exec plugin '%s' of %s gave no credentials: %.1500s",
                      kube->config->exec->command, kube->config->source, credential->err.text);
        return KUBE_READY_NEVER;
    }
    credential->valid = false;
    struct kube_exec_job *job = xcalloc(1, sizeof(*job));
    *job = (struct kube_exec_job){
        .kube = kube, .exec = kube->config->exec, .info = make_info(kube->config)};
    credential->job = job;
    job_submit(kube->jobs, kube->loop, run_plugin, plugin_ended, job);
    return KUBE_READY_LATER;
}

/* In a pod it lies in memory (tmpfs), so reading it does not block. */
static enum kube_ready ready_file(struct kube *kube, struct err *err)
{
    struct kube_credential *credential = &kube->credential;
    uint64_t now_ms = clock_now_ms();
    if (credential->valid && now_ms < credential->tried_ms + KUBE_TOKEN_MS) {
        return KUBE_READY;
    }
    CLEANUP(str_free) char *token = NULL;
    if (kube_read_text(kube->config->token_file, &token, err) < 0) {
        (void)err_wrap(err, "no token");
        return KUBE_READY_NEVER;
    }
    if (!*token || strpbrk(token, "\r\n")) {
        (void)err_set(err, EINVAL, "'%s' holds no token", kube->config->token_file);
        return KUBE_READY_NEVER;
    }
    set_token(credential, token);
    credential->tried_ms = now_ms;
    credential->valid = true;
    return KUBE_READY;
}

enum kube_ready kube_credential_ready(struct kube *kube, struct err *err)
{
    if (kube->config->token_file) { /* before token, as client-go has it */
        return ready_file(kube, err);
    }
    if (kube->config->token) {
        if (!kube->credential.valid) {
            set_token(&kube->credential, kube->config->token);
            kube->credential.valid = true;
        }
        return KUBE_READY;
    }
    return kube->config->exec ? ready_plugin(kube, err) : KUBE_READY;
}

void kube_credential_renew(struct kube *kube)
{
    kube->credential.valid = false;
}

void kube_credential_done(struct kube *kube)
{
    struct kube_credential *credential = &kube->credential;
    if (credential->job) {
        credential->job->kube = NULL;
        kube->config->exec = NULL; /* the job's now */
    }
    kube_secret_wipe(credential->authorization);
    free(credential->certificate);
    kube_secret_wipe(credential->key);
    *credential = (struct kube_credential){0};
}
