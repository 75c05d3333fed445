/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/sample.h"

#include <math.h>
#include <stdlib.h>

#define DEGREES_PER_RADIAN 57.29577951308232

void registers_add(struct meter_registers *r, const struct meter_sample *s)
{
    r->e_act += s->wh;
    r->e_ind += s->varh_ind;
    r->e_cap += s->varh_cap;
}

/* A value in the units of a read; what does not fit was not measured. */
static int32_t scaled(double value, double per_unit)
{
    double v = nearbyint(value * per_unit);

    return isfinite(v) && fabs(v) <= INT32_MAX ? (int32_t)v : READ_MISSING;
}

/* Between two phases that stand 120 degrees apart. */
static double line_volts(double a, double b)
{
    return sqrt(a * a + b * b + a * b);
}

static void fill_phase(const struct meter_sample *s, int i, double p, double q, struct record *out)
{
    double pi = p * s->share_p[i];
    double qi = q * s->share_q[i];
    double si = hypot(pi, qi);
    bool loaded = si > 0 && s->volts[i] > 0;

    out->reads[READ_V_A + i] = scaled(s->volts[i], 100);
    out->reads[READ_V_AB + i] = scaled(line_volts(s->volts[i], s->volts[(i + 1) % 3]), 100);
    out->reads[READ_I_A + i] = loaded ? scaled(si / s->volts[i], 1000) : 0;
    /* Without current there is no angle and no power factor. */
    out->reads[READ_ANG_A + i] =
        loaded ? scaled(atan2(qi, pi) * DEGREES_PER_RADIAN, 100) : READ_MISSING;
    out->reads[READ_PF_A + i] = loaded ? scaled(fabs(pi) / si, 10000) : READ_MISSING;
    out->reads[READ_THD_V_A + i] = scaled(s->thd_v[i], 100);
    out->reads[READ_THD_I_A + i] = loaded ? scaled(s->thd_i[i], 100) : READ_MISSING;
}

void sample_to_record(const struct meter_sample *s, const struct meter_registers *after,
                      uint16_t interval_s, struct record *out)
{
    double per_hour = 3600.0 / interval_s;
    double p = s->wh * per_hour;
    double q = ((double)s->varh_ind - s->varh_cap) * per_hour;
    double apparent = ceil(hypot(p, q)); /* up, so that s^2 >= p^2 + q^2 holds in whole units */

    for (int i = 0; i < METER_PHASES; i++) {
        fill_phase(s, i, p, q, out);
    }
    out->reads[READ_P3] = scaled(p, 1);
    out->reads[READ_Q3] = scaled(q, 1);
    out->reads[READ_S3] = scaled(apparent, 1);
    out->reads[READ_PF_3] = apparent > 0 ? scaled(p / apparent, 10000) : READ_MISSING;
    out->reads[READ_FREQ] = scaled(s->hertz, 1000);
    out->reads[READ_DEMAND] = scaled(p, 1);
    out->e_act = after->e_act;
    out->e_ind = after->e_ind;
    out->e_cap = after->e_cap;
}
