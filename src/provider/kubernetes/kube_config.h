/* Where the API server is and who we are, as kubeconfig, pod or options say; read once, not
 * changed. Token files and certificate files are named here and read by who uses them, as they
 * rotate. */
#pragma once

#include "provider/kubernetes/kube.h"

#define KUBE_CONFIG_FILES_MAX 16
#define KUBE_EXEC_ARGS_MAX    64
#define KUBE_FILE_BYTES_MAX   (1024 * 1024) /* of certificates and tokens */

struct kube_exec { /* a program that prints credentials: kubernetes.io, "client-go credential
                      plugins" */
    char *api_version;
    char *command;
    char *args[KUBE_EXEC_ARGS_MAX + 2]; /* args[0] = command; ended by NULL */
    char *env[KUBE_EXEC_ARGS_MAX + 1];  /* "NAME=value"; ended by NULL */
    char *hint;                         /* how to install it; may be NULL */
    bool cluster_info;                  /* tell it of the cluster */
};

struct kube_config { /* all texts owned; NULL = none */
    char *source;    /* "context 'x' of '/home/...'" or "the pod's service account" */
    char *server;    /* URL without a slash at its end */
    char *namespace;
    char *server_name; /* in its certificate, when it is not the URL's */
    char *proxy;
    bool insecure;
    char *ca_file, *ca_pem;
    char *certificate_file, *certificate_pem;
    char *key_file, *key_pem;
    char *token, *token_file;
    char *user, *password;
    struct kube_exec *exec;
};

/* kube_kubeconfig.c: fills server, who and namespace from the kubeconfig of options. */
int kube_kubeconfig_read(struct kube_config *config, const struct kube_config_options *options,
                         struct err *err);
struct kube_exec *kube_exec_free(struct kube_exec *exec);

/* A small text file without the white space at its end; owned by the caller. */
int kube_read_text(const char *path, char **ret_text, struct err *err);
