/* SPDX-License-Identifier: Apache-2.0 */
/* What a meter measures in one interval, and the record that follows from it.
 *
 * Energies are whole pulses of 1 Wh and 1 varh, so registers integrate exactly; everything else of
 * the record is computed from them, so that its parts agree. */
#pragma once

#include "lib/wire/record.h"

#define METER_PHASES 3

struct meter_sample {
    uint32_t wh;       /* active energy of the interval, import */
    uint32_t varh_ind; /* reactive, inductive; both may be above zero in one interval */
    uint32_t varh_cap; /* reactive, capacitive */
    double volts[METER_PHASES];   /* phase voltages, V */
    double share_p[METER_PHASES]; /* part of each phase in the active power; sums to 1 */
    double share_q[METER_PHASES]; /* the same of the reactive power */
    double thd_v[METER_PHASES];   /* % */
    double thd_i[METER_PHASES];   /* % */
    double hertz;
    uint16_t status; /* bits of enum record_status that the sample itself causes */
};

struct meter_registers {
    uint64_t e_act; /* Wh */
    uint64_t e_ind; /* varh */
    uint64_t e_cap; /* varh */
};

/* Adds the energies of a sample. Registers wrap never: 2^64 Wh outlast the sun. */
void registers_add(struct meter_registers *r, const struct meter_sample *s);

/* Fills the reads and, from `after`, the registers. Identity, time and status are the caller's. */
void sample_to_record(const struct meter_sample *s, const struct meter_registers *after,
                      uint16_t interval_s, struct record *out);
