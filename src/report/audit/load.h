/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's folder in memory. Only files of known names are opened, none through a link. */
#pragma once

#include "lib/base/buf.h"
#include "report/audit/audit.h"

struct loaded { /* a zeroed struct is empty; used again for the next bundle */
    struct buf octets[AUDIT_FILES];
    struct audit_files files;
};

/* An absent file is just absent. ERR_IO: cannot be read; ERR_LIMIT: larger than it may be;
 * ERR_PROTO: a link or no regular file. */
err bundle_load(const char *dir, struct loaded *out) MUST_USE;
void bundle_loaded_done(struct loaded *l);
