/* SPDX-License-Identifier: Apache-2.0 */
/* What the audit says of many bundles: one JSON document, or lines for people. */
#pragma once

#include "lib/wire/bill.h"
#include "report/audit/finding.h"
#include "report/audit/trust.h"

struct verdict {
    bool json;
    uint64_t bundles;
    uint64_t clean;
    uint64_t unfinished;    /* bundles that could not be read */
    struct findings totals; /* counts only */
    struct buf out;         /* findings so far; JSON: the inside of the array */
    /* What the auditor did not give, so that the bundles' own was taken; NULL behind the last. A
     * clean verdict is worth as much as what it rests on. */
    const char *from_bundles[TRUST_GAPS_MAX + 1];
    struct buf bills; /* which bills these were; JSON likewise */
};
void verdict_init(struct verdict *v, bool json);
void verdict_done(struct verdict *v);

/* Adds the findings of one bundle, and says which bill they are about: a verdict that names none
 * could be shown for any. `text` is the bill's file; what is no bill has findings that say so. */
err verdict_add(struct verdict *v, const char *bundle, struct bytes text,
                const struct findings *f) MUST_USE;
/* A bundle that could not be read: the newest error's text. */
err verdict_unfinished(struct verdict *v, const char *bundle) MUST_USE;
/* The whole document. */
err verdict_finish(struct verdict *v, struct buf *out) MUST_USE;
/* Exit status: the highest class of findings, 1 when only a bundle could not be read, 0. */
int verdict_exit(const struct verdict *v);
