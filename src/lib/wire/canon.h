/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical JSON: documents whose octets are hashed (RFC 8785, narrowed by docs/protocol.md 7).
 *
 * No floating-point numbers; integers within 2^53 - 1; keys printable ASCII, sorted by octet, each
 * once; the shortest escapes; no white space; at most 1 MiB and depth 16. One value has one text.
 */
#pragma once

#include "lib/base/buf.h"
#include "lib/crypto/hash.h"
#include "lib/wire/json_read.h"
#include "lib/wire/json_write.h"

#define CANON_BYTES_MAX (1u << 20)
#define CANON_DEPTH_MAX 16
#define CANON_INT_MAX INT64_C(9007199254740991)

/* Appends the canonical octets of a value. ERR_PROTO: a real number, an integer out of range, a key
 * that is not ASCII. ERR_LIMIT: too deep, or `out` is full. */
err canon_write(const json_t *value, struct buf *out) MUST_USE;

/* Reads a document and proves that its octets are canonical by writing it again. ERR_PROTO and
 * ERR_LIMIT: no such document; ERR_CORRUPT: good JSON in another spelling. Gives: json_decref. */
err canon_read(struct bytes text, json_t **out) MUST_USE;

/* For readers of documents: all of `keys` (ended by NULL) and no other. ERR_PROTO names the key. */
err canon_fields(const json_t *object, const char *const *keys) MUST_USE;
err canon_field_bool(const json_t *object, const char *key, bool *out) MUST_USE;
err canon_field_digest(const json_t *object, const char *key, struct digest *out) MUST_USE;
/* A text of 1 to size - 1 octets without control characters, copied with its NUL. */
err canon_field_string(const json_t *object, const char *key, char *out, size_t size) MUST_USE;
/* A decimal in its canonical text (lib/wire/fixed.h) between min and max. */
err canon_field_fixed(const json_t *object, const char *key, unsigned decimals, unsigned keep,
                      int64_t min, int64_t max, int64_t *out) MUST_USE;
/* A civil day "YYYY-MM-DD" as days since 1970-01-01. */
err canon_field_day(const json_t *object, const char *key, int32_t *out) MUST_USE;

/* For writers: the same forms. */
void canon_digest(struct json_writer *w, const char *key, const struct digest *d);
void canon_string(struct json_writer *w, const char *key, const char *text);
void canon_int(struct json_writer *w, const char *key, int64_t v);
void canon_bool(struct json_writer *w, const char *key, bool v);
void canon_fixed(struct json_writer *w, const char *key, int64_t v, unsigned decimals,
                 unsigned keep);
void canon_day(struct json_writer *w, const char *key, int32_t day);

#define CANON_DAY_BYTES 11
void canon_day_text(int32_t day, char out[CANON_DAY_BYTES]);
err canon_day_parse(struct bytes text, int32_t *out) MUST_USE;
