/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, values and pages in JSON: text where they are UTF-8 ("key", "value"), else base64url
 * ("key64", "value64"). */
#pragma once

#include "lib/wire/json_write.h"
#include "lib/wire/kvs_api.h"

/* A member "<name>" or "<name>64" of the object that is open. ERR_LIMIT as of the writer's
 * buffer. */
err json_octets(struct json_writer *w, const char *name, struct bytes octets) MUST_USE;

/* One element of an array of keys. */
err page_json_entry(struct buf *out, const struct kvs_entry *e, bool with_value) MUST_USE;
