/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets: what a reader accepts, the builders make again octet for octet. */
#include <assert.h>

#include "lib/wire/kvs_api.h"

#define COPY_BYTES_MAX (32u << 20)

static void check_same(struct bytes in, struct buf *copy)
{
    assert(bytes_equal(in, buf_bytes(copy)));
    buf_done(copy);
}

static void batch_again(struct bytes in)
{
    struct buf copy = { .max = COPY_BYTES_MAX };
    struct kvs_msb msb;
    struct kvs_op op;
    uint32_t index;

    if (kvs_msb_read(in, &msb, &index).code) {
        return;
    }
    assert(!kvs_msb_begin(&copy, msb.spaces, msb.space_count).code);
    for (uint32_t i = 0; i < msb.count; i++) {
        assert(!kvs_msb_op_take(&msb.ops, msb.space_count, &op).code);
        assert(!kvs_msb_op(&copy, &op).code);
    }
    kvs_msb_finish(&copy, msb.count);
    check_same(in, &copy);
}

static void answer_again(struct bytes in)
{
    struct buf copy = { .max = COPY_BYTES_MAX };
    struct kvs_msr msr;
    struct kvs_result r;

    if (kvs_msr_read(in, &msr).code) {
        return;
    }
    assert(!kvs_msr_begin(&copy).code);
    for (uint32_t i = 0; i < msr.count; i++) {
        assert(!kvs_result_take(&msr.results, &r).code);
        assert(!kvs_msr_result(&copy, &r).code);
    }
    kvs_msr_finish(&copy, msr.status, msr.rev, msr.count);
    check_same(in, &copy);
}

static void page_again(struct bytes in)
{
    struct buf copy = { .max = COPY_BYTES_MAX };
    struct kvs_msp msp;
    struct kvs_entry e;

    if (kvs_msp_read(in, &msp).code) {
        return;
    }
    assert(!kvs_msp_begin(&copy).code);
    for (uint32_t i = 0; i < msp.count; i++) {
        assert(!kvs_entry_take(&msp.entries, &e).code);
        assert(!kvs_msp_entry(&copy, &e).code);
    }
    assert(!kvs_msp_finish(&copy, &msp).code);
    check_same(in, &copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, size };

    batch_again(in);
    answer_again(in);
    page_again(in);
    return 0;
}
