/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles on disk: OUT/<16 hex digits of the meter>/, as the audit reads them (docs/protocol.md
 * 7.2). */
#pragma once

#include "lib/crypto/sign.h"
#include "lib/wire/bill.h"
#include "report/billing/collect.h"

struct bundle_terms { /* the same for all bundles of a run; borrowed */
    struct bytes tariff;
    struct bytes calendar;
    struct bytes institute; /* certificate, PEM */
    struct bytes utility;   /* certificate, PEM */
    struct bytes evidence;
    const struct private_key *key; /* signs bills */
};

struct bundle_parts { /* one consumer's; borrowed */
    const struct bill *bill;
    const struct collected *collected;
    struct bytes leaves;
    struct bytes certificate; /* the meter's, PEM */
    struct bytes previous;    /* bill.json of the bill before; empty: none */
};

/* bill.json is written last, so that a bundle is there as a whole or not at all. */
err bundle_write(const char *out_dir, const struct bundle_terms *terms,
                 const struct bundle_parts *parts) MUST_USE;

/* Readings and seals alone, beside a bill that is there. */
err bundle_write_readings(const char *dir, const struct collected *c) MUST_USE;

/* The bill of DIR/<meter>/, with its octets appended to `json`. ERR_MISSING: none. */
err bundle_read_bill(const char *out_dir, uint64_t meter, struct buf *json,
                     struct bill *out) MUST_USE;

/* The bill of this meter that ends at `start_s`, in any folder of `bills_dir`. */
err bundle_find_previous(const char *bills_dir, uint64_t meter, int64_t start_s, struct buf *json,
                         struct bill *out) MUST_USE;

/* Calls `each` with every folder of `dir` that is named by 16 hex digits, in order of names. */
err bundle_each(const char *dir, err (*each)(void *arg, const char *path, uint64_t meter),
                void *arg) MUST_USE;
