/* SPDX-License-Identifier: Apache-2.0 */
/* The binary bodies of the key-value store's REST interface (docs/protocol.md, 5):
 *
 *     MSB1  a batch: put, delete, check, get         POST /v1/batch, KVS_BATCH_TYPE
 *     MSR1  what became of each operation            its answer
 *     MSP1  keys of a range in order                 GET /v1/kv/{space}, KVS_PAGE_TYPE
 *
 * Readers check a whole body before anything of it is used; then the `take` functions cannot fail
 * on it. Views borrow from the body. Integers are big-endian. */
#pragma once

#include "lib/base/buf.h"

#define KVS_KEY_BYTES_MAX 1024
#define KVS_VALUE_BYTES_MAX (64u << 20)
#define KVS_BATCH_BYTES_MAX (16u << 20)
#define KVS_BATCH_OPS_MAX 100000
#define KVS_BATCH_SPACES_MAX 16
#define KVS_SPACE_CHARS_MAX 63
#define KVS_PAGE_KEYS_MAX 10000
#define KVS_TTL_S_MAX (UINT64_C(10) * 366 * 86400)

#define KVS_HANDLE_CHARS 16 /* of a snapshot's handle in a header or path: hex, lower case */

#define KVS_BATCH_TYPE "application/x-meterseal-batch"
#define KVS_ANSWER_TYPE "application/x-meterseal-answer"
#define KVS_PAGE_TYPE "application/x-meterseal-page"

/* [a-z0-9][a-z0-9._-]{0,62} */
bool kvs_space_name_valid(struct bytes name);

enum kvs_op_type { KVS_PUT = 1, KVS_DELETE = 2, KVS_CHECK = 3, KVS_GET = 4 };
enum kvs_expect { KVS_ANY, KVS_ABSENT, KVS_REV };

struct kvs_op {
    enum kvs_op_type type;
    enum kvs_expect expect; /* a check expects something, a get nothing */
    uint8_t space;          /* index into the spaces of the batch */
    uint64_t rev;           /* with KVS_REV */
    uint64_t ttl_s;         /* of a put; 0 = does not expire */
    struct bytes key;
    struct bytes value; /* of a put, else empty */
};

struct kvs_msb {
    uint32_t flags; /* none is defined for callers yet: 0 */
    uint8_t space_count;
    struct bytes spaces[KVS_BATCH_SPACES_MAX];
    uint32_t count;
    struct bytes ops; /* see kvs_msb_op_take */
};

/* Building a batch: begin, then each op, then finish with their count. */
err kvs_msb_begin(struct buf *out, const struct bytes *spaces, uint8_t space_count) MUST_USE;
err kvs_msb_op(struct buf *out, const struct kvs_op *op) MUST_USE;
void kvs_msb_finish(struct buf *out, uint32_t count);

/* Reads and checks a whole batch. ERR_PROTO names what is wrong; `out_op`, always set, is the index
 * of the operation that is wrong, or the count of those that were good. A key that occurs twice is
 * left to the one who applies the batch. */
err kvs_msb_read(struct bytes in, struct kvs_msb *out, uint32_t *out_op) MUST_USE;
err kvs_msb_op_take(struct bytes *ops, uint8_t space_count, struct kvs_op *out) MUST_USE;

enum kvs_result_status { KVS_DONE = 0, KVS_IS_ABSENT = 1, KVS_FAILED = 2 };

struct kvs_result {
    uint8_t status;     /* 0 done or found, 1 absent, 2 condition failed */
    uint64_t rev;       /* of the key: new, found, or in the way; 0 = absent or not yours to know */
    struct bytes value; /* of a get; of a failed condition the index of its operation as u32 */
};

struct kvs_msr {
    uint16_t status; /* of HTTP: 200, or 412 with the first 16 failed conditions as results */
    uint64_t rev;
    uint32_t count;
    struct bytes results; /* see kvs_result_take */
};
#define KVS_FAILURES_MAX 16

err kvs_msr_begin(struct buf *out) MUST_USE;
err kvs_msr_result(struct buf *out, const struct kvs_result *r) MUST_USE;
void kvs_msr_finish(struct buf *out, uint16_t status, uint64_t rev, uint32_t count);
err kvs_msr_read(struct bytes in, struct kvs_msr *out) MUST_USE;
err kvs_result_take(struct bytes *results, struct kvs_result *out) MUST_USE;

struct kvs_entry {
    struct bytes key;
    struct bytes value;
    uint64_t rev;
};

struct kvs_msp {
    bool more;
    uint32_t count;
    uint64_t rev;         /* of the snapshot */
    struct bytes entries; /* see kvs_entry_take */
    struct bytes next;    /* where the next page starts (its end, in reverse); empty without more */
    uint64_t snapshot;    /* handle under which further pages see the same; 0 = none */
};

err kvs_msp_begin(struct buf *out) MUST_USE;
err kvs_msp_entry(struct buf *out, const struct kvs_entry *e) MUST_USE;
/* Count, rev, next and snapshot of `tail`; more follows where there is a next key. */
err kvs_msp_finish(struct buf *out, const struct kvs_msp *tail) MUST_USE;
err kvs_msp_read(struct bytes in, struct kvs_msp *out) MUST_USE;
err kvs_entry_take(struct bytes *entries, struct kvs_entry *out) MUST_USE;
