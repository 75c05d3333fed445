/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/record.h"

#include <string.h>

/* Bits 0..1 tell where the value is: 0 in the record, 1 in an object. */
enum record_flag { RECORD_OBJECT = 1, RECORD_EXPIRES = 4 };

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

size_t record_of_object(uint64_t rev, uint64_t expiry_s, const struct object_id *id, uint64_t len,
                        uint8_t out[RECORD_HEAD_BYTES_MAX + RECORD_OBJECT_BYTES])
{
    size_t head = record_head(rev, expiry_s, out);

    out[0] |= RECORD_OBJECT;
    memcpy(out + head, id->octets, OBJECT_ID_BYTES);
    store_u64(out + head + OBJECT_ID_BYTES, len);
    return head + RECORD_OBJECT_BYTES;
}

static err locator_read(struct bytes raw, struct kvs_record *r)
{
    if (raw.len != RECORD_OBJECT_BYTES) {
        FAIL(ERR_CORRUPT, "a stored locator has %zu octets", raw.len);
    }
    r->is_object = true;
    memcpy(r->object.octets, raw.ptr, OBJECT_ID_BYTES);
    r->value_len = load_u64(raw.ptr + OBJECT_ID_BYTES);
    return OK;
}

err record_read(struct bytes raw, struct kvs_record *out)
{
    struct kvs_record r = { 0 };
    unsigned flags = raw.len > 0 ? raw.ptr[0] : 0;
    size_t head = flags & RECORD_EXPIRES ? RECORD_HEAD_BYTES_MAX : 9;

    if (raw.len < head || (flags & ~(unsigned)(RECORD_EXPIRES | RECORD_OBJECT)) != 0) {
        FAIL(ERR_CORRUPT, "a stored record of %zu octets has no valid head", raw.len);
    }
    struct bytes rest = { raw.ptr + head, raw.len - head };
    r.rev = load_u64(raw.ptr + 1);
    r.expiry_s = head > 9 ? load_u64(raw.ptr + 9) : 0;
    if (flags & RECORD_OBJECT) {
        TRY(locator_read(rest, &r));
    } else {
        r.value = rest;
        r.value_len = rest.len;
    }
    *out = r;
    return OK;
}

bool record_expired(const struct kvs_record *r, uint64_t now_s)
{
    return r->expiry_s > 0 && r->expiry_s <= now_s;
}
