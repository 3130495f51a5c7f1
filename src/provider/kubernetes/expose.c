/* The cluster's part of GET /metrics. */
#include "measure/exposition.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/kubernetes.h"
#include "provider/kubernetes/reconciler.h"

static void expose_count(struct exposition *exposition, enum metric metric, uint64_t value)
{
    exposition_single(exposition, metric, (double)value);
}

static void expose_pair(struct exposition *exposition, enum metric metric, const char *const *names,
                        const uint64_t *values, size_t count)
{
    exposition_begin(exposition, metric);
    for (size_t i = 0; i < count; i++) {
        exposition_value(exposition, &names[i], (double)values[i]);
    }
}

static void expose_answers(const struct kube_figures *figures, struct exposition *exposition)
{
    static const char *const classes[KUBE_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    exposition_begin(exposition, METRIC_KUBE_REQUESTS);
    for (enum kube_verb verb = 0; verb < KUBE_VERBS; verb++) {
        for (size_t class = 0; class < KUBE_CLASSES; class ++) {
            if (figures->answers[verb][class] > 0) {
                exposition_value(exposition,
                                 (const char *const[]){kube_verb_name(verb), classes[class]},
                                 (double)figures->answers[verb][class]);
            }
        }
    }
}

static void expose_waits(const struct kube_figures *figures, struct exposition *exposition)
{
    const char *causes[KUBE_WAIT_CAUSES];
    for (enum kube_wait_cause cause = 0; cause < KUBE_WAIT_CAUSES; cause++) {
        causes[cause] = kube_wait_name(cause);
    }
    expose_pair(exposition, METRIC_KUBE_WAITS, causes, figures->waits, KUBE_WAIT_CAUSES);
    exposition_begin(exposition, METRIC_KUBE_WAIT);
    for (enum kube_wait_cause cause = 0; cause < KUBE_WAIT_CAUSES; cause++) {
        exposition_value(exposition, &causes[cause], (double)figures->wait_ms[cause] / 1000);
    }
}

static void expose_client(const struct kube *kube, struct exposition *exposition)
{
    struct kube_figures figures;
    kube_figures_read(kube, &figures);
    expose_answers(&figures, exposition);
    exposition_begin(exposition, METRIC_KUBE_REQUEST_DURATION);
    exposition_histogram(exposition, NULL, figures.answering, figures.answering_ns);
    expose_pair(exposition, METRIC_KUBE_REQUESTS_OPEN, (const char *const[]){"sent", "queued"},
                (const uint64_t[]){figures.flying, figures.queued}, 2);
    expose_count(exposition, METRIC_KUBE_RETRIES, figures.retries);
    expose_waits(&figures, exposition);
    expose_count(exposition, METRIC_KUBE_RECEIVED_BYTES, figures.body_bytes);
    expose_pair(exposition, METRIC_KUBE_WATCHES, (const char *const[]){"live", "down"},
                (const uint64_t[]){figures.watches_live, figures.watches - figures.watches_live},
                2);
    expose_count(exposition, METRIC_KUBE_WATCH_RESTARTS, figures.restarts);
    expose_count(exposition, METRIC_KUBE_RELISTS, figures.relists);
    expose_count(exposition, METRIC_KUBE_WATCH_EVENTS, figures.events);
}

static void expose_reconciler(const struct reconciler *reconciler, struct exposition *exposition)
{
    struct reconciler_figures figures;
    reconciler_figures_read(reconciler, &figures);
    expose_pair(exposition, METRIC_KUBE_OBJECTS, (const char *const[]){"kept", "asking", "failing"},
                (const uint64_t[]){figures.objects - figures.asking - figures.failing,
                                   figures.asking, figures.failing},
                3);
    expose_count(exposition, METRIC_KUBE_APPLIED, figures.applied);
    expose_count(exposition, METRIC_KUBE_REPAIRED, figures.repaired);
    expose_count(exposition, METRIC_KUBE_DELETED, figures.deleted);
    expose_count(exposition, METRIC_KUBE_FAILURES, figures.failed);
    expose_count(exposition, METRIC_KUBE_UNSETTLED, figures.unsettled);
    exposition_begin(exposition, METRIC_KUBE_SETTLE_DURATION);
    exposition_histogram(exposition, NULL, figures.settling, figures.settling_ns);
    exposition_begin(exposition, METRIC_KUBE_TURN_DURATION);
    exposition_histogram(exposition, NULL, figures.turning, figures.turning_ns);
}

void kubernetes_expose(struct provider *provider, struct exposition *exposition)
{
    if (provider) {
        expose_client(kubernetes_client(provider), exposition);
        expose_reconciler(kubernetes_reconciler(provider), exposition);
        return;
    }
    for (enum metric metric = METRIC_KUBE_REQUESTS; metric <= METRIC_KUBE_TURN_DURATION; metric++) {
        exposition_begin(exposition, metric);
    }
}
