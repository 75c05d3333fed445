/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/outlet.h"

void outlet_done(struct outlet *o)
{
    buf_done(&o->waiting);
    o->full = false;
}

struct buf *outlet_buf(struct outlet *o)
{
    o->waiting.max = OUTLET_BYTES_MAX;
    return &o->waiting;
}

err outlet_add(struct outlet *o, struct bytes message)
{
    return buf_append(outlet_buf(o), message);
}

bool outlet_flush(struct outlet *o, const struct host *host, uint64_t link)
{
    if (o->waiting.len == 0) {
        return true;
    }
    if (o->full) {
        return false;
    }
    if (host->send(host->self, link, buf_bytes(&o->waiting)).code) {
        o->full = true;
        return false;
    }
    buf_clear(&o->waiting);
    if (o->waiting.cap > OUTLET_PIECE_BYTES) {
        buf_shrink(&o->waiting);
    }
    return true;
}

bool outlet_is_long(const struct outlet *o)
{
    return o->waiting.len >= OUTLET_PIECE_BYTES;
}
