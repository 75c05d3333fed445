/* SPDX-License-Identifier: Apache-2.0 */
/* A streaming JSON writer (RFC 8259): begin, key, value, end. No allocation of its own; nesting and
 * commas are its business, balance is asserted. Whoever needs canonical octets writes keys sorted:
 * see lib/wire/canon.h. The prefix keeps clear of jansson's names. */
#pragma once

#include "lib/base/buf.h"

#define JSON_DEPTH_MAX 32

struct json_writer {
    struct buf *out;
    uint8_t depth;
    uint32_t in_object; /* bit per depth */
    uint32_t has_item;  /* bit per depth */
    bool after_key;
    err first_error; /* the bound of `out` was crossed: later calls do nothing */
};

void json_write_begin(struct json_writer *w, struct buf *out);
void json_write_object(struct json_writer *w);
void json_write_object_end(struct json_writer *w);
void json_write_array(struct json_writer *w);
void json_write_array_end(struct json_writer *w);
void json_write_key(struct json_writer *w, const char *key);
/* Escaped as the canonical form says; octets that are not UTF-8 make the first error ERR_PROTO. */
void json_write_text(struct json_writer *w, struct bytes utf8);
void json_write_string(struct json_writer *w, const char *s);
void json_write_int(struct json_writer *w, int64_t v);
void json_write_uint(struct json_writer *w, uint64_t v);
/* Shortest that reads back; NaN and infinity become null. */
void json_write_number(struct json_writer *w, double v);
void json_write_bool(struct json_writer *w, bool v);
void json_write_null(struct json_writer *w);
/* The first error, or OK when everything fit. Asserts that all is closed. */
err json_write_finish(struct json_writer *w) MUST_USE;
