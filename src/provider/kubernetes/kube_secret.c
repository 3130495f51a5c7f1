#include "provider/kubernetes/kube_secret.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"

int64_t kube_time_read(const char *text)
{
    struct tm parts = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
    int64_t fraction_ms = 0, offset_min = 0;
    if (!rest) {
        return 0;
    }
    if (*rest == '.') {
        int64_t unit_ms = 100;
        for (rest++; isdigit((unsigned char)*rest); rest++, unit_ms /= 10) {
            fraction_ms += (*rest - '0') * unit_ms;
        }
    }
    int hours, minutes;
    if ((*rest == '+' || *rest == '-') && sscanf(rest + 1, "%2d:%2d", &hours, &minutes) == 2) {
        offset_min = (*rest == '-' ? -1 : 1) * (hours * 60 + minutes);
    } else if (*rest != 'Z' && *rest != 'z') {
        return 0;
    }
    return ((int64_t)timegm(&parts) - offset_min * 60) * 1000 + fraction_ms;
}

void kube_secret_wipe(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

void kube_secret_done(struct kube_secret *secret)
{
    kube_secret_wipe(secret->token);
    kube_secret_wipe(secret->key);
    free(secret->certificate);
    *secret = (struct kube_secret){0};
}

static char *copy(const char *text)
{
    return text && *text ? xstrdup(text) : NULL;
}

int kube_secret_read(struct slice text, const char *api_version, struct kube_secret *ret_secret,
                     struct err *err)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    int failed = json_parse_object(text, &value, err);
    if (failed) {
        (void)err_wrap(err, "no ExecCredential");
        return failed;
    }
    const char *kind = json_str(value, "kind"), *version = json_str(value, "apiVersion");
    struct json_object *status = json_member(value, "status", json_type_object);
    if (!kind || strcmp(kind, "ExecCredential") != 0 || !status) {
        return err_set(err, EINVAL, "no ExecCredential with a status");
    }
    if (!version || strcmp(version, api_version) != 0) {
        return err_set(err, EINVAL, "ExecCredential of apiVersion '%.100s' instead of '%.100s'",
                       version ? version : "", api_version);
    }
    const char *token = json_str(status, "token");
    const char *certificate = json_str(status, "clientCertificateData");
    const char *key = json_str(status, "clientKeyData");
    if (!certificate != !key) {
        return err_set(err, EINVAL, "ExecCredential with a certificate or a key alone");
    }
    if ((!token || !*token) && !certificate) {
        return err_set(err, EINVAL, "ExecCredential without token and certificate");
    }
    if (token && strpbrk(token, "\r\n")) {
        return err_set(err, EINVAL, "ExecCredential with a token of several lines");
    }
    *ret_secret = (struct kube_secret){
        .token = copy(token),
        .certificate = copy(certificate),
        .key = copy(key),
        .expires_ms = kube_time_read(json_str(status, "expirationTimestamp")),
    };
    return 0;
}
