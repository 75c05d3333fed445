/* SPDX-License-Identifier: Apache-2.0 */
/* The phasor report: 30 attributes every 15 minutes, canonical form of 156 octets, big-endian.
 *
 * These octets are what a meter signs and an auditor hashes; nothing about transport enters them
 * (docs/protocol.md 2.1).
 * paper: Smart metering applications, phasor reports. */
#pragma once

#include "lib/base/bytes.h"

#define RECORD_BYTES 156
#define RECORD_READS 27     /* reads 1..27 are 32-bit, reads 28..30 are registers */
#define RECORD_INTERVAL_S 900

#define READ_MISSING INT32_MIN          /* a read that was not measured; never 0 */
#define REGISTER_MISSING UINT64_MAX

#define RECORD_SIMULATED 0x01 /* flag: not from a real meter */

enum record_status { /* bits of `status` */
    STATUS_CLOCK_UNSET = 1 << 0,
    STATUS_CLOCK_STEPPED = 1 << 1,
    STATUS_POWER_LOST = 1 << 2,
    STATUS_PARTIAL = 1 << 3,
    STATUS_RATIO_CHANGED = 1 << 4,
    STATUS_COVER_OPEN = 1 << 5,
    STATUS_RELAY_OPEN = 1 << 6,
    STATUS_ESTIMATED = 1 << 7,
    STATUS_REGISTER_RESET = 1 << 8,
    STATUS_TEST_MODE = 1 << 9,
};
#define STATUS_KNOWN_BITS 0x03FF

enum record_read { /* index into reads[]; read n of the paper is n - 1 */
    READ_V_A, READ_V_B, READ_V_C,          /* phase voltage, 0.01 V */
    READ_V_AB, READ_V_BC, READ_V_CA,       /* line voltage, 0.01 V */
    READ_I_A, READ_I_B, READ_I_C,          /* current, 0.001 A */
    READ_ANG_A, READ_ANG_B, READ_ANG_C,    /* V to I displacement, 0.01 degree, + = current lags */
    READ_P3, READ_Q3, READ_S3,             /* W (+ import), var (+ inductive), VA */
    READ_PF_A, READ_PF_B, READ_PF_C, READ_PF_3, /* power factor, 0.0001 */
    READ_THD_V_A, READ_THD_V_B, READ_THD_V_C,   /* 0.01 % */
    READ_THD_I_A, READ_THD_I_B, READ_THD_I_C,   /* 0.01 % */
    READ_FREQ,   /* 0.001 Hz */
    READ_DEMAND, /* mean active power of the interval, W */
};

struct record {
    uint8_t flags;
    uint16_t status;
    uint32_t sequence; /* +1 per interval, per meter; never reset */
    uint64_t meter;
    uint32_t end_s;      /* end of the interval, UTC second, multiple of the interval */
    uint16_t interval_s; /* 900 */
    int32_t reads[RECORD_READS];
    uint64_t e_act; /* total active energy, import, Wh */
    uint64_t e_ind; /* total reactive inductive, varh */
    uint64_t e_cap; /* total reactive capacitive, varh */
};

void record_encode(const struct record *r, uint8_t out[RECORD_BYTES]);

/* ERR_PROTO, naming the field: size, version other than 1, unknown flag or status bit, reserved
 * field not zero, interval 0 or not dividing an hour, end not a multiple of the interval. */
err record_parse(struct bytes octets, struct record *out) MUST_USE;

bool record_equal(const struct record *a, const struct record *b);

/* Short stable names in order: "v_a" ... "demand", then "e_act", "e_ind", "e_cap". n from 1 to
 * 30. */
const char *record_read_name(unsigned n);

/* A PUSH of a record: RESPONSE block 0xE2, sub-code 0xA1 (docs/protocol.md 2.2). */
struct report {
    struct record record;
    uint32_t newest; /* newest and oldest sequence the meter holds */
    uint32_t oldest;
    /* A report that cannot be given (answer to 0xA2): record version 0, sequence and a reason. */
    uint8_t missing_reason; /* 0 = present; 1 no power, 2 overwritten, 3 erased, 4 never produced */
};

/* `serial` is the low 32 bits of the meter id. Writes a whole block with its CRC. */
void report_encode(const struct report *r, uint8_t *out_block /* NBR_RESPONSE_BYTES */);
err report_parse(struct bytes block, struct report *out) MUST_USE; /* checks the CRC first */
