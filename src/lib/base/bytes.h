/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed view of octets, and a bounds-checked cursor over it.
 *
 * Each read takes from the front of `in`. A short input is ERR_PROTO and leaves `in` and `out` as
 * they were. Nothing here allocates. Layouts of this project are big-endian; the `_le` forms serve
 * formats of others (PostgreSQL-like rows, NBR 14522 floats, TPM and SGX structures). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

struct bytes {
    const uint8_t *ptr; /* borrowed */
    size_t len;
};

/* A view of a string literal or of an array, without its terminating NUL. */
#define BYTES_LIT(s) ((struct bytes){ (const uint8_t *)(s), sizeof(s) - 1 })
#define BYTES_OF(array) ((struct bytes){ (const uint8_t *)(array), sizeof(array) })

struct bytes bytes_of_string(const char *s);
bool bytes_equal(struct bytes a, struct bytes b);  /* not for secrets: see lib/crypto/secret.h */
int bytes_compare(struct bytes a, struct bytes b); /* as memcmp; a proper prefix sorts first */
bool bytes_have_prefix(struct bytes whole, struct bytes prefix);

/* What stands before the next `mark`, taken off the front with it; all of `in` when there is none.
 * For lines and fields of texts; borrows from `in`. */
struct bytes bytes_cut(struct bytes *in, char mark);

err bytes_read(struct bytes *in, size_t len, struct bytes *out) MUST_USE; /* borrows from `in` */
err bytes_read_copy(struct bytes *in, void *out, size_t len) MUST_USE;
err bytes_read_u8(struct bytes *in, uint8_t *out) MUST_USE;
err bytes_read_u16(struct bytes *in, uint16_t *out) MUST_USE;
err bytes_read_u32(struct bytes *in, uint32_t *out) MUST_USE;
err bytes_read_u64(struct bytes *in, uint64_t *out) MUST_USE;
err bytes_read_u16_le(struct bytes *in, uint16_t *out) MUST_USE;
err bytes_read_u32_le(struct bytes *in, uint32_t *out) MUST_USE;
err bytes_read_u64_le(struct bytes *in, uint64_t *out) MUST_USE;

/* Stores and loads at an address that has room; the caller has checked it. */
void store_u16(uint8_t *at, uint16_t v);
void store_u32(uint8_t *at, uint32_t v);
void store_u64(uint8_t *at, uint64_t v);
void store_u16_le(uint8_t *at, uint16_t v);
void store_u32_le(uint8_t *at, uint32_t v);
void store_u64_le(uint8_t *at, uint64_t v);
uint16_t load_u16(const uint8_t *at);
uint32_t load_u32(const uint8_t *at);
uint64_t load_u64(const uint8_t *at);
uint16_t load_u16_le(const uint8_t *at);
uint32_t load_u32_le(const uint8_t *at);
uint64_t load_u64_le(const uint8_t *at);

/* Lower-case hex. `out` has 2 * in.len + 1 octets and ends in NUL. */
void hex_encode(struct bytes in, char *out);
/* Exactly `size` octets from 2 * size hex digits of either case; anything else is ERR_PROTO. */
err hex_decode(struct bytes in, uint8_t *out, size_t size) MUST_USE;

/* A decimal number without sign, leading zeros or anything else, at most `max`. ERR_PROTO,
 * ERR_LIMIT. */
err decimal_parse(struct bytes in, uint64_t max, uint64_t *out) MUST_USE;
