#include "cli/loadtest/options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"

#define RUNTIME_MB 300 /* the original's figure for its runtime without modules */

static const char *const POLICY_TEXTS[CELL_POLICIES] = {
    [CELL_ALL_LOCAL] = "all_local",   [CELL_ALL_REMOTE] = "all_remote",
    [CELL_EVALUATION] = "evaluation", [CELL_ADAPTIVE] = "adaptive",
    [CELL_ORACLE] = "oracle",
};

const char *cell_policy_text(enum cell_policy policy)
{
    return POLICY_TEXTS[policy];
}

char *options_key(const struct options *options, enum cell_policy policy)
{
    bool bounded = policy == CELL_EVALUATION || (policy == CELL_ADAPTIVE && !options->use_running);
    return bounded ? xasprintf("%s-mem-%.0f", cell_policy_text(policy), options->mem_gib * 1024)
                   : xstrdup(cell_policy_text(policy));
}

double options_node_mb(const struct options *options)
{
    return options->mem_gib * 1024 * options->scale.memory;
}

double options_runtime_mb(const struct options *options)
{
    return RUNTIME_MB * options->scale.memory;
}

/* Calls fn for each word between commas. */
static int each_word(const char *list, int (*fn)(void *arg, const char *word, struct err *err),
                     void *arg, struct err *err)
{
    CLEANUP(str_free) char *copy = xstrdup(list);
    char *rest = copy, *word = NULL;
    int failed = 0;
    while (!failed && (word = strsep(&rest, ","))) {
        word += strspn(word, " ");
        word[strcspn(word, " ")] = '\0';
        failed = *word ? fn(arg, word, err) : 0;
    }
    return failed;
}

struct reading {
    const struct apps *apps;
    struct options *options;
};

static int add_policy(void *arg, const char *word, struct err *err)
{
    struct options *options = ((struct reading *)arg)->options;
    for (int policy = 0; policy < CELL_POLICIES; policy++) {
        if (strcmp(word, POLICY_TEXTS[policy]) != 0) {
            continue;
        }
        for (size_t i = 0; i < options->policy_count; i++) {
            if (options->policies[i] == (enum cell_policy)policy) {
                return 0;
            }
        }
        options->policies[options->policy_count++] = (enum cell_policy)policy;
        return 0;
    }
    return err_set(err, EINVAL,
                   "policy '%s' is none of all_local, all_remote, evaluation, adaptive, oracle",
                   word);
}

static int add_app(void *arg, const char *word, struct err *err)
{
    struct reading *reading = arg;
    struct options *options = reading->options;
    bool all = strcmp(word, "all") == 0;
    const struct app *app = all ? NULL : apps_find(reading->apps, word);
    if (!all && !app) {
        return err_set(err, EINVAL, "there is no application '%s'; 'all' runs every one", word);
    }
    options->app_count = all ? 0 : options->app_count;
    for (size_t i = 0; all && i < reading->apps->count; i++) {
        options->apps[options->app_count++] = &reading->apps->items[i];
    }
    for (size_t i = 0; app && i < options->app_count; i++) {
        if (options->apps[i] == app) {
            return 0;
        }
    }
    if (app) {
        options->apps[options->app_count++] = app;
    }
    return 0;
}

static int read_number(struct json_object *values, const char *name, double least, double most,
                       double *number, struct err *err)
{
    double given = json_double(values, name, *number);
    if (!(given >= least && given <= most)) {
        return err_set(err, EINVAL, "--%s is %g to %g", name, least, most);
    }
    *number = given;
    return 0;
}

static int read_numbers(struct json_object *values, struct options *options, struct err *err)
{
    double clients = 1, seed = 1, repeat = (double)options->repeat;
    const struct {
        const char *name;
        double least, most;
        double *number;
    } rows[] = {
        {"mem", 0, 1e6, &options->mem_gib},
        {"experiment_duration", 0.1, SECONDS_MAX, &options->duration_s},
        {"eval_phase", 0.1, SECONDS_MAX, &options->eval_phase_s},
        {"perf_phase", 0.1, SECONDS_MAX, &options->perf_phase_s},
        {"warmup", 0, SECONDS_MAX, &options->warmup_s},
        {"trial", 0.1, SECONDS_MAX, &options->trial_s},
        {"think", 0, SECONDS_MAX, &options->think_s},
        {"request_timeout", 0.1, SECONDS_MAX, &options->timeout_s},
        {"clients", 1, CLIENTS_MAX, &clients},
        {"rate", 0, 1e6, &options->rate_per_s},
        {"seed", 0, 1e15, &seed},
        {"repeat", 1, REPEAT_MAX, &repeat},
        {"time_scale", 0, SCALE_MAX, &options->scale.time},
        {"memory_scale", 0, SCALE_MAX, &options->scale.memory},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int failed =
            read_number(values, rows[i].name, rows[i].least, rows[i].most, rows[i].number, err);
        if (failed) {
            return failed;
        }
    }
    bool given = json_object_object_get_ex(values, "clients", NULL);
    options->clients = options->rate_per_s > 0 && !given ? 64 : (unsigned)clients;
    options->seed = (uint64_t)seed;
    options->repeat = (size_t)repeat;
    return 0;
}

static int read_fail_on(struct json_object *values, struct options *options, struct err *err)
{
    struct json_object *list = json_member(values, "fail_on", json_type_array);
    size_t count = list ? json_object_array_length(list) : 0;
    if (count > FAIL_ON_MAX) {
        return err_set(err, EINVAL, "--fail-on is given more than %d times", FAIL_ON_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(list, i));
        int failed = fail_on_parse(text, &options->fail_on[i], err);
        if (failed) {
            return err_wrap(err, "--fail-on");
        }
    }
    options->fail_on_count = count;
    return 0;
}

/* The models of examples/intake in folder instead of the applications on stand-ins. */
static int read_real(struct apps *apps, const char *folder, struct options *options,
                     struct err *err)
{
    CLEANUP(str_free) char *walkers = xasprintf("%s/%s.py", folder, apps->real.walkers);
    if (access(walkers, R_OK) < 0) {
        return err_errno(err, errno, "--real is the folder of examples/intake: '%s'", walkers);
    }
    apps->real.folder = folder;
    options->apps[0] = &apps->real;
    options->app_count = 1;
    options->scale.memory = 1; /* nothing is scaled: --mem is meant as it is */
    return 0;
}

int options_read(struct apps *apps, struct json_object *values, struct options *ret,
                 struct err *err)
{
    struct options options = {
        .mem_gib = 4,
        .duration_s = 180,
        .warmup_s = 2,
        .timeout_s = 60,
        .eval_phase_s = 10,
        .perf_phase_s = 100,
        .trial_s = 10,
        .repeat = 3,
        .scale = {.variant = "real", .time = 1, .memory = 0.05},
        .out = json_str(values, "out"),
        .python = json_str(values, "python"),
        .use_running = json_flag(values, "use_running", false),
        .poisson = json_flag(values, "poisson", false),
    };
    struct reading reading = {apps, &options};
    const char *policies = json_str(values, "policy"), *names = json_str(values, "experiment");
    const char *variant = json_str(values, "variant"), *real = json_str(values, "real");
    int failed = each_word(policies && *policies ? policies : "all_remote,all_local", add_policy,
                           &reading, err);
    failed = failed ? failed : read_numbers(values, &options, err);
    if (!failed && real) {
        failed = read_real(apps, real, &options, err);
    } else if (!failed) {
        failed = each_word(names && *names ? names : "all", add_app, &reading, err);
    }
    failed = failed ? failed : read_fail_on(values, &options, err);
    if (!failed && variant && strcmp(variant, "real") != 0 && strcmp(variant, "meant") != 0) {
        failed = err_set(err, EINVAL, "--variant is real or meant");
    }
    if (!failed && options.poisson && options.rate_per_s == 0) {
        failed = err_set(err, EINVAL, "--poisson needs a --rate: a closed loop has no arrivals");
    }
    if (failed) {
        return failed;
    }
    options.scale.variant = variant ? variant : options.scale.variant;
    *ret = options;
    return 0;
}
