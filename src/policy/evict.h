/* What leaves the runtime worker when memory gets short: as little as makes the rest fit. Pure. */
#pragma once

#include "policy/problem.h"

/* placement without the modules that must leave for it to be within the budget. loss_s[m]: what a
 * run takes longer with module m in a pod (below 0 counts as 0). Those with the least loss for
 * their memory leave; modules that are fixed stay, whatever they take. */
placement_t evict(const struct policy_problem *problem, placement_t placement,
                  const double loss_s[POLICY_MODULES_MAX]);
