/* SPDX-License-Identifier: Apache-2.0 */
/* Files and directories as wholes: configuration, certificates, keys, bundles. */
#pragma once

#include <limits.h>

#include "lib/base/buf.h"

/* DIR/NAME. ERR_LIMIT when it is too long for the system. */
err file_join(const char *dir, const char *name, char out[PATH_MAX]) MUST_USE;

/* Appends the whole file; larger than out's bound is ERR_LIMIT, absent is ERR_MISSING. On
 * failure `out` is as before. */
err file_read(const char *path, struct buf *out) MUST_USE;
/* The same for a file that holds a secret: ERR_AUTH when others than its owner may use it. */
err file_read_private(const char *path, struct buf *out) MUST_USE;
/* Only the check, where others do the reading. */
err file_check_private(const char *path) MUST_USE;

/* Writes beside and renames, both synced: after a crash the old or the new content is there.
 * `mode` as in open(2), e.g. 0600 for anything secret. */
err file_write(const char *path, struct bytes content, unsigned mode) MUST_USE;

/* Makes a directory and what leads to it; present is fine. */
err file_make_dirs(const char *path, unsigned mode) MUST_USE;

/* Removes a directory with all that is in it, or a file; follows no link. What cannot be removed
 * stays. */
void file_remove_all(const char *path);
