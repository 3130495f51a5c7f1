/* What the client counts. */
#include <string.h>

#include "base/clock.h"
#include "measure/histogram.h"
#include "provider/kubernetes/kube_watch_priv.h"

static const char *const verbs[KUBE_VERBS] = {
    [KUBE_VERB_GET] = "get",       [KUBE_VERB_LIST] = "list",   [KUBE_VERB_WATCH] = "watch",
    [KUBE_VERB_CREATE] = "create", [KUBE_VERB_PATCH] = "patch", [KUBE_VERB_DELETE] = "delete",
    [KUBE_VERB_OTHER] = "other",
};

const char *kube_verb_name(enum kube_verb verb)
{
    return verbs[verb];
}

const char *kube_wait_name(enum kube_wait_cause cause)
{
    static const char *const names[KUBE_WAIT_CAUSES] = {
        [KUBE_WAIT_TURN] = "turn", [KUBE_WAIT_LATER] = "later", [KUBE_WAIT_FAULT] = "fault"};
    return names[cause];
}

static enum kube_verb verb_of(const struct kube_exchange *exchange)
{
    enum kube_verb verb = KUBE_VERB_GET;
    while (verb < KUBE_VERB_OTHER && strcmp(exchange->deed.verb, verbs[verb]) != 0) {
        verb++;
    }
    return verb;
}

void kube_note_answer(struct kube_exchange *exchange, int status)
{
    struct kube *kube = exchange->kube;
    int class = status / 100;
    if (exchange->counted) {
        return;
    }
    exchange->counted = true;
    kube->figures.answers[verb_of(exchange)][class > 0 && class < KUBE_CLASSES ? class : 0]++;
    if (!exchange->stream) {
        uint64_t took_ns = clock_now_ns() - exchange->sent_ns;
        kube->figures.answering_ns += took_ns;
        histogram_add(kube->answering, took_ns);
    }
}

void kube_note_wait(struct kube *kube, enum kube_wait_cause cause, uint64_t wait_ms)
{
    kube->figures.waits[cause]++;
    kube->figures.wait_ms[cause] += wait_ms;
}

void kube_figures_read(const struct kube *kube, struct kube_figures *ret)
{
    *ret = kube->figures;
    ret->answering = kube->answering;
    ret->flying = kube->flying;
    ret->queued = kube->requests_waiting.count + kube->streams_waiting.count;
    for (const struct kube_watch *watch = kube->watches; watch; watch = watch->next) {
        ret->watches++;
        ret->watches_live += kube_watch_is_synced(watch);
    }
}
