#include "provider/kubernetes/kube_priv.h"

#include "base/alloc.h"
#include "base/random.h"
#include "measure/histogram.h"

static const struct kube_settings defaults = {
    .try_timeout_ms = 30000,
    .silence_ms_max = 90000,
    .backoff_ms_min = 200,
    .backoff_ms_max = 30000,
    .tries_max = 5,
    .page_items = 50,
};

static struct kube_settings complete(const struct kube_settings *given)
{
    struct kube_settings all = given ? *given : defaults;
    all.try_timeout_ms = all.try_timeout_ms ? all.try_timeout_ms : defaults.try_timeout_ms;
    all.silence_ms_max = all.silence_ms_max ? all.silence_ms_max : defaults.silence_ms_max;
    all.backoff_ms_min = all.backoff_ms_min ? all.backoff_ms_min : defaults.backoff_ms_min;
    all.backoff_ms_max = all.backoff_ms_max ? all.backoff_ms_max : defaults.backoff_ms_max;
    all.tries_max = all.tries_max ? all.tries_max : defaults.tries_max;
    all.page_items = all.page_items ? all.page_items : defaults.page_items;
    return all;
}

struct kube *kube_new(struct loop *loop, struct job_pool *jobs, struct kube_config *config,
                      const struct kube_settings *settings)
{
    struct kube *kube = xcalloc(1, sizeof(*kube));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        abort();
    }
    kube->loop = loop;
    kube->jobs = jobs;
    kube->config = config;
    kube->settings = complete(settings);
    kube->answering = histogram_new();
    kube->random = kube->settings.seed ? kube->settings.seed : random_seed();
    return kube;
}

struct kube *kube_free(struct kube *kube)
{
    if (!kube) {
        return NULL;
    }
    while (kube->watches) {
        (void)kube_watch_free(kube->watches);
        kube_watch_bury(kube->watches);
    }
    while (kube->requests) {
        (void)kube_request_free(kube->requests);
    }
    kube_discovery_free(kube);
    kube_net_free_all(kube);
    kube_credential_done(kube);
    loop_timer_clear(kube->loop, &kube->pump);
    (void)kube_config_free(kube->config);
    (void)histogram_free(kube->answering);
    curl_global_cleanup();
    free(kube);
    return NULL;
}

const struct kube_config *kube_configuration(const struct kube *kube)
{
    return kube->config;
}
