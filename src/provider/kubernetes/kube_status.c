#include "provider/kubernetes/kube_status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static const struct {
    const char *name;
    int code;
} outcomes[] = {
    [KUBE_OK] = {"ok", 0},
    [KUBE_UNREACHABLE] = {"unreachable", EHOSTUNREACH},
    [KUBE_UNAUTHORIZED] = {"unauthorized", EPERM},
    [KUBE_FORBIDDEN] = {"forbidden", EACCES},
    [KUBE_REFUSED] = {"refused", EACCES},
    [KUBE_NO_KIND] = {"no-kind", ENOENT},
    [KUBE_NOT_FOUND] = {"not-found", ENOENT},
    [KUBE_EXISTS] = {"exists", EEXIST},
    [KUBE_CONFLICT] = {"conflict", ESTALE},
    [KUBE_GONE] = {"gone", ESTALE},
    [KUBE_INVALID] = {"invalid", EINVAL},
    [KUBE_BUSY] = {"busy", EBUSY},
    [KUBE_FAILED] = {"failed", EIO},
    [KUBE_BROKEN] = {"broken", EPROTO},
};

const char *kube_outcome_name(enum kube_outcome outcome)
{
    return outcomes[outcome].name;
}

int kube_outcome_errno(enum kube_outcome outcome)
{
    return outcomes[outcome].code;
}

void kube_deed_done(struct kube_deed *deed)
{
    free(deed->group);
    free(deed->resource);
    free(deed->kind);
    free(deed->namespace);
    free(deed->name);
    *deed = (struct kube_deed){0};
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

void kube_deed_wrap(const struct kube_deed *deed, enum kube_outcome outcome, struct err *err)
{
    const char *what = deed->kind ? deed->kind : or_empty(deed->resource);
    const char *verb = deed->verb ? deed->verb : "ask for";
    const char *name = or_empty(deed->name);
    if (deed->namespace) {
        (void)err_wrap(err, "cannot %s %s%s%s%s in namespace '%s'", verb, what, *name ? " '" : "",
                       name, *name ? "'" : "", deed->namespace);
    } else {
        (void)err_wrap(err, "cannot %s %s%s%s%s", verb, what, *name ? " '" : "", name,
                       *name ? "'" : "");
    }
    err->code = kube_outcome_errno(outcome);
}

static bool says(const char *text, const char *part)
{
    return text && strstr(text, part);
}

static bool is_reason(const char *reason, const char *wanted)
{
    return reason && strcmp(reason, wanted) == 0;
}

/* RBAC's denials are all of the form: User "U" cannot VERB resource "R" in API group "G" ... */
static bool by_rbac(const char *message)
{
    return !message || (says(message, "User \"") && says(message, " cannot "));
}

static enum kube_outcome outcome_of(int status, const char *reason, const char *message)
{
    switch (status) {
    case 401:
        return KUBE_UNAUTHORIZED;
    case 403:
        return by_rbac(message) ? KUBE_FORBIDDEN : KUBE_REFUSED;
    case 404:
        return KUBE_NOT_FOUND;
    case 409:
        return is_reason(reason, "AlreadyExists") ? KUBE_EXISTS : KUBE_CONFLICT;
    case 410:
        return KUBE_GONE;
    case 400:
    case 413:
    case 415:
    case 422:
        return KUBE_INVALID;
    case 429:
    case 503:
        return KUBE_BUSY;
    default:
        /* a time-out of the server's own: it says that it may be asked again */
        return is_reason(reason, "ServerTimeout") ? KUBE_BUSY : KUBE_FAILED;
    }
}

static const char *what_to_do(enum kube_outcome outcome, const char *message)
{
    switch (outcome) {
    case KUBE_UNAUTHORIZED:
        return "; renew the token or certificate, or log in again with the cluster's tool";
    case KUBE_REFUSED:
        if (says(message, "exceeded quota") || says(message, "quota")) {
            return "; raise the ResourceQuota of the namespace, or ask for less";
        }
        return says(message, "PodSecurity")
                   ? "; change the pod, or the namespace's level of pod security"
                   : "";
    case KUBE_CONFLICT:
        return says(message, "conflict with") ? "; apply with force to take these fields over" : "";
    case KUBE_BUSY:
        return "; the server is overloaded or starting, and is asked again later";
    default:
        return "";
    }
}

/* Which verb on what has to be granted, and to whom, where the message tells it. */
static void explain_denial(const struct kube_deed *deed, const char *message, struct err *err)
{
    const char *user = message ? strstr(message, "User \"") : NULL;
    const char *group = or_empty(deed->group);
    size_t length = user ? strcspn(user + 6, "\"") : 0;
    char whom[256] = "this user";
    if (length > 0 && length < sizeof(whom)) {
        (void)snprintf(whom, sizeof(whom), "'%.*s'", (int)length, user + 6);
    }
    if (!deed->resource) {
        (void)err_set(err, EACCES, "not allowed: %.*s", KUBE_MESSAGE_MAX, or_empty(message));
        return;
    }
    char where[320] = "in the whole cluster, by a ClusterRole";
    if (deed->namespace && strcmp(deed->namespace, KUBE_NAMESPACES) != 0) {
        (void)snprintf(where, sizeof(where), "in namespace '%.253s', by a Role", deed->namespace);
    }
    (void)err_set(err, EACCES,
                  "not allowed: grant %s the verb '%s' on resource '%s' of API group '%s' %s", whom,
                  or_empty(deed->verb), deed->resource, group, where);
}

enum kube_outcome kube_status_judge(int status, const struct json_object *status_object,
                                    const struct kube_deed *deed, struct err *err)
{
    if (status >= 200 && status < 300) {
        return KUBE_OK;
    }
    struct err text = {0};
    const char *reason = json_str(status_object, "reason");
    const char *message = json_str(status_object, "message");
    enum kube_outcome outcome = outcome_of(status, reason, message);
    if (outcome == KUBE_FORBIDDEN) {
        explain_denial(deed, message, &text);
    } else if (message && *message) {
        (void)err_set(&text, EIO, "%.*s%s", KUBE_MESSAGE_MAX, message,
                      what_to_do(outcome, message));
    } else {
        (void)err_set(&text, EIO, "the API server answered %d%s%s%s", status, reason ? " " : "",
                      or_empty(reason), what_to_do(outcome, NULL));
    }
    kube_deed_wrap(deed, outcome, &text);
    if (err) {
        *err = text;
    }
    return outcome;
}
