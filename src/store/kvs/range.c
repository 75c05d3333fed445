/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/range.h"

#include <assert.h>
#include <string.h>

/* The first key behind all keys with this prefix: empty when there is none (only 0xff). */
static struct bytes prefix_end(struct bytes prefix, uint8_t room[KVS_KEY_BYTES_MAX])
{
    size_t len = prefix.len;

    assert(prefix.len <= KVS_KEY_BYTES_MAX);
    while (len > 0 && prefix.ptr[len - 1] == 0xff) {
        len--;
    }
    if (len == 0) {
        return (struct bytes){ 0 };
    }
    memcpy(room, prefix.ptr, len);
    room[len - 1]++;
    return (struct bytes){ room, len };
}

struct key_range range_make(struct bytes prefix, struct bytes start, struct bytes end,
                            uint8_t room[KVS_KEY_BYTES_MAX])
{
    struct bytes stop = prefix_end(prefix, room);
    struct key_range r = {
        .start = bytes_compare(prefix, start) > 0 ? prefix : start,
        .end = end,
    };

    if (stop.len > 0 && (end.len == 0 || bytes_compare(stop, end) < 0)) {
        r.end = stop;
    }
    r.nothing = r.end.len > 0 && bytes_compare(r.start, r.end) >= 0;
    return r;
}

static size_t common_len(struct bytes a, struct bytes b)
{
    size_t most = a.len < b.len ? a.len : b.len;
    size_t n = 0;

    while (n < most && a.ptr[n] == b.ptr[n]) {
        n++;
    }
    return n;
}

/* Between "job-" and "job." there are only keys with "job-": there the end is the start's own
 * prefix, one up in its last octet. */
struct bytes range_common_prefix(struct bytes start, struct bytes end)
{
    size_t n = common_len(start, end);

    if (n + 1 == end.len && n < start.len && start.ptr[n] + 1u == end.ptr[n]) {
        n++;
    }
    return (struct bytes){ start.ptr, n };
}
