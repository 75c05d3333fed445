/* SPDX-License-Identifier: Apache-2.0 */
/* Whole small files: configuration, certificates, keys, bundles. */
#pragma once

#include "lib/base/buf.h"

/* Appends the whole file; larger than out's bound is ERR_LIMIT, absent is ERR_MISSING. On
 * failure `out` is as before. */
err file_read(const char *path, struct buf *out) MUST_USE;

/* Writes beside and renames, both synced: after a crash the old or the new content is there.
 * `mode` as in open(2), e.g. 0600 for anything secret. */
err file_write(const char *path, struct bytes content, unsigned mode) MUST_USE;

/* Makes a directory and what leads to it; present is fine. */
err file_make_dirs(const char *path, unsigned mode) MUST_USE;
