/* What an exec plugin prints (an ExecCredential), and times as Kubernetes writes them. Pure. */
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct err;

struct kube_secret { /* texts owned; NULL = none */
    char *token;
    char *certificate; /* PEM */
    char *key;
    int64_t expires_ms; /* unix time; 0 = not said */
};

/* 0, or -EINVAL: no ExecCredential of that apiVersion, neither token nor certificate with key. */
int kube_secret_read(struct slice text, const char *api_version, struct kube_secret *ret_secret,
                     struct err *err);
void kube_secret_done(struct kube_secret *secret);

/* Frees a text whose bytes shall not stay in memory. NULL allowed. */
void kube_secret_wipe(char *text);

/* "2026-11-24T12:57:23Z", fractions and offsets allowed (RFC 3339). Unix time in ms; 0 = none. */
int64_t kube_time_read(const char *text);
