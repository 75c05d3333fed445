/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/pages.h"

#include <math.h>
#include <string.h>

#include "lib/base/clock.h"

enum { /* offsets of 0x14 */
    AT_STAMP = 5,
    AT_VOLTS = 11,
    AT_LINE_VOLTS = 23,
    AT_AMPERES = 35,
    AT_ACTIVE = 51,
    AT_REACTIVE = 67,
    AT_APPARENT = 83,
    AT_COS_PHI = 131,
    AT_POWER_FACTOR = 151,
    AT_DISPLACEMENT = 167,
    AT_HERTZ = 183,
    AT_DISTORTION = 221,
};

enum { /* offsets of 0x23 */
    AT_ENERGY_1 = 5,
    AT_DEMAND_1 = 40,
    AT_ENERGY_2 = 79,
    AT_ENERGY_3 = 153,
    ENERGY_BYTES = 5,
    DEMAND_BYTES = 3,
};

static void put_float(uint8_t *at, double value)
{
    float f = (float)value;
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    store_u32_le(at, bits);
}

/* A read in its unit; one that was not measured is not a number. */
static double value_of(const struct record *r, unsigned read, double per_unit)
{
    return r->reads[read] == READ_MISSING ? (double)NAN : r->reads[read] / per_unit;
}

static void put_reads(uint8_t *at, const struct record *r, unsigned read, unsigned count,
                      double per_unit)
{
    for (unsigned i = 0; i < count; i++) {
        put_float(at + 4 * i, value_of(r, read + i, per_unit));
    }
}

/* `count` octets of BCD, most significant first; digits that do not fit fall off, as in a meter. */
static void put_bcd(uint8_t *at, size_t count, uint64_t value)
{
    for (size_t i = count; i > 0; i--) {
        at[i - 1] = (uint8_t)(value / 10 % 10 << 4 | value % 10);
        value /= 100;
    }
}

static void put_stamp(uint8_t *at, int64_t local_s)
{
    struct civil c = civil_from_s(local_s);
    const uint32_t fields[] = { c.hour, c.minute, c.second, c.day, c.month,
                                (uint32_t)c.year % 100 };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        put_bcd(at + i, 1, fields[i]);
    }
}

/* Per phase from V, I and the angle, then the sum that the record carries. */
static void put_powers(const struct record *r, uint8_t *block)
{
    for (unsigned i = 0; i < 3; i++) {
        double va = value_of(r, READ_V_A + i, 100) * value_of(r, READ_I_A + i, 1000);
        double angle = value_of(r, READ_ANG_A + i, 100) / 57.29577951308232;
        put_float(block + AT_ACTIVE + 4 * i, va * cos(angle));
        put_float(block + AT_REACTIVE + 4 * i, va * sin(angle));
        put_float(block + AT_APPARENT + 4 * i, va);
    }
    put_reads(block + AT_ACTIVE + 12, r, READ_P3, 1, 1);
    put_reads(block + AT_REACTIVE + 12, r, READ_Q3, 1, 1);
    put_reads(block + AT_APPARENT + 12, r, READ_S3, 1, 1);
}

void page_phasors(const struct record *r, int32_t zone_offset_s, uint8_t *block)
{
    put_stamp(block + AT_STAMP, (int64_t)r->end_s + zone_offset_s);
    put_reads(block + AT_VOLTS, r, READ_V_A, 3, 100);
    put_reads(block + AT_LINE_VOLTS, r, READ_V_AB, 3, 100);
    put_reads(block + AT_AMPERES, r, READ_I_A, 3, 1000);
    put_powers(r, block);
    put_reads(block + AT_COS_PHI, r, READ_PF_A, 4, 10000);
    put_reads(block + AT_POWER_FACTOR, r, READ_PF_A, 4, 10000);
    put_reads(block + AT_DISPLACEMENT, r, READ_ANG_A, 3, 100);
    put_reads(block + AT_HERTZ, r, READ_FREQ, 1, 1000);
    put_reads(block + AT_DISTORTION, r, READ_THD_V_A, 6, 100);
}

void page_registers(const struct record *r, uint8_t *block)
{
    uint64_t demand = r->reads[READ_DEMAND] > 0 ? (uint64_t)r->reads[READ_DEMAND] : 0;

    put_bcd(block + AT_ENERGY_1, ENERGY_BYTES, r->e_act);
    put_bcd(block + AT_ENERGY_2, ENERGY_BYTES, r->e_ind);
    put_bcd(block + AT_ENERGY_3, ENERGY_BYTES, r->e_cap);
    /* Demand is in pulses of the interval: Ke x 60 / minutes turns them into power. */
    put_bcd(block + AT_DEMAND_1, DEMAND_BYTES, demand * r->interval_s / 3600);
}
