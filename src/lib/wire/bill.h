/* SPDX-License-Identifier: Apache-2.0 */
/* The bill document: canonical JSON that binds readings, tariff and amounts (docs/protocol.md 7.1).
 *
 * Quantities are in milli-units (mW, mWh), prices in 10^-8 R$ per W or Wh, money in centavos, times
 * in UTC seconds. This module is the layout only: nothing here computes. */
#pragma once

#include "lib/wire/tariff.h"

#define BILL_ROUNDING "half-even/1"
#define BILL_GAPS_MAX 64
#define BILL_ESTIMATES_MAX 64
#define BILL_MONEY_MAX INT64_C(1000000000000000) /* 10^13 R$ */

enum bill_determinant { /* in the order of their names, which end in the unit */
                        DET_DEMAND_BILLED,
                        DET_DEMAND_MEASURED,
                        DET_DEMAND_OFF_PEAK,
                        DET_DEMAND_OVERRUN,
                        DET_DEMAND_PEAK,
                        DET_DEMAND_UNUSED,
                        DET_ENERGY_OFF_PEAK,
                        DET_ENERGY_PEAK,
                        DET_FLAG_GREEN, /* + enum flag_colour: energy under each flag */
                        DET_FLAG_RED1,
                        DET_FLAG_RED2,
                        DET_FLAG_YELLOW,
                        DET_HOURS,             /* with any interval */
                        DET_HOURS_WITH_EXCESS, /* below the reference power factor */
                        DET_REACTIVE_CAPACITIVE,
                        DET_REACTIVE_DEMAND_EXCESS,
                        DET_REACTIVE_EQUIVALENT_OFF_PEAK, /* largest hourly equivalent demand */
                        DET_REACTIVE_EQUIVALENT_PEAK,
                        DET_REACTIVE_EXCESS_OFF_PEAK,
                        DET_REACTIVE_EXCESS_PEAK,
                        DET_REACTIVE_INDUCTIVE,
                        DET_COUNT
};
const char *bill_determinant_name(enum bill_determinant d);

enum bill_line_id { /* in the order of the bill */
                    LINE_DEMAND,
                    LINE_DEMAND_UNUSED,
                    LINE_OVERRUN,
                    LINE_TE_OFF_PEAK,
                    LINE_TE_PEAK,
                    LINE_TUSD_OFF_PEAK,
                    LINE_TUSD_PEAK,
                    LINE_FLAG_GREEN, /* + enum flag_colour */
                    LINE_FLAG_RED1,
                    LINE_FLAG_RED2,
                    LINE_FLAG_YELLOW,
                    LINE_REACTIVE_ENERGY,
                    LINE_REACTIVE_DEMAND,
                    LINE_COUNT
};
const char *bill_line_name(enum bill_line_id id);
bool bill_line_is_demand(enum bill_line_id id); /* in kW, and withheld as demand */

struct bill_line {
    enum bill_line_id id;
    int64_t quantity_milli;
    int64_t price_e8; /* net */
    int64_t gross_c;
    int64_t icms_c;
    int64_t pis_cofins_c;
    int64_t net_c;
};

struct bill_end {       /* one end of the period at a meter */
    bool sealed;        /* false: a meter's very first day has no seal before it */
    struct digest seal; /* hash */
    uint64_t e_act;     /* registers, below 2^53 */
    uint64_t e_ind;
    uint64_t e_cap;
};

struct bill_gap { /* intervals without reading, in (from_s, to_s] by their ends */
    int64_t from_s;
    int64_t to_s;
};

struct bill_estimate {
    char rule[16];
    uint32_t sequence;
    int64_t value_wh;
};

struct bill_meter {
    uint64_t id;
    struct digest certificate;
    struct bill_end opening;
    struct bill_end closing;
    uint32_t expected; /* from the period and the interval */
    uint32_t received;
    uint32_t measured;
    uint32_t estimated;
    struct bill_gap gaps[BILL_GAPS_MAX];
    size_t gap_count;
    struct digest readings_root;
};

struct bill_parameters { /* of the contract */
    char class[24];
    char modality[16];
    char subgroup[8];
    int64_t contracted_w;
    uint16_t interval_s;
    bool public_body;
    bool simulated; /* some record is not from a real meter */
};

struct bill {
    char utility[TARIFF_UTILITY_DIGITS + 1];
    struct digest contract; /* pseudonym */
    struct bill_meter meter;
    int64_t start_s; /* [start, end), day edges */
    int64_t end_s;
    struct bill_parameters parameters;
    struct digest tariff;
    char act[TARIFF_TEXT_BYTES];
    struct digest calendar;
    struct tariff_taxes taxes;
    struct bill_estimate estimates[BILL_ESTIMATES_MAX];
    size_t estimate_count;
    struct digest estimates_root;
    int64_t determinants[DET_COUNT];
    struct bill_line lines[LINE_COUNT]; /* ascending by id */
    size_t line_count;
    int64_t withheld_c;
    int64_t total_c;
    struct {
        char version[32];
        struct digest measurement;
        struct digest evidence; /* SHA-256 of the attestation evidence */
    } app;
    bool has_previous;
    struct digest previous; /* bill hash of the bill before */
    int64_t issued_s;
};

/* Appends the canonical octets. The values are in range: what bill_parse would refuse asserts or is
 * refused by it. */
err bill_write(const struct bill *b, struct buf *out) MUST_USE;
/* ERR_PROTO: a field missing, unknown or out of range; ERR_CORRUPT: not canonical; ERR_LIMIT. */
err bill_parse(struct bytes text, struct bill *out) MUST_USE;
/* The bill hash: of the canonical octets, under its domain. */
struct digest bill_hash(struct bytes text);
