/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/engine_space.h"

#include <stdio.h>
#include <string.h>

#define TTL_COMPACTION_S 86400 /* an expired value leaves the disk about a day later */
#define NAME_CHARS 15          /* s, 8 hex, ".0.", three letters */

enum space_flag { SPACE_SERIES = 1, SPACE_COMPRESS = 2 };

void space_family_name(uint32_t id, const struct space_settings *s,
                       char out[KVS_FAMILY_NAME_MAX + 1])
{
    snprintf(out, KVS_FAMILY_NAME_MAX + 1, "s%08x.0.%c%c%c", id, s->series ? 's' : 'g',
             s->compress ? 'c' : 'n', s->ttl_s > 0 ? 't' : 'e');
}

void space_family_options(const char *name, struct kvs_family_options *out)
{
    *out = (struct kvs_family_options){ .compress = true, .blobs = true };
    if (strlen(name) == NAME_CHARS && name[0] == 's' && memcmp(name + 9, ".0.", 3) == 0) {
        bool ttl = name[14] == 't';
        out->series = name[12] == 's';
        out->compress = name[13] == 'c';
        out->blobs = !ttl;
        out->ttl_s = ttl ? TTL_COMPACTION_S : 0;
    }
}

void space_entry_write(const struct space *s, uint8_t out[SPACE_ENTRY_BYTES])
{
    unsigned flags = (s->settings.series ? SPACE_SERIES : 0u) |
                     (s->settings.compress ? SPACE_COMPRESS : 0u);

    store_u32(out, s->id);
    store_u32(out + 4, flags);
    store_u64(out + 8, s->settings.quota_bytes);
    store_u64(out + 16, s->settings.quota_keys);
    store_u64(out + 24, s->settings.ttl_s);
}

err space_entry_read(struct bytes raw, struct space *out)
{
    if (raw.len != SPACE_ENTRY_BYTES || load_u32(raw.ptr + 4) > (SPACE_SERIES | SPACE_COMPRESS)) {
        FAIL(ERR_CORRUPT, "the entry of a space has %zu octets or unknown flags", raw.len);
    }
    uint32_t flags = load_u32(raw.ptr + 4);
    out->id = load_u32(raw.ptr);
    out->settings = (struct space_settings){
        .series = flags & SPACE_SERIES,
        .compress = flags & SPACE_COMPRESS,
        .quota_bytes = load_u64(raw.ptr + 8),
        .quota_keys = load_u64(raw.ptr + 16),
        .ttl_s = load_u64(raw.ptr + 24),
    };
    space_family_name(out->id, &out->settings, out->family_name);
    return OK;
}
