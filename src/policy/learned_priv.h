/* The parts of learned: learned.c keeps the records, learned_figures.c reads figures off them,
 * calibrate.c fits the twin. */
#pragma once

#include "policy/learned.h"

#define CALLS_HALF 10 /* calls that make a mean worth half as much as many would */

/* How much a mean over so many calls under record counts. */
double record_weight(const struct record *record, double calls);

/* Shares of walkers, calls of a run, and what fails. */
void learned_count(struct learned *learned);

/* Service times and hops as far as they were measured, under the model's nature, and assumptions
 * for the rest. */
void learned_take_figures(struct learned *learned);

/* Service times on the sides that were never measured, from those that were. */
void learned_assume_unknown(struct learned *learned);
