#include "load/result.h"

#include <assert.h>

#include "base/alloc.h"
#include "measure/histogram.h"

static const char *const OUTCOME_TEXTS[LOAD_OUTCOMES] = {
    [LOAD_RIGHT] = "right", [LOAD_WRONG] = "wrong",         [LOAD_UNSENT] = "unsent",
    [LOAD_LOST] = "lost",   [LOAD_TIMED_OUT] = "timed_out", [LOAD_ABANDONED] = "abandoned",
};

const char *load_outcome_text(enum load_outcome outcome)
{
    assert(outcome < LOAD_OUTCOMES);
    return OUTCOME_TEXTS[outcome];
}

struct load_result load_result_new(unsigned kind_count)
{
    struct load_result result = {
        .kinds = xcalloc(kind_count, sizeof(struct load_figures)),
        .all = {.latency = histogram_new()},
        .lag = histogram_new(),
        .kind_count = kind_count,
    };
    for (unsigned i = 0; i < kind_count; i++) {
        result.kinds[i].latency = histogram_new();
    }
    return result;
}

void load_result_done(struct load_result *result)
{
    for (unsigned i = 0; i < result->kind_count; i++) {
        histogram_free(result->kinds[i].latency);
    }
    histogram_free(result->all.latency);
    histogram_free(result->lag);
    free(result->kinds);
    *result = (struct load_result){0};
}

static void figures_add(struct load_figures *figures, const struct load_sample *sample)
{
    figures->outcomes[sample->outcome]++;
    if (sample->outcome != LOAD_RIGHT) {
        return;
    }
    uint64_t took_ns = sample->done_ns - sample->due_ns;
    histogram_add(figures->latency, took_ns);
    figures->latency_sum_ns += (double)took_ns;
    if (figures->latency_max_ns < took_ns) {
        figures->latency_max_ns = took_ns;
    }
    if (figures->latency_min_ns == 0 || figures->latency_min_ns > took_ns) {
        figures->latency_min_ns = took_ns;
    }
}

void load_result_add(struct load_result *result, const struct load_sample *sample)
{
    figures_add(&result->kinds[sample->kind], sample);
    figures_add(&result->all, sample);
}

double load_throughput(const struct load_result *result, const struct load_figures *figures)
{
    return result->seconds > 0 ? (double)figures->outcomes[LOAD_RIGHT] / result->seconds : 0;
}

double load_mean_ns(const struct load_figures *figures)
{
    uint64_t count = figures->outcomes[LOAD_RIGHT];
    return count > 0 ? figures->latency_sum_ns / (double)count : 0;
}
