/* SPDX-License-Identifier: Apache-2.0 */
/* A self-organising map (Kohonen) of day shapes, batch-trained: the paper's classifier of
 * consumption behaviour. Deterministic: the same rows in the same order give the same map. */
#pragma once

#include "lib/base/err.h"
#include "report/fraud/days.h"

#define SOM_SIDE 8
#define SOM_NEURONS (SOM_SIDE * SOM_SIDE)
#define SOM_EPOCHS 30
#define SOM_SEED 1

struct som {
    double weights[SOM_NEURONS][DAY_SLOTS];
};

/* z = (x - mean) / sd with population sd; a flat day gives the zero vector. */
void day_normalise(const double in[DAY_SLOTS], double out[DAY_SLOTS]);

/* Trains on `count` normalised rows of DAY_SLOTS each. ERR_LIMIT without rows. */
err som_train(struct som *m, const double *rows, size_t count) MUST_USE;

/* The nearest neuron; the lowest index wins a tie. */
size_t som_classify(const struct som *m, const double row[DAY_SLOTS]);
