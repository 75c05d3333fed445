/* SPDX-License-Identifier: Apache-2.0 */
/* The entries of a directory, sorted, so that work over them comes in the same order everywhere.
 *
 *     AUTO(folder_done) struct folder f = { 0 };
 *     TRY(folder_read(dir, &f)); */
#pragma once

#include "lib/base/arena.h"

#define FOLDER_BYTES_MAX (64u << 20) /* of all names: a million meters in one folder */

struct folder {   /* zeroed before folder_read */
    char **names; /* owned, the texts by the arena; without "." and ".." */
    size_t count;
    size_t room;
    struct arena text;
};

/* ERR_MISSING: it is not there; ERR_PROTO: it is no directory; ERR_IO; ERR_LIMIT: too many names.
 */
err folder_read(const char *path, struct folder *out) MUST_USE;
void folder_done(struct folder *f);

bool folder_has(const struct folder *f, const char *name);
