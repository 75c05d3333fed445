/* SPDX-License-Identifier: Apache-2.0 */
#include "report/audit/audit.h"

#include "lib/base/mem.h"
#include "report/audit/inside.h"

static void audit_done(struct audit *a)
{
    mem_give(a->seals);
    mem_give(a->readings);
}

/* The classes in their order (docs/protocol.md 7.2). Only a bill that cannot be parsed ends it
 * early. */
static err audit_whole(struct audit *a)
{
    TRY(audit_seals_read(a));
    audit_keys(a);
    audit_chain(a);
    audit_previous(a);
    TRY(audit_readings_read(a));
    audit_readings(a);
    audit_roots(a);
    audit_registers(a);
    audit_estimates(a);
    audit_terms(a);
    TRY(audit_determinants(a));
    return OK;
}

err audit_bundle(const struct audit_files *files, const struct audit_options *options,
                 struct findings *out)
{
    AUTO(audit_done) struct audit a = { .files = files, .options = options, .out = out };

    audit_form(&a);
    audit_bill_signature(&a);
    if (!a.has_bill) {
        return OK;
    }
    if (options->level == AUDIT_L1) {
        TRY(audit_whole(&a));
    } else {
        audit_terms(&a);
    }
    audit_amounts(&a);
    if (options->level == AUDIT_L1) {
        audit_app(&a);
    }
    return OK;
}
