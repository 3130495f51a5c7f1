#include "measure/benchmark.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "measure/histogram.h"

#define CHUNK_SAMPLES 1000
#define LEAF_CHUNKS   (BENCHMARK_EXACT_MAX / CHUNK_SAMPLES)
#define LEAVES_MAX    (BENCHMARK_NAMES_MAX + BENCHMARK_OPS_MAX)
#define SLOTS         2048 /* of a hash table: at least twice LEAVES_MAX */

/* Written by its lane's thread alone. Who reads count first (acquire) finds all the rest to be at
 * least as far. */
struct leaf {
    char *op;
    char *name;
    atomic_uint_fast64_t count;
    atomic_uint_fast64_t kept; /* of count: samples in chunks, the first ones */
    atomic_uint_fast64_t errors;
    atomic_uint_fast64_t sum_ns;
    atomic_uint_fast64_t min_ns;
    atomic_uint_fast64_t max_ns;
    uint64_t *chunks[LEAF_CHUNKS]; /* owned; ns; read only below kept */
    struct histogram *histogram;   /* of all samples */
};

struct lane {
    _Alignas(64) atomic_uint leaf_count;
    struct leaf *leaves[LEAVES_MAX]; /* owned; [0, leaf_count) never change */
    uint16_t slots[SLOTS];           /* leaf's index + 1; its thread only */
};

struct benchmark {
    unsigned refs;
    bool include_control;
    uint64_t start_ns;
    atomic_uint chunk_count;
    struct lane lanes[BENCHMARK_LANES_MAX];
};

struct benchmark *benchmark_new(uint64_t now_ns, bool include_control)
{
    struct benchmark *benchmark = aligned_alloc(_Alignof(struct benchmark), sizeof(*benchmark));
    if (!benchmark) {
        abort();
    }
    memset(benchmark, 0, sizeof(*benchmark));
    benchmark->refs = 1;
    benchmark->include_control = include_control;
    benchmark->start_ns = now_ns;
    return benchmark;
}

struct benchmark *benchmark_ref(struct benchmark *benchmark)
{
    if (benchmark) {
        benchmark->refs++;
    }
    return benchmark;
}

static void leaf_free(struct leaf *leaf)
{
    for (size_t i = 0; i < LEAF_CHUNKS; i++) {
        free(leaf->chunks[i]);
    }
    histogram_free(leaf->histogram);
    free(leaf->op);
    free(leaf->name);
    free(leaf);
}

void benchmark_unref(struct benchmark *benchmark)
{
    if (!benchmark || --benchmark->refs > 0) {
        return;
    }
    for (size_t i = 0; i < BENCHMARK_LANES_MAX; i++) {
        for (size_t k = 0; k < benchmark->lanes[i].leaf_count; k++) {
            leaf_free(benchmark->lanes[i].leaves[k]);
        }
    }
    free(benchmark);
}

/* ---- adding: the lane's thread ---- */

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint32_t hash_more(uint32_t hash, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * 16777619u;
    }
    return hash;
}

/* NULL = not there; then *ret_slot is where it belongs. */
static struct leaf *find(const struct lane *lane, struct slice op, struct slice name,
                         size_t *ret_slot)
{
    size_t slot = hash_more(hash_more(2166136261u, op), name) % SLOTS;
    for (; lane->slots[slot] > 0; slot = (slot + 1) % SLOTS) {
        struct leaf *leaf = lane->leaves[lane->slots[slot] - 1];
        if (slice_eq(slice_str(leaf->op), op) && slice_eq(slice_str(leaf->name), name)) {
            return leaf;
        }
    }
    *ret_slot = slot;
    return NULL;
}

/* NULL = there are leaves_max leaves without this one. */
static struct leaf *find_or_make(struct lane *lane, struct slice op, struct slice name,
                                 unsigned leaves_max)
{
    size_t slot = 0;
    struct leaf *leaf = find(lane, op, name, &slot);
    unsigned count = atomic_load_explicit(&lane->leaf_count, memory_order_relaxed);
    if (leaf || count >= leaves_max) {
        return leaf;
    }
    leaf = xcalloc(1, sizeof(*leaf));
    leaf->op = xstrndup(op.data, op.size);
    leaf->name = xstrndup(name.data, name.size);
    leaf->histogram = histogram_new();
    atomic_init(&leaf->min_ns, UINT64_MAX);
    lane->leaves[count] = leaf;
    lane->slots[slot] = (uint16_t)(count + 1);
    atomic_store_explicit(&lane->leaf_count, count + 1, memory_order_release);
    return leaf;
}

/* Only one thread writes: no read-modify-write is needed. */
static uint64_t peek(const atomic_uint_fast64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(atomic_uint_fast64_t *value, uint64_t to)
{
    atomic_store_explicit(value, to, memory_order_relaxed);
}

/* Among the exact samples, if there is room. */
static void keep(struct benchmark *benchmark, struct leaf *leaf, uint64_t latency_ns)
{
    uint64_t kept = peek(&leaf->kept);
    if (kept < peek(&leaf->count) || kept == BENCHMARK_EXACT_MAX) {
        return; /* once a sample is not kept, those after it are of no use */
    }
    uint64_t **chunk = &leaf->chunks[kept / CHUNK_SAMPLES];
    if (!*chunk) {
        if (atomic_load_explicit(&benchmark->chunk_count, memory_order_relaxed) >=
            BENCHMARK_CHUNKS_MAX) {
            return;
        }
        (void)atomic_fetch_add_explicit(&benchmark->chunk_count, 1, memory_order_relaxed);
        *chunk = xcalloc(CHUNK_SAMPLES, sizeof(**chunk));
    }
    (*chunk)[kept % CHUNK_SAMPLES] = latency_ns;
    set(&leaf->kept, kept + 1);
}

void benchmark_add(struct benchmark *benchmark, unsigned lane, struct slice op, struct slice name,
                   uint64_t latency_ns, bool failed)
{
    const struct slice no_name = SLICE("_default_");
    assert(lane < BENCHMARK_LANES_MAX);
    if (!benchmark->include_control && slice_starts(op, SLICE("jsorc_"))) {
        return;
    }
    name = name.size == 0 || name.size > BENCHMARK_NAME_MAX ? no_name : name;
    struct leaf *leaf = find_or_make(&benchmark->lanes[lane], op, name, BENCHMARK_NAMES_MAX);
    leaf = leaf ? leaf : find_or_make(&benchmark->lanes[lane], op, no_name, LEAVES_MAX);
    assert(leaf); /* operations are a fixed table */
    keep(benchmark, leaf, latency_ns);
    histogram_add(leaf->histogram, latency_ns);
    set(&leaf->errors, peek(&leaf->errors) + failed);
    set(&leaf->sum_ns, peek(&leaf->sum_ns) + latency_ns);
    set(&leaf->min_ns, latency_ns < peek(&leaf->min_ns) ? latency_ns : peek(&leaf->min_ns));
    set(&leaf->max_ns, latency_ns > peek(&leaf->max_ns) ? latency_ns : peek(&leaf->max_ns));
    atomic_store_explicit(&leaf->count, peek(&leaf->count) + 1, memory_order_release);
}

/* ---- the report ---- */

/* A leaf at one moment: all figures of a report are made from the same samples. */
struct view {
    const struct leaf *leaf;
    uint64_t count;
    uint64_t errors;
    uint64_t sum_ns;
    uint64_t min_ns;
    uint64_t max_ns;
    bool exact;
};

static int by_name(const void *a, const void *b)
{
    const struct view *left = a, *right = b;
    int order = strcmp(left->leaf->op, right->leaf->op);
    return order ? order : strcmp(left->leaf->name, right->leaf->name);
}

static struct view view_of(const struct leaf *leaf)
{
    uint64_t errors = atomic_load_explicit(&leaf->errors, memory_order_acquire); /* <= count */
    uint64_t count = atomic_load_explicit(&leaf->count, memory_order_acquire);
    return (struct view){
        .leaf = leaf,
        .count = count,
        .errors = errors,
        .sum_ns = peek(&leaf->sum_ns),
        .min_ns = peek(&leaf->min_ns),
        .max_ns = peek(&leaf->max_ns),
        .exact = peek(&leaf->kept) >= count,
    };
}

/* All leaves with samples, sorted; owned by the caller. */
static struct view *views_of(const struct benchmark *benchmark, size_t *ret_count)
{
    struct view *views = xcalloc((size_t)BENCHMARK_LANES_MAX * LEAVES_MAX, sizeof(*views));
    size_t count = 0;
    for (size_t i = 0; i < BENCHMARK_LANES_MAX; i++) {
        const struct lane *lane = &benchmark->lanes[i];
        unsigned leaves = atomic_load_explicit(&lane->leaf_count, memory_order_acquire);
        for (unsigned k = 0; k < leaves; k++) {
            views[count] = view_of(lane->leaves[k]);
            count += views[count].count > 0;
        }
    }
    qsort(views, count, sizeof(*views), by_name);
    *ret_count = count;
    return views;
}

/* What figures are made from: all samples, or their histogram. */
struct samples {
    uint64_t count;
    uint64_t *sorted_ns;         /* owned; NULL = there are too many */
    struct histogram *histogram; /* owned; then */
    double sum_ns;
    uint64_t min_ns;
    uint64_t max_ns;
};

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void sort_all(struct samples *samples, const struct view *views, size_t count)
{
    samples->sorted_ns = xcalloc(samples->count, sizeof(*samples->sorted_ns));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint64_t k = 0; k < views[i].count; k++, at++) {
            samples->sorted_ns[at] = views[i].leaf->chunks[k / CHUNK_SAMPLES][k % CHUNK_SAMPLES];
            samples->sum_ns += (double)samples->sorted_ns[at];
        }
    }
    qsort(samples->sorted_ns, at, sizeof(*samples->sorted_ns), by_value);
    samples->min_ns = samples->sorted_ns[0];
    samples->max_ns = samples->sorted_ns[at - 1];
}

static void merge_all(struct samples *samples, const struct view *views, size_t count)
{
    samples->histogram = histogram_new();
    samples->min_ns = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct view *view = &views[i];
        histogram_merge(samples->histogram, view->leaf->histogram);
        samples->sum_ns += (double)view->sum_ns;
        samples->min_ns = view->min_ns < samples->min_ns ? view->min_ns : samples->min_ns;
        samples->max_ns = view->max_ns > samples->max_ns ? view->max_ns : samples->max_ns;
    }
}

/* views[count], count > 0, each with samples. */
static struct samples samples_of(const struct view *views, size_t count)
{
    struct samples samples = {0};
    bool exact = true;
    for (size_t i = 0; i < count; i++) {
        samples.count += views[i].count;
        exact = exact && views[i].exact;
    }
    if (exact && samples.count <= BENCHMARK_EXACT_MAX) {
        sort_all(&samples, views, count);
    } else {
        merge_all(&samples, views, count);
    }
    return samples;
}

/* The sample of that rank, 0 = the smallest. */
static double value_at(const struct samples *samples, uint64_t rank)
{
    return samples->sorted_ns ? (double)samples->sorted_ns[rank]
                              : histogram_quantile(samples->histogram,
                                                   ((double)rank + 0.5) / (double)samples->count);
}

static double percentile_ms(const struct samples *samples, double percent)
{
    double place = (double)(samples->count - 1) * percent / 100;
    uint64_t rank = (uint64_t)place;
    double low_ns = value_at(samples, rank);
    double high_ns = rank + 1 < samples->count ? value_at(samples, rank + 1) : low_ns;
    return (low_ns + (place - (double)rank) * (high_ns - low_ns)) / 1e6;
}

static struct json_object *figures(const struct view *views, size_t count, double elapsed_s)
{
    static const struct {
        const char *name;
        double percent;
    } percentiles[] = {{"50th_latency", 50},
                       {"90th_latency", 90},
                       {"95th_latency", 95},
                       {"99th_latency", 99},
                       {"999th_latency", 99.9}};
    struct samples samples = samples_of(views, count);
    struct json_object *figures = json_object_new_object();
    uint64_t errors = 0;
    for (size_t i = 0; i < count; i++) {
        errors += views[i].errors;
    }
    json_set_double(figures, "throughput", elapsed_s > 0 ? (double)samples.count / elapsed_s : NAN);
    json_set_double(figures, "average_latency", samples.sum_ns / (double)samples.count / 1e6);
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        json_set_double(figures, percentiles[i].name,
                        percentile_ms(&samples, percentiles[i].percent));
    }
    json_set_double(figures, "min_latency", (double)samples.min_ns / 1e6);
    json_set_double(figures, "max_latency", (double)samples.max_ns / 1e6);
    json_set_int(figures, "count", (int64_t)samples.count);
    json_set_int(figures, "errors", (int64_t)errors);
    if (samples.histogram) {
        json_set_bool(figures, "approx", true);
    }
    free(samples.sorted_ns);
    histogram_free(samples.histogram);
    return figures;
}

/* How many of views[count] have the first one's operation, and its name, too, if so asked. */
static size_t run_of(const struct view *views, size_t count, bool same_name)
{
    size_t run = 1;
    while (run < count && strcmp(views[run].leaf->op, views[0].leaf->op) == 0 &&
           (!same_name || strcmp(views[run].leaf->name, views[0].leaf->name) == 0)) {
        run++;
    }
    return run;
}

struct json_object *benchmark_report(const struct benchmark *benchmark, uint64_t now_ns)
{
    struct json_object *report = json_object_new_object();
    double elapsed_s = (double)(now_ns - benchmark->start_ns) / 1e9;
    size_t count = 0;
    struct view *views = views_of(benchmark, &count);
    for (size_t at = 0, run; at < count; at += run) {
        struct json_object *op = json_object_new_object();
        run = run_of(views + at, count - at, false);
        for (size_t k = 0, same; k < run; k += same) {
            same = run_of(views + at + k, run - k, true);
            json_set(op, views[at + k].leaf->name, figures(views + at + k, same, elapsed_s));
        }
        json_set(op, "all", figures(views + at, run, elapsed_s)); /* also over a walker "all" */
        json_set(report, views[at].leaf->op, op);
    }
    free(views);
    return report;
}
