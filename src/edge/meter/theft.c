/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/theft.h"

#include <assert.h>
#include <math.h>

#define GENERATOR_STEP UINT64_C(0x9E3779B97F4A7C15) /* of SplitMix64: n draws are n steps */
#define FRACTION_LOW 0.1
#define FRACTION_HIGH 0.8
#define SPAN_SLOTS_MIN 16
#define SPAN_CHOICES 81

static const char *const names[THEFT_COUNT] = { "none", "FDI1", "FDI2", "FDI3",  "FDI4",
                                                "FDI5", "FDI6", "PHASE", "NIGHT", "PEAK" };

const char *theft_name(enum theft t)
{
    assert(t < THEFT_COUNT);
    return names[t];
}

err theft_parse(struct bytes name, enum theft *out)
{
    for (unsigned t = THEFT_FDI1; t < THEFT_COUNT; t++) {
        if (bytes_equal(name, bytes_of_string(names[t]))) {
            *out = t;
            return OK;
        }
    }
    FAIL(ERR_PROTO, "attack \"%.*s\" is unknown; there are FDI1 to FDI6, PHASE, NIGHT, PEAK",
         (int)(name.len < 32 ? name.len : 32), (const char *)name.ptr);
}

/* Numbers are drawn in day order, then slot order; each attack draws so many a day. */
static struct rand64 draws_of_day(uint64_t seed, uint32_t day, uint32_t draws_per_day)
{
    return (struct rand64){ seed + GENERATOR_STEP * draws_per_day * day };
}

static double mean_wh(const struct profile_slot *slots)
{
    double sum = 0;

    for (unsigned t = 0; t < PROFILE_SLOTS; t++) {
        sum += slots[t].wh;
    }
    return sum / PROFILE_SLOTS;
}

static void scale(struct profile_slot *s, double factor)
{
    s->wh = (uint32_t)nearbyint(s->wh * factor);
    s->varh_ind = (uint32_t)nearbyint(s->varh_ind * factor);
    s->varh_cap = (uint32_t)nearbyint(s->varh_cap * factor);
}

/* To another active energy, the reactive one in proportion. */
static void set_wh(struct profile_slot *s, double wh)
{
    if (s->wh > 0) {
        scale(s, wh / s->wh);
    }
    s->wh = (uint32_t)nearbyint(wh);
}

static void scale_span(struct profile_slot *slots, unsigned from, unsigned to, double factor)
{
    for (unsigned t = from; t < to && t < PROFILE_SLOTS; t++) {
        scale(&slots[t], factor);
    }
}

static double fraction(struct rand64 *r)
{
    return rand64_range(r, FRACTION_LOW, FRACTION_HIGH);
}

static void zero_a_span(struct rand64 r, struct profile_slot *slots)
{
    unsigned length = SPAN_SLOTS_MIN + (unsigned)rand64_below(&r, SPAN_CHOICES);
    unsigned start = (unsigned)rand64_below(&r, SPAN_CHOICES);

    scale_span(slots, start, start + length, 0);
}

static void reverse(struct profile_slot *slots)
{
    for (unsigned t = 0; t < PROFILE_SLOTS / 2; t++) {
        struct profile_slot s = slots[t];
        slots[t] = slots[PROFILE_SLOTS - 1 - t];
        slots[PROFILE_SLOTS - 1 - t] = s;
    }
}

void theft_apply(enum theft t, uint64_t seed, uint32_t day,
                 struct profile_slot slots[PROFILE_SLOTS])
{
    struct rand64 r = draws_of_day(seed, day, PROFILE_SLOTS);
    double mean = mean_wh(slots);

    switch (t) {
    case THEFT_FDI1:
        r = draws_of_day(seed, 0, 0); /* one number for the unit */
        scale_span(slots, 0, PROFILE_SLOTS, fraction(&r));
        return;
    case THEFT_FDI2:
        zero_a_span(draws_of_day(seed, day, 2), slots);
        return;
    case THEFT_FDI3:
    case THEFT_FDI4:
        for (unsigned i = 0; i < PROFILE_SLOTS; i++) {
            double part = fraction(&r);
            set_wh(&slots[i], part * (t == THEFT_FDI3 ? slots[i].wh : mean));
        }
        return;
    case THEFT_FDI5:
        for (unsigned i = 0; i < PROFILE_SLOTS; i++) {
            set_wh(&slots[i], mean);
        }
        return;
    case THEFT_FDI6:
        reverse(slots);
        return;
    case THEFT_PHASE:
        scale_span(slots, 0, PROFILE_SLOTS, 2.0 / 3);
        return;
    case THEFT_NIGHT:
        scale_span(slots, 0, 24, 0.5);
        scale_span(slots, 88, PROFILE_SLOTS, 0.5);
        return;
    case THEFT_PEAK:
        scale_span(slots, 72, 84, 0.3);
        return;
    case THEFT_NONE:
    case THEFT_COUNT:
        return;
    }
}
