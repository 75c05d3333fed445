/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/kvs_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct key zero_key = { .size = 32 };

/* Exactly one encoding exists for each edit. */
static void check_ops(struct bytes in)
{
    struct buf again = { .max = 1 << 20 };
    struct bytes rest = in;
    struct kvs_edit edit;

    while (rest.len > 0 && !kvs_edit_take(&rest, &edit).code) {
        assert(!kvs_edit_encode(&edit, &again).code);
    }
    assert(again.len == in.len - rest.len);
    assert(again.len == 0 || memcmp(again.ptr, in.ptr, again.len) == 0);
    buf_done(&again);
}

static void check_entry(struct bytes in)
{
    struct buf again = { .max = 4096 };
    struct bytes rest = in;
    struct kvs_file_entry e;

    if (!kvs_file_entry_decode(&rest, &e).code) {
        assert(!kvs_file_entry_encode(&e, &again).code);
        assert(again.len == in.len - rest.len && memcmp(again.ptr, in.ptr, again.len) == 0);
    }
    buf_done(&again);
}

static void check_frame(struct aead *a, struct bytes in)
{
    struct digest chain = { { 0 } };
    struct kvs_frame f;

    if (kvs_frame_parse(in, &f).code) {
        return;
    }
    assert(f.padded_len % KVS_FRAME_ALIGN == 0 && f.plain_len < f.padded_len);
    uint8_t *plain = malloc(f.plain_len + 1);
    (void)kvs_frame_open(a, &zero_key, &f, in, &chain, plain).code;
    free(plain);
}

static void check_head(struct bytes in)
{
    static struct kvs_head h;
    struct buf again = { .max = 1 << 16 };

    if (!kvs_head_parse(in, &h).code) {
        assert(!kvs_head_encode(&h, &again).code);
        assert(again.len == in.len && memcmp(again.ptr, in.ptr, in.len) == 0);
    }
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, size };
    struct aead *a;
    struct kvs_foot foot;
    struct kvs_root root;
    struct kvs_anchor anchor;

    if (aead_new(&a).code) {
        return 0;
    }
    check_ops(in);
    check_entry(in);
    check_frame(a, in);
    check_head(in);
    if (!kvs_foot_parse(in, &foot).code) {
        assert(foot.index < kvs_spread_count(&foot.spread));
        (void)kvs_foot_check(a, &zero_key, in).code;
    }
    (void)kvs_root_peek(in, &root).code;
    (void)kvs_root_open(a, &zero_key, in, &root).code;
    (void)kvs_anchor_open(&zero_key, in, &anchor).code;
    aead_free(a);
    return 0;
}
