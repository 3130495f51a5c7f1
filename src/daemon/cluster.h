/* The cluster that the settings and KUBE_CONFIG name: its client and its provider. */
#pragma once

#include <stdbool.h>

struct err;
struct job_pool;
struct kube;
struct kube_config;
struct loop;
struct provider;
struct settings;
struct store;

struct cluster { /* zeroed = none */
    struct kube *kube;
    struct provider *provider;
};

/* Whether a cluster is asked for: setting provider is `kubernetes`, or KUBE_CONFIG says enabled, or
 * KUBE_NAMESPACE is set (as in the original's own pod), or the original's `automation` is on and it
 * is clear which cluster that means: we run in one, or KUBE_CONFIG says `in_cluster` false. */
bool cluster_is_wanted(const struct settings *settings, struct store *store);

/* Where it is and who we are there, for a client of the caller's; as cluster_open finds it. -errno
 * of kube_config_load. */
int cluster_config(const struct settings *settings, struct store *store,
                   struct kube_config **ret_config, struct err *err);

struct cluster_parts { /* borrowed; loop and jobs for the cluster's life */
    const struct settings *settings;
    struct store *store;
    struct loop *loop;
    struct job_pool *jobs;
    const char *run_folder; /* sockets */
};

/* Opens it. Settings go before KUBE_CONFIG, this before the environment. -errno of kube_config_load
 * (nothing is sent yet); errors of the store. */
int cluster_open(const struct cluster_parts *parts, struct cluster *ret_cluster, struct err *err);

/* After the pool of jobs: one of them may use the client. */
void cluster_close(struct cluster *cluster);
