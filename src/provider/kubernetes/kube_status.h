/* What an answer of the API server means: its HTTP status and the Status object in it, told as an
 * outcome and as a text that says what, why and what to do. Pure. */
#pragma once

#include "provider/kubernetes/kube.h"

#define KUBE_MESSAGE_MAX 1024 /* of a server's message, in our texts */

struct kube_deed {    /* what was asked for; texts may be NULL */
    const char *verb; /* as in RBAC: "get", "patch"; static */
    char *group;      /* "" = core */
    char *resource;   /* plural, with "/subresource" */
    char *kind;
    char *namespace; /* NULL = cluster-wide */
    char *name;
};

/* 2xx: KUBE_OK, err untouched. status_object is the Status (or NULL, or anything else). Texts of
 * the server are cut and never trusted to be of any form. */
enum kube_outcome kube_status_judge(int status, const struct json_object *status_object,
                                    const struct kube_deed *deed, struct err *err);

/* Puts "cannot patch Deployment 'web' in namespace 'shop'" before the text; sets its code. */
void kube_deed_wrap(const struct kube_deed *deed, enum kube_outcome outcome, struct err *err);

int kube_outcome_errno(enum kube_outcome outcome); /* positive; 0 for KUBE_OK */
void kube_deed_done(struct kube_deed *deed);
