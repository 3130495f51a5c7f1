#include "cli/why_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/trace_history.h"

#define MB        (1024.0 * 1024.0)
#define TRIED_MAX 8 /* shown; the others are slower */

/* ---- the first sentence ---- */

static const struct policy_module *module_of(const struct why *why)
{
    const struct policy_problem *problem = why->history ? &why->history->problem : NULL;
    size_t at = problem ? policy_module_find(problem, slice_str(why->module)) : 0;
    return problem && at < problem->module_count ? &problem->modules[at] : NULL;
}

static void add_place(const struct why *why, struct buf *out)
{
    struct json_object *placement = json_member(why->answer, "placement", json_type_object);
    const struct policy_module *module = module_of(why);
    bool local = strcmp(json_str(placement, why->module), place_name(PLACE_MODULE)) == 0;
    const char *place =
        local ? "in the runtime worker (place 'module')" : "in a pod of its own (place 'remote')";
    const char *since = *why->since ? ", since " : "";
    if (module && module->fixed) {
        buf_printf(out, "%s is %s and is fixed there%s%s.\n", why->module, place, since,
                   why->since);
    } else if (json_flag(why->answer, "done", false)) {
        buf_printf(out, "%s is %s: policy %s has settled on that%s%s.\n", why->module, place,
                   why->policy, since, why->since);
    } else {
        buf_printf(out, "%s is on trial %s: policy %s measures that placement%s%s.\n", why->module,
                   place, why->policy, since, why->since);
    }
    if (module && module->fixed) {
        buf_printf(out,
                   "Fixed: no policy moves it, since it has walkers, is somebody else's "
                   "server, or was loaded by hand while a policy ran ('jsorc actions load %s "
                   "-mode auto' frees that).\n",
                   why->module);
    }
    if (why->ended) {
        buf_printf(out, "Policy %s does not run any more: 'jsorc status' tells what is now.\n",
                   why->policy);
    }
}

/* ---- why ---- */

static void add_ms(struct buf *out, double seconds)
{
    buf_printf(out, "%.3g ms", seconds * 1e3);
}

static void add_expected(struct buf *out, struct json_object *reason, const char *name,
                         const char *deviation)
{
    double share = json_double(reason, deviation, 0);
    add_ms(out, json_double(reason, name, NAN));
    if (share > 0) {
        buf_printf(out, " (± %.1f %%)", share * 100);
    }
}

static void add_best(struct buf *out, struct json_object *reason)
{
    if (!isnan(json_double(reason, "best_latency_s", NAN))) { /* evaluation: it was measured */
        buf_printf(out, "Of %lld placements that it tried this one had the lowest mean latency: ",
                   (long long)json_int(reason, "tried", 0));
        add_ms(out, json_double(reason, "best_latency_s", NAN));
        buf_printf(out, " a run.\n");
    } else if (!isnan(json_double(reason, "best_s", NAN))) {
        buf_printf(out, "Of all placements that fit it expected the lowest mean latency of this "
                        "one when it decided: ");
        add_expected(out, reason, "best_s", "best_deviation");
        buf_printf(out, " a run.\n");
    }
}

static void add_try(struct buf *out, struct json_object *reason)
{
    if (isnan(json_double(reason, "next_s", NAN))) { /* evaluation tries all of them */
        buf_printf(out, "It tries every placement that fits; before this one it tried %lld.\n",
                   (long long)json_int(reason, "tried", 0));
        return;
    }
    buf_printf(out, "It expects ");
    add_expected(out, reason, "next_s", "next_deviation");
    buf_printf(out, " a run of this placement, and ");
    add_ms(out, json_double(reason, "best_s", NAN));
    buf_printf(out, " of the best so far: worth a phase (trial %lld of at most %lld).\n",
               (long long)json_int(reason, "trials", 0) + 1,
               (long long)json_int(reason, "trials_max", 0));
}

static const struct {
    const char *why, *text;
} SENTENCES[] = {
    {"told", "It leaves modules where they were put by hand."},
    {"first", "Nothing has been measured yet: it begins with what was there."},
    {"no traffic", "The last phase had no traffic, so it went back to the best placement that it "
                   "knows."},
    {"still best", "Something had shifted; it looked again and found nothing that is better by "
                   "enough to move for."},
    {"better after all", "What it had predicted turned out to be slower than this placement, which "
                         "it had measured before."},
    {"nothing else", "No other placement is allowed: there is not the memory, or modules are "
                     "fixed or fail elsewhere."},
    {"changed", "Modules, memory or walkers have changed: it looks at two phases before it "
                "decides anew."},
    {"load", "The load has shifted: it looks at two phases before it decides anew."},
    {"mix", "The shares of the walkers have shifted: it looks at two phases before it decides "
            "anew."},
    {"latency", "The latency has shifted: it looks at two phases before it decides anew."},
    {"errors", "More runs fail than before: it looks at two phases before it decides anew."},
};

static void add_reason(const struct why *why, struct buf *out)
{
    struct json_object *reason = json_member(why->answer, "reason", json_type_object);
    const char *word = json_str(why->answer, "why");
    bool known = false;
    for (size_t i = 0; word && i < sizeof(SENTENCES) / sizeof(SENTENCES[0]); i++) {
        if (strcmp(SENTENCES[i].why, word) == 0) {
            buf_printf(out, "%s\n", SENTENCES[i].text);
            known = true;
        }
    }
    if (word && strcmp(word, "try") == 0) {
        add_try(out, reason);
    } else if (word && (strcmp(word, "best") == 0 || strcmp(word, "better after all") == 0)) {
        add_best(out, reason);
    } else if (word && !known) {
        buf_printf(out, "Its word for the reason: %s.\n", word);
    }
}

/* ---- what is known of the module ---- */

static void add_side(struct buf *out, struct json_object *figures, const char *member,
                     const char *where)
{
    double seconds = json_double(figures, member, NAN);
    if (isnan(seconds)) {
        buf_printf(out, "%s it was never measured", where);
    } else {
        buf_printf(out, "%s it takes ", where);
        add_ms(out, seconds);
    }
}

static void add_calls(const struct why *why, struct buf *out)
{
    struct json_object *reason = json_member(why->answer, "reason", json_type_object);
    struct json_object *modules = json_member(reason, "modules", json_type_object);
    struct json_object *figures = json_member(modules, why->module, json_type_object);
    double calls = json_double(figures, "calls_per_run", NAN);
    if (isnan(calls)) {
        return;
    }
    if (calls <= 0) {
        buf_printf(out, "No run calls it.\n");
        return;
    }
    buf_printf(out, "A run calls it %.3g times; ", calls);
    add_side(out, figures, "module_s", "in the runtime worker");
    buf_printf(out, ", ");
    add_side(out, figures, "remote_s", "in a pod");
    if (!isnan(json_double(figures, "hop_s", NAN))) {
        buf_printf(out, " and ");
        add_ms(out, json_double(figures, "hop_s", NAN));
        buf_printf(out, " for the way");
    }
    buf_printf(out, ".\n");
}

static void add_memory(const struct why *why, struct buf *out)
{
    const struct policy_module *module = module_of(why);
    double budget_bytes = why->history ? why->history->problem.budget_bytes : INFINITY;
    if (!module || !isfinite(budget_bytes)) {
        return;
    }
    if (isnan(module->mem_bytes)) {
        buf_printf(out, "What memory it takes is not known yet");
    } else {
        buf_printf(out, "It takes %.1f MB of memory", module->mem_bytes / MB);
    }
    buf_printf(out, "; modules in the runtime worker may take %.1f MB together%s.\n",
               budget_bytes / MB,
               module->mem_bytes > budget_bytes ? ", so it has no room there" : "");
}

/* ---- what was tried ---- */

struct tried {
    placement_t placement;
    double latency_s;
    size_t phases;
};

static int by_latency(const void *a, const void *b)
{
    const struct tried *x = a, *y = b;
    return (x->latency_s > y->latency_s) - (x->latency_s < y->latency_s);
}

/* The placements that were measured, the fastest first; returns how many, up to tried_max. */
static size_t find_tried(const struct why *why, struct tried *tried, size_t tried_max)
{
    size_t count = 0;
    for (size_t i = 0; i < why->history->count && count < tried_max; i++) {
        placement_t placement = why->history->items[i].placement;
        bool known = false;
        for (size_t j = 0; j < count; j++) {
            known |= tried[j].placement == placement;
        }
        struct tried one = {.placement = placement};
        one.latency_s =
            trace_history_latency_s(why->history, placement, why->since_line, &one.phases);
        if (!known && one.phases > 0) {
            tried[count++] = one;
        }
    }
    qsort(tried, count, sizeof(*tried), by_latency);
    return count;
}

static void add_names(const struct why *why, placement_t placement, bool local, struct buf *out)
{
    const struct policy_problem *problem = &why->history->problem;
    const char *between = "";
    for (size_t i = 0; i < problem->module_count; i++) {
        if (placement_local(placement, i) == local && !problem->modules[i].fixed) {
            buf_printf(out, "%s%s", between, problem->modules[i].name);
            between = ", ";
        }
    }
    buf_printf(out, "%s", *between ? "" : "none");
}

static void add_tried(const struct why *why, struct buf *out)
{
    struct tried tried[256]; /* of 8 modules all; of more, the first ones */
    placement_t now = 0;
    size_t count = why->history ? find_tried(why, tried, sizeof(tried) / sizeof(tried[0])) : 0;
    if (count == 0 ||
        !trace_history_placement(why->history,
                                 json_member(why->answer, "placement", json_type_object), &now)) {
        return;
    }
    buf_printf(out, "Measured, mean latency of a run:\n");
    for (size_t i = 0; i < count && i < TRIED_MAX; i++) {
        buf_printf(out,
                   "  %9.3f ms in %zu phase%s, in the runtime worker: ", tried[i].latency_s * 1e3,
                   tried[i].phases, tried[i].phases == 1 ? "" : "s");
        add_names(why, tried[i].placement, true, out);
        buf_printf(out, "; in pods: ");
        add_names(why, tried[i].placement, false, out);
        buf_printf(out, "%s\n", tried[i].placement == now ? "  <- this one" : "");
    }
    if (count > TRIED_MAX) {
        buf_printf(out, "  and %zu slower ones\n", count - TRIED_MAX);
    }
}

void why_text(const struct why *why, struct buf *out)
{
    add_place(why, out);
    add_reason(why, out);
    add_calls(why, out);
    add_memory(why, out);
    add_tried(why, out);
}
