/* What the readers of problems and measurements share. */
#pragma once

#include "policy/problem.h"

#define FIGURE_MAX 1e15 /* beyond it a figure is no measurement, and sums lose their units */

/* The member's number, NAN when it is missing or null. -EINVAL: no number, negative, or beyond
 * FIGURE_MAX. */
int figure_read(struct json_object *object, const char *name, double *ret_figure, struct err *err);

/* The module that an action's name belongs to: the longest name of one that the action's equals, or
 * goes on after with a '.'. module_count = none. */
size_t figure_module(const struct policy_problem *problem, const char *action);
