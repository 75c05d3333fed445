/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/record.h"

/* Bits 0..1 tell where the value is: 0 in the record. */
enum record_flag { RECORD_EXPIRES = 4 };

size_t record_head(uint64_t rev, uint64_t expiry_s, uint8_t out[RECORD_HEAD_BYTES_MAX])
{
    out[0] = expiry_s > 0 ? RECORD_EXPIRES : 0;
    store_u64(out + 1, rev);
    if (expiry_s == 0) {
        return 9;
    }
    store_u64(out + 9, expiry_s);
    return RECORD_HEAD_BYTES_MAX;
}

err record_read(struct bytes raw, struct kvs_record *out)
{
    struct kvs_record r = { 0 };
    size_t head = raw.len > 0 && raw.ptr[0] == RECORD_EXPIRES ? RECORD_HEAD_BYTES_MAX : 9;

    if (raw.len < head || (raw.ptr[0] & ~(unsigned)RECORD_EXPIRES) != 0) {
        FAIL(ERR_CORRUPT, "a stored record of %zu octets has no valid head", raw.len);
    }
    r.rev = load_u64(raw.ptr + 1);
    r.expiry_s = head > 9 ? load_u64(raw.ptr + 9) : 0;
    r.value = (struct bytes){ raw.ptr + head, raw.len - head };
    *out = r;
    return OK;
}

bool record_expired(const struct kvs_record *r, uint64_t now_s)
{
    return r->expiry_s > 0 && r->expiry_s <= now_s;
}
