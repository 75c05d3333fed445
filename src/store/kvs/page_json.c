/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/page_json.h"

#include <stdio.h>

#include "lib/base/base64.h"
#include "lib/base/utf8.h"

err json_octets(struct json_writer *w, const char *name, struct bytes octets)
{
    char name64[32];

    if (utf8_valid(octets)) {
        json_write_key(w, name);
        json_write_text(w, octets);
        return OK;
    }
    AUTO(buf_done) struct buf digits = { .max = BASE64_CHARS(octets.len) + 1 };
    TRY(base64_encode(octets, &digits));
    snprintf(name64, sizeof name64, "%s64", name);
    json_write_key(w, name64);
    json_write_text(w, buf_bytes(&digits));
    return OK;
}

err page_json_entry(struct buf *out, const struct kvs_entry *e, bool with_value)
{
    struct json_writer w;

    json_write_begin(&w, out);
    json_write_object(&w);
    TRY(json_octets(&w, "key", e->key));
    json_write_key(&w, "rev");
    json_write_uint(&w, e->rev);
    if (with_value) {
        TRY(json_octets(&w, "value", e->value));
    }
    json_write_object_end(&w);
    return json_write_finish(&w);
}
