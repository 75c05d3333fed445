/* SPDX-License-Identifier: Apache-2.0 */
/* base64url without padding (RFC 4648 section 5): keys, values and tokens inside JSON and URLs.
 *
 * Exactly one spelling of each octet string is accepted: no padding, no blanks, no other alphabet,
 * and the unused low bits of the last digit are zero. Not for secrets that must not leak by timing:
 * the tables are indexed by the text. */
#pragma once

#include "lib/base/buf.h"

#define BASE64_CHARS(octets) (((octets) * 4 + 2) / 3)

/* Appends the digits of `in`. ERR_LIMIT as of the buffer. */
err base64_encode(struct bytes in, struct buf *out) MUST_USE;

/* Appends the octets that `text` spells. ERR_PROTO, and `out` keeps its length. */
err base64_decode(struct bytes text, struct buf *out) MUST_USE;
