/* SPDX-License-Identifier: Apache-2.0 */
/* From a consumer's readings and seals to a bill, or to the list of reasons why there is none
 * (docs/protocol.md 7.1). No I/O: what is given is all that counts. */
#pragma once

#include "lib/wire/record.h"
#include "lib/wire/seal.h"
#include "report/billing/determinants.h"

struct contract { /* what is in force for a meter */
    uint64_t meter;
    struct digest id; /* pseudonym */
    char subgroup[8];
    char modality[16];
    char class[24];
    int64_t contracted_w;
    bool public_body;
};

struct issue_before { /* the bill before */
    struct digest hash;
    struct digest closing; /* its closing seal */
    int64_t end_s;
};

struct issue { /* everything borrowed */
    const struct plan *plan;
    const struct tariff *tariff;
    struct digest tariff_hash;
    struct digest calendar_hash;
    const struct contract *contract;
    struct digest certificate;      /* hash of the meter's */
    const struct sealed_day *seals; /* by day; the opening seal first where there is one */
    size_t seal_count;
    const struct point *points; /* by sequence */
    size_t point_count;
    const struct issue_before *before; /* NULL: the first bill */
    const char *version;
    struct digest measurement;
    struct digest evidence;
    int64_t issued_s;
};

/* Fills `out` when `refusals` stays empty; otherwise `out` means nothing. */
void issue_bill(const struct issue *in, struct refusals *refusals, struct bill *out);

/* What billing keeps of a record. */
struct point point_of(const struct record *r);

/* That seals are the meter's own and that their roots are those of the readings: `readings` holds
 * the canonical octets of the points, in their order; `out_leaves` has room for one hash each.
 * Wants what issue_bill has accepted. */
void issue_verify(const struct issue *in, const struct public_key *meter, struct bytes readings,
                  struct digest *out_leaves, struct refusals *refusals);
