/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind a user's key in RocksDB (docs/storage.md, "Record"): flags u8, rev u64,
 * [expiry_s u64], octets. */
#pragma once

#include "lib/base/bytes.h"

#define RECORD_HEAD_BYTES_MAX 17

struct kvs_record {
    uint64_t rev;
    uint64_t expiry_s;  /* UTC; 0 = never */
    struct bytes value; /* borrowed */
};

/* Writes what stands in front of the value and returns its size. */
size_t record_head(uint64_t rev, uint64_t expiry_s, uint8_t out[RECORD_HEAD_BYTES_MAX]);

/* ERR_CORRUPT: no record of ours. Borrows from `raw`. */
err record_read(struct bytes raw, struct kvs_record *out) MUST_USE;
bool record_expired(const struct kvs_record *r, uint64_t now_s);
