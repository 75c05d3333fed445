/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the audit share. Each part checks one thing and adds its findings. */
#pragma once

#include "lib/crypto/cert.h"
#include "lib/wire/bill.h"
#include "lib/wire/bundle.h"
#include "report/audit/audit.h"

struct reading {
    struct record record;
    struct digest leaf;
    bool broken;  /* only sequence, meter and end are known, registers are missing */
    uint32_t day; /* index of its seal; DAY_NONE when no seal covers it */
};
#define DAY_NONE UINT32_MAX

struct audit {
    const struct audit_files *files;
    const struct audit_options *options;
    struct findings *out;
    bool has_bill, has_tariff, has_calendar;
    struct bill bill;
    struct tariff tariff;
    struct calendar calendar;
    struct sealed_day *seals; /* file order */
    size_t seal_count;
    bool seals_chained;       /* from edge to edge without hole */
    bool has_opening;         /* seals[0] closes the day before the period */
    struct reading *readings; /* by sequence, each once */
    size_t reading_count;
};

struct finding_place { /* where: both may be FINDING_NO_PLACE */
    int64_t sequence;
    int64_t at_s; /* UTC */
};
#define NOWHERE ((struct finding_place){ FINDING_NO_PLACE, FINDING_NO_PLACE })
#define AT_SEQUENCE(n) ((struct finding_place){ (int64_t)(n), FINDING_NO_PLACE })
#define AT_DAY(s) ((struct finding_place){ FINDING_NO_PLACE, (int64_t)(s) })

void found(struct audit *a, enum audit_code code, struct finding_place where, const char *format,
           ...) __attribute__((format(printf, 4, 5)));
void found_values(struct audit *a, enum audit_code code, struct finding_place where,
                  int64_t expected, int64_t value, const char *text);
void found_digests(struct audit *a, enum audit_code code, struct finding_place where,
                   const struct digest *expected, const struct digest *value, const char *text);

/* form.c: canonical form, schema, hashes of bill, tariff and calendar */
void audit_form(struct audit *a);
/* keys.c: certificates, revocation, signatures of bill and seals */
void audit_bill_signature(struct audit *a);
void audit_keys(struct audit *a);
/* chain.c: seals from edge to edge, and the bill before */
err audit_seals_read(struct audit *a) MUST_USE;
void audit_chain(struct audit *a);
void audit_previous(struct audit *a);
/* readings.c: sequences, slots, clock, counts */
err audit_readings_read(struct audit *a) MUST_USE;
void audit_readings(struct audit *a);
void audit_estimates(struct audit *a);
/* roots.c: leaves, roots, registers */
void audit_roots(struct audit *a);
void audit_registers(struct audit *a);
/* recount.c: determinants from the registers */
err audit_determinants(struct audit *a) MUST_USE;
void audit_terms(struct audit *a); /* period, tariff in force, parameters */
/* amounts.c: lines, taxes, total */
void audit_amounts(struct audit *a);
void audit_app(struct audit *a);

/* civil.c: the audit's own reading of the calendar */
int32_t own_offset(const struct calendar *c, int64_t s);
int64_t own_civil(const struct calendar *c, int64_t s); /* civil second */
bool own_is_day_edge(const struct calendar *c, int64_t s);
bool own_is_rest_day(const struct calendar *c, int64_t civil_s);
enum flag_colour own_flag(const struct calendar *c, int64_t civil_s);

/* own.c: the audit's own arithmetic */
__extension__ typedef unsigned __int128 own_wide;
uint64_t own_root(own_wide n);
enum own_rule { OWN_HALF_EVEN, OWN_HALF_UP, OWN_DOWN, OWN_UP };
own_wide own_divide(own_wide n, own_wide d, enum own_rule rule);
/* The energy of a record's interval agrees with the demand it states, within one pulse. */
bool own_demand_agrees(const struct record *r, uint64_t wh);
