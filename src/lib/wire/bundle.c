/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/bundle.h"

#include <assert.h>

err bundle_records_count(struct bytes file, size_t *out)
{
    if (file.len > BUNDLE_READINGS_BYTES_MAX) {
        FAIL(ERR_LIMIT, "%s has %zu octets, at most %zu", BUNDLE_READINGS, file.len,
             BUNDLE_READINGS_BYTES_MAX);
    }
    if (file.len % RECORD_BYTES != 0) {
        FAIL(ERR_PROTO, "%s: a cut record at octet %zu", BUNDLE_READINGS,
             file.len - file.len % RECORD_BYTES);
    }
    *out = file.len / RECORD_BYTES;
    return OK;
}

struct bytes bundle_record_at(struct bytes file, size_t index)
{
    assert(index < file.len / RECORD_BYTES);
    return (struct bytes){ file.ptr + index * RECORD_BYTES, RECORD_BYTES };
}

err bundle_seals_parse(struct bytes file, struct sealed_day *out, size_t max, size_t *out_count)
{
    struct bytes rest = file;

    *out_count = 0;
    while (rest.len > 0) {
        if (*out_count == max) {
            FAIL(ERR_LIMIT, "%s has more than %zu seals", BUNDLE_SEALS, max);
        }
        err e = sealed_day_parse(&rest, &out[*out_count]);
        if (e.code) {
            (void)err_context(e, "%s at octet %zu", BUNDLE_SEALS, file.len - rest.len);
            return (err){ ERR_PROTO };
        }
        ++*out_count;
    }
    return OK;
}

err bundle_record_add(struct buf *file, const struct record *r)
{
    uint8_t octets[RECORD_BYTES];

    record_encode(r, octets);
    return buf_append(file, BYTES_OF(octets));
}

err bundle_seal_add(struct buf *file, const struct sealed_day *d)
{
    return sealed_day_encode(d, file);
}
