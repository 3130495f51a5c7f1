/* How long API operations and walker runs took while a benchmark is active (jsorc_benchmark_*):
 * exact as long as they are few, then from a histogram. Each thread that adds has a lane of its own
 * and shares nothing; the control thread owns the references, which the snapshots carry to the I/O
 * threads, so that nothing is looked at while no benchmark is active. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct benchmark;
struct json_object;

#define BENCHMARK_EXACT_MAX  100000 /* samples of a leaf; 800 KB */
#define BENCHMARK_CHUNKS_MAX 8000   /* of 1000 samples, all leaves together: 64 MB */
#define BENCHMARK_NAMES_MAX  512    /* walkers of a lane; others count under "_default_" */
#define BENCHMARK_OPS_MAX    128    /* more than there are operations: each has a "_default_" */
#define BENCHMARK_NAME_MAX   200    /* bytes; longer names do not exist */
#define BENCHMARK_LANES_MAX  17

enum { BENCHMARK_LANE_CONTROL = 0, BENCHMARK_LANE_IO = 1 /* and up: lane 1 + n of I/O loop n */ };

/* include_control: also operations named jsorc_*. Holds one reference. */
struct benchmark *benchmark_new(uint64_t now_ns, bool include_control);

/* Control thread. NULL allowed. */
struct benchmark *benchmark_ref(struct benchmark *benchmark);
void benchmark_unref(struct benchmark *benchmark);

/* One call has ended. The lane's thread; no lock, and allocates once in 1000 samples of a leaf.
 * name: the walker; empty = "_default_". */
void benchmark_add(struct benchmark *benchmark, unsigned lane, struct slice op, struct slice name,
                   uint64_t latency_ns, bool failed);

/* {op: {name: FIGURES, "all": FIGURES}}, operations and names sorted. Any thread that holds a
 * reference; sorts up to BENCHMARK_EXACT_MAX samples a leaf: 10 ms. FIGURES: throughput in calls a
 * second since the start, latencies in ms; percentiles by linear interpolation between the closest
 * ranks (Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996, definition 7). More
 * samples than are kept: percentiles to 1 %, and "approx": true. Owned by the caller. */
struct json_object *benchmark_report(const struct benchmark *benchmark, uint64_t now_ns);
