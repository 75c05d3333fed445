/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a directory of their own, below $TMPDIR or /tmp, that is gone afterwards. */
#pragma once

#include <stdlib.h>

#include "lib/base/file.h"
#include "lib/base/test.h"

struct test_dir {
    char path[256];
};

static inline void test_dir_begin(struct test_dir *d)
{
    const char *base = getenv("TMPDIR");

    snprintf(d->path, sizeof d->path, "%s/meterseal-test-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(d->path));
}

static inline void test_dir_end(struct test_dir *d)
{
    file_remove_all(d->path);
}

/* A path in the directory; good until the 16th further call. */
static inline const char *test_dir_path(const struct test_dir *d, const char *name)
{
    static char paths[16][512];
    static unsigned next;
    char *at = paths[next++ % 16];

    snprintf(at, sizeof paths[0], "%s/%s", d->path, name);
    return at;
}
