/* SPDX-License-Identifier: Apache-2.0 */
/* The daily seal: a meter's signed statement over all records of one civil day (docs/protocol.md
 * 2.3).
 *
 * Body 128 octets; stored form = body, signature length u16, signature. Signed and hashed is
 * "meterseal.seal.v1" 00 body, so the hash does not depend on the signature. */
#pragma once

#include "lib/crypto/merkle.h"
#include "lib/crypto/sign.h"

#define SEAL_BODY_BYTES 128
#define SEAL_STORED_BYTES_MAX (SEAL_BODY_BYTES + 2 + SIGNATURE_BYTES_MAX)

#define SEAL_FIRST 0x0001 /* first seal of the meter: previous is zero */
#define SEAL_LAST 0x0002  /* last seal: meter or key is replaced */
#define SEAL_LATE 0x0004  /* made late, the clock was unset */

struct seal {
    uint8_t alg; /* enum sign_alg */
    uint16_t flags;
    uint32_t key_epoch;
    uint64_t meter;
    uint32_t start_s; /* the day holds records with end in (start_s, end_s] */
    uint32_t end_s;
    uint32_t first; /* first and last sequence; an empty day has last = first - 1 */
    uint32_t last;
    uint32_t count; /* below last - first + 1: the meter admits a hole */
    uint64_t e_act; /* registers at the end of the day */
    uint64_t e_ind;
    uint64_t e_cap;
    struct digest root;
    struct digest previous; /* hash of the seal before */
};

struct sealed_day {
    struct seal seal;
    struct signature signature;
};

void seal_encode(const struct seal *s, uint8_t out[SEAL_BODY_BYTES]);
err seal_parse(struct bytes body, struct seal *out) MUST_USE;
struct digest seal_hash(const struct seal *s);

err seal_sign(const struct seal *s, const struct private_key *k, struct sealed_day *out) MUST_USE;
err seal_verify(const struct sealed_day *d, const struct public_key *k) MUST_USE; /* ERR_AUTH */

/* Stored form, as rows, bundles and transport carry it. Parse takes one from the front of `in`. */
err sealed_day_encode(const struct sealed_day *d, struct buf *out) MUST_USE;
err sealed_day_parse(struct bytes *in, struct sealed_day *out) MUST_USE;

/* Transport in RESPONSE blocks 0xE2 / 0xA7: part 0 has the body and the first 119 octets of the
 * signature, parts 1 and 2 up to 249 further octets each. */
#define SEAL_PARTS_MAX 3
size_t seal_part_count(const struct sealed_day *d);
void seal_part_encode(const struct sealed_day *d, size_t part, uint8_t *out_block);

/* Collects the parts of one seal; parts may come in any order and repeat. Zeroed = empty. */
struct seal_parts {
    uint8_t body[SEAL_BODY_BYTES];
    uint8_t signature[SEAL_PARTS_MAX * 249];
    uint16_t size;
    uint8_t have; /* bit per part */
};
/* Adds a whole RESPONSE block of 258 octets, CRC checked; sets *whole when all parts are there,
 * then `out` is filled. Parts 1 and 2 carry no identity of their own: a part 0 of another seal
 * starts anew. */
err seal_parts_add(struct seal_parts *p, struct bytes block, bool *whole, struct sealed_day *out)
    MUST_USE;

/* Readings root of a period: the tree over the seal bodies in day order (docs/protocol.md 7.1). */
struct digest seals_root(const struct seal *seals, size_t count);
