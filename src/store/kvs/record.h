/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind a user's key in RocksDB (docs/storage.md, "Record"): flags u8, rev u64,
 * [expiry_s u64], then the value, or (object id[16], length u64) of a large one beside RocksDB. */
#pragma once

#include "lib/base/bytes.h"

#define RECORD_HEAD_BYTES_MAX 17
#define OBJECT_ID_BYTES 16
#define RECORD_OBJECT_BYTES (OBJECT_ID_BYTES + 8)

struct object_id {
    uint8_t octets[OBJECT_ID_BYTES]; /* random, never given again */
};

struct kvs_record {
    uint64_t rev;
    uint64_t expiry_s; /* UTC; 0 = never */
    bool is_object;
    struct object_id object;
    uint64_t value_len;
    struct bytes value; /* borrowed; empty for an object until it is read */
};

/* Writes what stands in front of the value and returns its size. */
size_t record_head(uint64_t rev, uint64_t expiry_s, uint8_t out[RECORD_HEAD_BYTES_MAX]);
/* The whole record of an object. */
size_t record_of_object(uint64_t rev, uint64_t expiry_s, const struct object_id *id, uint64_t len,
                        uint8_t out[RECORD_HEAD_BYTES_MAX + RECORD_OBJECT_BYTES]);

/* ERR_CORRUPT: no record of ours. Borrows from `raw`. */
err record_read(struct bytes raw, struct kvs_record *out) MUST_USE;
bool record_expired(const struct kvs_record *r, uint64_t now_s);
