/* SPDX-License-Identifier: Apache-2.0 */
/* Records and seals of a bundle: what is read is written as the same octets. */
#include <assert.h>

#include "lib/base/mem.h"
#include "lib/wire/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_records(struct bytes in)
{
    size_t count = 0;

    if (bundle_records_count(in, &count).code) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        AUTO(buf_done) struct buf again = { .max = RECORD_BYTES };
        struct bytes octets = bundle_record_at(in, i);
        struct record r;
        if (!record_parse(octets, &r).code) {
            err e = bundle_record_add(&again, &r);
            assert(!e.code && bytes_equal(octets, buf_bytes(&again)));
        }
    }
}

static void check_seals(struct bytes in)
{
    AUTO(buf_done) struct buf again = { .max = BUNDLE_SEALS_BYTES_MAX };
    AUTO(mem_givep) struct sealed_day *days = mem_take(8 * sizeof *days);
    size_t count = 0;

    err e = bundle_seals_parse(in, days, 8, &count);
    assert(count <= 8);
    for (size_t i = 0; i < count; i++) {
        err added = bundle_seal_add(&again, &days[i]);
        assert(!added.code);
    }
    assert(bytes_have_prefix(in, buf_bytes(&again)));
    assert(e.code || again.len == in.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, size };

    check_records(in);
    check_seals(in);
    return 0;
}
