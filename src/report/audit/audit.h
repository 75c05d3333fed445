/* SPDX-License-Identifier: Apache-2.0 */
/* The offline proof of one bill: from its files alone, with nothing of the utility's code
 * (docs/protocol.md 7.2). No clock, no network, no file access: octets in, findings out. */
#pragma once

#include "lib/base/bytes.h"
#include "report/audit/finding.h"

enum audit_file { /* see lib/wire/bundle.h */
                  AUDIT_BILL,
                  AUDIT_SIGNATURE,
                  AUDIT_PREVIOUS,
                  AUDIT_READINGS,
                  AUDIT_SEALS,
                  AUDIT_LEAVES,
                  AUDIT_TARIFF,
                  AUDIT_CALENDAR,
                  AUDIT_EVIDENCE,
                  AUDIT_APPROVED,
                  AUDIT_INSTITUTE, /* certificate, PEM */
                  AUDIT_METER,     /* certificate, PEM */
                  AUDIT_UTILITY,   /* certificate, PEM */
                  AUDIT_REVOKED,   /* list, signed by the institute */
                  AUDIT_REVOKED_SIGNATURE,
                  AUDIT_FILES
};

struct audit_files {
    struct bytes octets[AUDIT_FILES]; /* borrowed */
    bool present[AUDIT_FILES];
};

enum audit_level { AUDIT_L0, AUDIT_L1 };

struct audit_options {
    enum audit_level level;
    bool has_hash; /* the bill hash from the customer's paper */
    struct digest hash;
    /* What the auditor has himself. Empty: the bundle's own, which proves less, since whoever made
     * the bill chose it. */
    struct bytes institute;
    struct bytes utility;
    struct bytes revoked; /* list and its signature */
    struct bytes revoked_signature;
    struct bytes approved;
    const struct digest *terms; /* hashes of all tariffs and calendars that he knows; NULL: any */
    size_t term_count;
};

/* Adds to `out` and never stops at the first error. ERR_LIMIT: no memory, nothing is proved. */
err audit_bundle(const struct audit_files *files, const struct audit_options *options,
                 struct findings *out) MUST_USE;
