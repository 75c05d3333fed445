/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside, by jansson behind our bounds: size by the route, depth by our scan, duplicate
 * keys refused. Accessors return errors that name the field. */
#pragma once

#include <jansson.h>

#include "lib/base/bytes.h"

/* Gives a document that the caller frees with json_decref. ERR_LIMIT: larger or deeper than
 * allowed; ERR_PROTO: not JSON, with the position. */
err json_read(struct bytes text, size_t size_max, unsigned depth_max, json_t **out) MUST_USE;
void json_freep(json_t **doc);

/* Fields of an object; absent is ERR_MISSING, of another type ERR_PROTO, both naming the field. What
 * comes out borrows from it. */
err json_field_int(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out)
    MUST_USE;
err json_field_text(const json_t *object, const char *key, struct bytes *out) MUST_USE;
err json_field_array(const json_t *object, const char *key, json_t **out) MUST_USE;
err json_field_object(const json_t *object, const char *key, json_t **out) MUST_USE;
