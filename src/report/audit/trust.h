/* SPDX-License-Identifier: Apache-2.0 */
/* What the auditor brings himself: certificates, tariffs and calendars, the list of revoked
 * certificates, approved code. Whatever he does not bring is taken from the bundles, by whoever
 * made them. */
#pragma once

#include "lib/base/buf.h"
#include "report/audit/audit.h"

#define TRUST_TERMS_MAX 1000 /* tariffs and calendars */

struct trust_paths { /* NULL: not given */
    const char *institute;
    const char *utility;
    const char *terms;   /* folder of tariffs and calendars, canonical JSON, any names in .json */
    const char *revoked; /* folder of list.json and list.sig */
    const char *approved;
};

struct trust { /* a zeroed struct is empty */
    struct buf institute, utility, revoked, revoked_signature, approved;
    struct buf terms; /* digests */
};

/* Reads what is given and points the options to it: they live as long as `out`. ERR_MISSING,
 * ERR_IO, ERR_LIMIT; ERR_PROTO for a document that is neither tariff nor calendar. */
err trust_read(const struct trust_paths *paths, struct trust *out,
               struct audit_options *options) MUST_USE;
void trust_done(struct trust *t);

#define TRUST_GAPS_MAX 4
/* What comes from the bundles, by its name; NULL behind the last. */
void trust_gaps(const struct trust_paths *paths, const char *out[TRUST_GAPS_MAX + 1]);
