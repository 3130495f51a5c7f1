/* What the daemon, its workers and this host use, interval by interval (jsorc_tracksys_*). Rates
 * are differences of two looks, so the first look is only kept. Knows neither time nor the system:
 * both are given. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/system.h"

struct json_object;
struct tracksys;

#define TRACKSYS_STATES_MAX 2160                /* six hours at 10 s */
#define TRACKSYS_BYTES_MAX  (4UL * 1024 * 1024) /* of JSON; that many with ten workers */

struct tracksys_pod {
    const char *name;
    int pid;
    double cpu_s;
    double mem_bytes;
};

struct tracksys_look {
    uint64_t now_ns; /* monotonic */
    int64_t unix_s;
    const char *node; /* this host's name */
    struct system_host host;
    struct system_group group;
    const struct tracksys_pod *pods; /* pods[pod_count] */
    size_t pod_count;
    struct json_object *actions; /* {name: {"mode": ...}}; borrowed */
    /* What Prometheus tells of pods and nodes, {name: {figure: number}}, in place of what was seen
     * here; borrowed; NULL = nobody was asked. */
    struct json_object *told_pods;
    struct json_object *told_nodes;
};

/* first is copied, as far as it is needed. */
struct tracksys *tracksys_new(const struct tracksys_look *first);
struct tracksys *tracksys_free(struct tracksys *tracksys); /* NULL allowed */
DEFINE_CLEANUP(struct tracksys *, tracksys_free)

void tracksys_add(struct tracksys *tracksys, const struct tracksys_look *look);

/* {"active": true, "states": [...], "dropped": entries that made room}; with NULL {"active": false,
 * "states": [], "dropped": 0}. Owned by the caller. */
struct json_object *tracksys_report(const struct tracksys *tracksys);
