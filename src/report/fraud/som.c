/* SPDX-License-Identifier: Apache-2.0 */
#include "report/fraud/som.h"

#include <math.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/rand.h"

/* Below these a spread counts as none (the reference's floors). */
#define FLAT_RELATIVE 1e-6
#define FLAT_ABSOLUTE 1e-9

void day_normalise(const double in[DAY_SLOTS], double out[DAY_SLOTS])
{
    double mean = 0;
    double square = 0;

    for (size_t i = 0; i < DAY_SLOTS; i++) {
        mean += in[i];
    }
    mean /= DAY_SLOTS;
    for (size_t i = 0; i < DAY_SLOTS; i++) {
        square += (in[i] - mean) * (in[i] - mean);
    }
    double sd = sqrt(square / DAY_SLOTS);
    double floor_sd = FLAT_RELATIVE * fmax(fabs(mean), FLAT_ABSOLUTE) + FLAT_ABSOLUTE;
    for (size_t i = 0; i < DAY_SLOTS; i++) {
        out[i] = (in[i] - mean) / fmax(sd, floor_sd);
    }
}

static double distance(const double *a, const double *b)
{
    double sum = 0;

    for (size_t i = 0; i < DAY_SLOTS; i++) {
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return sum;
}

size_t som_classify(const struct som *m, const double row[DAY_SLOTS])
{
    size_t best = 0;
    double best_distance = distance(m->weights[0], row);

    for (size_t n = 1; n < SOM_NEURONS; n++) {
        double d = distance(m->weights[n], row);
        if (d < best_distance) {
            best = n;
            best_distance = d;
        }
    }
    return best;
}

struct som_sums {
    double sum[SOM_NEURONS][DAY_SLOTS];
    double count[SOM_NEURONS];
};

static void gather(const struct som *m, const double *rows, size_t count, struct som_sums *s)
{
    memset(s, 0, sizeof *s);
    for (size_t r = 0; r < count; r++) {
        const double *row = rows + r * DAY_SLOTS;
        size_t n = som_classify(m, row);
        s->count[n] += 1;
        for (size_t i = 0; i < DAY_SLOTS; i++) {
            s->sum[n][i] += row[i];
        }
    }
}

static double grid_distance(size_t a, size_t b)
{
    size_t row_a = a / SOM_SIDE, row_b = b / SOM_SIDE;
    double rows = (double)row_a - (double)row_b;
    double columns = (double)(a % SOM_SIDE) - (double)(b % SOM_SIDE);

    return rows * rows + columns * columns;
}

/* Each neuron becomes the mean of all rows, weighted by how near their neuron lies on the grid. */
static void spread(struct som *m, const struct som_sums *s, double width)
{
    for (size_t j = 0; j < SOM_NEURONS; j++) {
        double weight = 0;
        double row[DAY_SLOTS] = { 0 };
        for (size_t b = 0; b < SOM_NEURONS; b++) {
            double h = exp(-grid_distance(j, b) / (2 * width * width));
            weight += h * s->count[b];
            for (size_t i = 0; i < DAY_SLOTS; i++) {
                row[i] += h * s->sum[b][i];
            }
        }
        for (size_t i = 0; i < DAY_SLOTS; i++) {
            m->weights[j][i] = row[i] / fmax(weight, 1e-12);
        }
    }
}

err som_train(struct som *m, const double *rows, size_t count)
{
    AUTO(mem_givep) struct som_sums *sums = mem_take(sizeof *sums);
    struct rand64 r = { SOM_SEED };
    double first_width = SOM_SIDE / 2.0;

    if (count == 0) {
        FAIL(ERR_LIMIT, "no days to train the class map on");
    }
    if (sums == NULL) {
        FAIL(ERR_LIMIT, "no memory for the class map");
    }
    for (size_t n = 0; n < SOM_NEURONS; n++) {
        memcpy(m->weights[n], rows + rand64_below(&r, count) * DAY_SLOTS, sizeof m->weights[n]);
    }
    for (int e = 0; e < SOM_EPOCHS; e++) {
        double width = first_width * pow(0.5 / first_width, (double)e / (SOM_EPOCHS - 1));
        gather(m, rows, count, sums);
        spread(m, sums, width);
    }
    return OK;
}
