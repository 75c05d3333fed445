/* SPDX-License-Identifier: Apache-2.0 */
/* A growing row of octets with a bound: what is written to sockets, files and hashes is built here.
 *
 *     AUTO(buf_done) struct buf b = { .max = FRAME_BYTES_MAX };
 *     TRY(buf_u32(&b, id));
 *
 * A zeroed struct with `max` set is an empty buffer. Crossing `max` is ERR_LIMIT and leaves the
 * buffer as it was. */
#pragma once

#include "lib/base/bytes.h"

struct buf {
    uint8_t *ptr; /* owned */
    size_t len;
    size_t cap;
    size_t max; /* never more than this many octets */
};

void buf_done(struct buf *b); /* frees; the struct is empty again and keeps `max` */
void buf_wipe(struct buf *b); /* as buf_done, and zeroes first: for private keys and the like, which
                               * also want buf_reserve before, as growing leaves a copy behind */
void buf_clear(struct buf *b); /* forgets the octets, keeps the memory */
struct bytes buf_bytes(const struct buf *b);

err buf_reserve(struct buf *b, size_t more) MUST_USE; /* room for `more` octets behind len */
err buf_append(struct buf *b, struct bytes octets) MUST_USE;
err buf_u8(struct buf *b, uint8_t v) MUST_USE;
err buf_u16(struct buf *b, uint16_t v) MUST_USE;
err buf_u32(struct buf *b, uint32_t v) MUST_USE;
err buf_u64(struct buf *b, uint64_t v) MUST_USE;
err buf_string(struct buf *b, const char *s) MUST_USE; /* without its NUL */
err buf_printf(struct buf *b, const char *fmt, ...) MUST_USE __attribute__((format(printf, 2, 3)));

/* Drops `count` octets from the front; the rest moves there. */
void buf_consume(struct buf *b, size_t count);

/* Gives the octets back to the allocator when the buffer is empty: idle connections keep nothing.
 */
void buf_shrink(struct buf *b);
