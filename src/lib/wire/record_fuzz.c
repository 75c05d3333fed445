/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "lib/wire/nbr.h"
#include "lib/wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly one encoding exists for each record and each report. */
static void check_record(struct bytes in)
{
    struct record r;
    uint8_t again[RECORD_BYTES];

    if (!record_parse(in, &r).code) {
        record_encode(&r, again);
        assert(memcmp(again, in.ptr, sizeof again) == 0);
    }
}

static void check_report(struct bytes in)
{
    struct report r;
    uint8_t again[NBR_RESPONSE_BYTES];

    if (!report_parse(in, &r).code) {
        report_encode(&r, again);
        assert(memcmp(again, in.ptr, sizeof again) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, size };
    uint8_t block[NBR_RESPONSE_BYTES] = { 0 };

    check_record(in);
    check_report(in);
    memcpy(block, data, size < sizeof block ? size : sizeof block);
    nbr_crc_set(block, sizeof block);
    check_report(BYTES_OF(block));
    return 0;
}
