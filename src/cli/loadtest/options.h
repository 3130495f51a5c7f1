/* What `jsorc loadtest` was asked for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/loadtest/apps.h"
#include "cli/loadtest/fail_on.h"

struct err;
struct json_object;

enum cell_policy {
    CELL_ALL_LOCAL,
    CELL_ALL_REMOTE,
    CELL_EVALUATION,
    CELL_ADAPTIVE,
    CELL_ORACLE,
    CELL_POLICIES,
};

const char *cell_policy_text(enum cell_policy policy);

#define REPEAT_MAX  100
#define FAIL_ON_MAX 32
#define SCALE_MAX   1000.0
#define CLIENTS_MAX 1024
#define SECONDS_MAX 86400.0

struct options {
    const struct app *apps[APPS_MAX]; /* borrowed from the table */
    size_t app_count;
    enum cell_policy policies[CELL_POLICIES];
    size_t policy_count;
    struct app_scale scale;
    double mem_gib; /* of the node; counted with declared figures, before the scale */
    double duration_s, warmup_s, think_s, timeout_s;
    double eval_phase_s, perf_phase_s;
    double trial_s; /* of each placement that the oracle tries */
    unsigned clients;
    double rate_per_s; /* 0 = closed loop */
    bool poisson;
    uint64_t seed;
    size_t repeat;
    const char *out;    /* borrowed; NULL = no files */
    const char *python; /* borrowed; NULL = the default */
    bool use_running;
    struct fail_on fail_on[FAIL_ON_MAX];
    size_t fail_on_count;
};

/* values: of the command line, borrowed as long as the options. 0 or -EINVAL. */
int options_read(struct apps *apps, struct json_object *values, struct options *ret,
                 struct err *err);

/* "all_local", "evaluation-mem-4096": as the original names its results; owned by the caller.
 * adaptive in the running daemon has that one's memory, not --mem. */
char *options_key(const struct options *options, enum cell_policy policy);

/* Memory of the node in MB for the policies, scaled as the modules are. */
double options_node_mb(const struct options *options);
double options_runtime_mb(const struct options *options); /* of it, for the worker itself */
