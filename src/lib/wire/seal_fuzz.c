/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "lib/wire/nbr.h"
#include "lib/wire/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_stored(struct bytes in)
{
    AUTO(buf_done) struct buf again = { .max = SEAL_STORED_BYTES_MAX };
    const uint8_t *start = in.ptr;
    struct sealed_day d;

    if (!sealed_day_parse(&in, &d).code) {
        err e = sealed_day_encode(&d, &again);
        assert(!e.code && again.len == (size_t)(in.ptr - start));
        assert(memcmp(again.ptr, start, again.len) == 0);
        (void)e;
    }
}

/* The input as a row of blocks, CRC mended: whatever comes out whole has the parts it says. */
static void check_parts(struct bytes in)
{
    struct seal_parts parts = { 0 };

    while (in.len > 0) {
        uint8_t block[NBR_RESPONSE_BYTES] = { 0 };
        size_t n = in.len < sizeof block ? in.len : sizeof block;
        struct sealed_day d;
        bool whole = false;
        memcpy(block, in.ptr, n);
        nbr_crc_set(block, sizeof block);
        if (!seal_parts_add(&parts, BYTES_OF(block), &whole, &d).code && whole) {
            assert(seal_part_count(&d) <= SEAL_PARTS_MAX);
            assert(d.signature.size <= SIGNATURE_BYTES_MAX && parts.have == 0);
        }
        in.ptr += n;
        in.len -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, size };

    check_stored(in);
    check_parts(in);
    return 0;
}
