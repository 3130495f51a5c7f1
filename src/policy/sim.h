/* The twin as an environment in which policies are tried: an instance is a problem, what a policy
 * is told about it, together with the truth, what it has to find out. Pure. */
#pragma once

#include "policy/problem.h"
#include "policy/twin.h"

struct err;
struct json_object;

struct sim_instance {
    struct policy_problem problem; /* owned */
    struct twin_model truth;       /* its problem is the one above: do not move the struct */
    double scv;                    /* of the service times */
    double noise;                  /* standard deviation of each figure, relative to it */
    uint64_t seed;
};

void sim_instance_done(struct sim_instance *instance);

/* An instance of modules[min..max]; the same one for the same seed on every machine. */
void sim_generate(uint64_t seed, size_t modules_min, size_t modules_max,
                  struct sim_instance *ret_instance);

/* A problem with a few members more: of a module "module_s", "remote_s" (service times) and
 * "true_hop_s" (default: hop_s), of a walker "own_s", and "scv" (of the service times, 1), "noise"
 * (0.02), "seed" (1). -EINVAL. */
int sim_instance_read(struct json_object *object, struct sim_instance *ret_instance,
                      struct err *err);
struct json_object *sim_instance_write(const struct sim_instance *instance);

/* What a phase under placement would show. phase: its number, for other luck in each. */
void sim_measure(const struct sim_instance *instance, placement_t placement, uint64_t phase,
                 struct policy_measurement *ret_measurement);

/* The mean latency in the long run. The same luck for each placement. */
double sim_latency_s(const struct sim_instance *instance, placement_t placement);

#define SIM_ORACLE_MODULES_MAX 12 /* 4096 placements: some ten seconds */

/* The best feasible placement, found by trying all. */
placement_t sim_oracle(const struct sim_instance *instance, double *ret_latency_s);
