/* The files that Prometheus and the node exporter read. Their addresses are ports of loopback,
 * which each account of this host can reach, so both ask for a password. */
#include "service/prometheus.h"

#include <crypt.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/alloc.h"
#include "base/err.h"
#include "service/service_priv.h"

#define BCRYPT_COST 5 /* the password is random: nothing is to be made slow */
#define SALT_BYTES  16

char *prometheus_folder(const struct service_job *job)
{
    const char *slash = strrchr(job->paths->folder, '/');
    return xasprintf("%.*s/prome", (int)(slash - job->paths->folder), job->paths->folder);
}

static char *password_path(const struct service_job *job)
{
    CLEANUP(str_free) char *folder = prometheus_folder(job);
    return xasprintf("%s/password", folder);
}

char *prometheus_own_user(const struct service_job *job)
{
    if (job->provider == PROVIDER_CLUSTER) {
        return job->secret ? xasprintf("%s:%s", PROMETHEUS_USER, job->secret) : NULL;
    }
    CLEANUP(str_free) char *path = password_path(job);
    CLEANUP(str_free) char *password = service_file_get(path);
    return password ? xasprintf("%s:%s", PROMETHEUS_USER, password) : NULL;
}

/* The same hash each time, so that an unchanged file stays as it is. */
static int hash_password(const char *password, char ret[CRYPT_OUTPUT_SIZE], struct err *err)
{
    unsigned char salt[SALT_BYTES];
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    CLEANUP(str_free) char *memory = xcalloc(1, sizeof(struct crypt_data));
    (void)crypto_generichash(salt, sizeof(salt), (const unsigned char *)password, strlen(password),
                             NULL, 0);
    const char *hash = NULL;
    if (crypt_gensalt_rn("$2b$", BCRYPT_COST, (const char *)salt, sizeof(salt), setting,
                         sizeof(setting))) {
        hash = crypt_rn(password, setting, memory, (int)sizeof(struct crypt_data));
    }
    if (!hash || *hash == '*') {
        return err_set(err, ENOTSUP, "this system's libcrypt has no bcrypt");
    }
    (void)snprintf(ret, CRYPT_OUTPUT_SIZE, "%s", hash);
    return 0;
}

char *prometheus_web_config(const char *password, struct err *err)
{
    char hash[CRYPT_OUTPUT_SIZE];
    return hash_password(password, hash, err) < 0
               ? NULL
               : xasprintf("basic_auth_users:\n  %s: \"%s\"\n", PROMETHEUS_USER, hash);
}

int prometheus_put_web_config(struct service_job *job, const char *path, struct err *err)
{
    CLEANUP(str_free) char *secret = password_path(job);
    CLEANUP(str_free) char *password = service_secret(secret, err);
    CLEANUP(str_free) char *text = password ? prometheus_web_config(password, err) : NULL;
    return text ? service_file_put(path, text, &job->changed, err) : -EIO;
}

int prometheus_choose_port(struct service_job *job, int wanted, struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/port", job->paths->folder);
    CLEANUP(str_free) char *last = service_file_get(path);
    int port = last ? (int)strtol(last, NULL, 10) : 0;
    if (wanted > 0) {
        port = wanted;
    } else if (port <= 0 || !job->is_running) {
        port = service_free_port(port);
    }
    if (port <= 0) {
        return err_set(err, EADDRINUSE, "no port of 127.0.0.1 is free");
    }
    CLEANUP(str_free) char *text = xasprintf("%d\n", port);
    int failed = service_file_put(path, text, &job->changed, err);
    job->port = failed ? job->port : port;
    return failed;
}
