/* The questions of tracksys and prometheus_* as PromQL, and Prometheus' answers as ours. Pure.
 * Source of the answers' format: https://prometheus.io/docs/prometheus/latest/querying/api/ */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct err;
struct json_object;

enum promql_subject { PROMQL_PODS, PROMQL_NODES };

/* One query for all figures of a subject, each row labelled "figure". window_s: of rates; a rate
 * needs two samples in it. namespace: of pods of a cluster, "" = all. Owned by the caller; -EINVAL:
 * a namespace that cannot be one. */
int promql_figures(enum promql_subject subject, double window_s, const char *namespace,
                   char **ret_query, struct err *err);

/* The same for {"NODE": ["POD"]}. */
int promql_placement(const char *namespace, char **ret_query, struct err *err);

/* {"NAME": {FIGURE: number or null}} of the answer to promql_figures: each name has all figures,
 * null = not known. A pod whose name two namespaces have is "NAMESPACE/NAME". 0 or -EINVAL. */
int promql_read_figures(enum promql_subject subject, struct slice answer, struct json_object **ret,
                        struct err *err);
/* exclude_prom: without the pods whose names have "prometheus" in them. */
int promql_read_placement(struct slice answer, bool exclude_prom, struct json_object **ret,
                          struct err *err);

/* The list of texts of GET /api/v1/label/NAME/values. */
int promql_read_names(struct slice answer, struct json_object **ret, struct err *err);

/* The scrape interval in seconds of GET /api/v1/status/config, 60 (Prometheus' own default) if it
 * does not say. -EINVAL: no such answer. */
int promql_read_interval(struct slice answer, double *ret_seconds, struct err *err);

/* "1h30m", "250ms" in seconds; -1 = no duration. */
double promql_duration_s(const char *text);
