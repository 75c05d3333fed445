/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a JSON batch: what is accepted is a batch that the binary reader accepts too. */
#include <assert.h>

#include "store/kvs/batch_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_done) struct buf out = { .max = KVS_BATCH_BYTES_MAX };
    struct kvs_msb msb;
    uint32_t op;

    if (!batch_json_read((struct bytes){ data, size }, 1u << 16, &out, &op).code) {
        assert(!kvs_msb_read(buf_bytes(&out), &msb, &op).code);
        assert(op == msb.count);
    }
    return 0;
}
