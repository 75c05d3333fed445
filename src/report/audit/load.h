/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's folder in memory. Only files of known names are opened, none through a link. */
#pragma once

#include "lib/base/buf.h"
#include "lib/wire/bill.h"
#include "report/audit/audit.h"

struct loaded { /* a zeroed struct is empty; used again for the next bundle */
    struct buf octets[AUDIT_FILES];
    struct audit_files files;
};

/* An absent file is just absent. ERR_IO: cannot be read; ERR_LIMIT: larger than it may be;
 * ERR_PROTO: a link or no regular file. */
err bundle_load(const char *dir, struct loaded *out) MUST_USE;
void bundle_loaded_done(struct loaded *l);

/* Sixteen hex digits, as billing names bundles: the meter's id. */
bool bundle_is_named(const char *name);
/* E201 when the folder bears the id of another meter than its bill: a bundle that was put in the
 * place of another one would be clean. */
void bundle_name_check(const char *dir, const struct bill *b, struct findings *out);
