/* SPDX-License-Identifier: Apache-2.0 */
/* What the audit says of many bundles: one JSON document, or lines for people. */
#pragma once

#include "report/audit/finding.h"

struct verdict {
    bool json;
    uint64_t bundles;
    uint64_t clean;
    uint64_t unfinished;    /* bundles that could not be read */
    struct findings totals; /* counts only */
    struct buf out;         /* findings so far; JSON: the inside of the array */
};
void verdict_init(struct verdict *v, bool json);
void verdict_done(struct verdict *v);

/* Adds the findings of one bundle. */
err verdict_add(struct verdict *v, const char *bundle, const struct findings *f) MUST_USE;
/* A bundle that could not be read: the newest error's text. */
err verdict_unfinished(struct verdict *v, const char *bundle) MUST_USE;
/* The whole document. */
err verdict_finish(struct verdict *v, struct buf *out) MUST_USE;
/* Exit status: the highest class of findings, 1 when only a bundle could not be read, 0. */
int verdict_exit(const struct verdict *v);
