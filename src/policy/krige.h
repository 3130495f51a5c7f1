/* What the twin gets wrong, learned from where it was compared with measurements: the logarithm of
 * measured / predicted is a Gaussian process over placements, so that neighbours of a measured
 * placement are corrected like it, and far ones less and with less certainty. "Predicted" is under
 * the load and the mix of walkers that the phase had. The distance of two placements is the share
 * of time of the modules that differ. Nobody knows how good the twin is nor how noisy a phase:
 * several pairs of these are weighed by how likely they make what was measured, instead of choosing
 * one.
 *
 * Kriging of a simulator's residual: Kennedy and O'Hagan, "Bayesian calibration of computer
 * models", J. R. Stat. Soc. B 63(3), 2001. Expected improvement: Jones, Schonlau, Welch, "Efficient
 * global optimization of expensive black-box functions", J. Global Optimization 13, 1998. */
#pragma once

#include <stddef.h>

#include "policy/problem.h"

#define KRIGE_POINTS_MAX 66 /* a round of the most modules */
#define KRIGE_SCALES     8

struct krige_scale {                                   /* standard deviations, of the logarithm */
    double own;                                        /* what differs between far placements */
    double noise;                                      /* of one phase's latency */
    double weight;                                     /* how likely these two are; sums up to 1 */
    double factor[KRIGE_POINTS_MAX][KRIGE_POINTS_MAX]; /* Cholesky, lower */
    double solved[KRIGE_POINTS_MAX];
};

struct krige {
    size_t count;
    placement_t points[KRIGE_POINTS_MAX];
    double residual[KRIGE_POINTS_MAX]; /* log(measured / predicted) */
    double phases[KRIGE_POINTS_MAX];   /* the noise of a mean over them is less */
    double scatter[KRIGE_POINTS_MAX];  /* variance that few runs make, whatever the noise */
    double weight[POLICY_MODULES_MAX]; /* how far apart its two places are */
    struct krige_scale scales[KRIGE_SCALES];
};

/* Makes the rest ready: weighs the scales by their likelihood. */
void krige_fit(struct krige *krige);

/* Mean and standard deviation of the residual at a placement, over all scales. */
void krige_at(const struct krige *krige, placement_t placement, double *ret_mean,
              double *ret_deviation);

/* The likely noise of one phase's latency. */
double krige_noise(const struct krige *krige);

/* Expected improvement over `best` of a normal figure (smaller is better). */
double krige_improvement(double best, double mean, double deviation);
