/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a directory that goes away, and volumes in it. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/test.h"
#include "store/kvs/volume.h"
#include "store/kvs/volume_dir.h"

#define FIXTURE_SEGMENT_BYTES (256u << 10)

struct fixture_dir {
    char base[256];   /* removed at the end */
    char data[300];   /* the volume's directory */
    char anchor[300]; /* outside of it */
};

static inline void fixture_dir_make(struct fixture_dir *d)
{
    snprintf(d->base, sizeof d->base, "%s/volume.XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(d->base));
    snprintf(d->data, sizeof d->data, "%s/data", d->base);
    snprintf(d->anchor, sizeof d->anchor, "%s/anchor", d->base);
}

static inline struct volume_config fixture_config(void)
{
    struct volume_config c = { .segment_bytes = FIXTURE_SEGMENT_BYTES, .create = true, .shard = 1 };

    c.root_key.size = 32;
    for (size_t i = 0; i < 32; i++) {
        c.root_key.octets[i] = (uint8_t)i;
    }
    return c;
}

static inline err fixture_dir_open(const char *path, const char *anchor, struct volume_dir **out)
{
    const struct volume_dir_config c = { .path = path, .anchor_path = anchor,
                                         .segment_bytes = FIXTURE_SEGMENT_BYTES };

    return volume_dir_open(&c, out);
}

/* One small file, durable. */
static inline void fixture_write(struct volume *v, const char *path, enum volume_kind kind,
                                 struct bytes content)
{
    struct volume_file *f;

    assert_ok(volume_create(v, path, kind, &f));
    assert_ok(volume_append(f, content));
    assert_ok(volume_sync(f));
    volume_file_free(f);
    assert_ok(volume_commit(v));
}

/* The whole file; the caller frees. */
static inline err fixture_read(struct volume *v, const char *path, uint8_t **out, size_t *out_len)
{
    struct volume_reader *r;

    TRY(volume_reader_open(v, path, &r));
    size_t size = (size_t)volume_reader_size(r);
    uint8_t *octets = malloc(size + 1);
    struct volume_range range = { .out = octets, .size = size + 1 };
    err e = volume_read(r, &range, 1);
    volume_reader_free(r);
    if (e.code || range.got != size) {
        free(octets);
        return e.code ? e : (err){ ERR_IO };
    }
    *out = octets;
    *out_len = size;
    return OK;
}

static inline void fixture_expect(struct volume *v, const char *path, struct bytes content)
{
    uint8_t *octets = NULL;
    size_t len = 0;

    assert_ok(fixture_read(v, path, &octets, &len));
    assert_int_equal(len, content.len);
    assert_memory_equal(octets, content.ptr, len);
    free(octets);
}
