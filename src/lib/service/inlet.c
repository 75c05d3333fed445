/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/inlet.h"

void inlet_done(struct inlet *i)
{
    buf_done(&i->rest);
    i->begun_us = 0;
}

static err take_all(struct bytes *in, inlet_take take, void *arg)
{
    while (in->len > 0) {
        err e = take(arg, in);
        if (e.code == ERR_AGAIN) {
            return OK;
        }
        TRY(e);
    }
    return OK;
}

static err run_rest(struct inlet *i, struct bytes in, inlet_take take, void *arg)
{
    TRY(buf_append(&i->rest, in));
    struct bytes view = buf_bytes(&i->rest);
    err e = take_all(&view, take, arg);
    buf_consume(&i->rest, i->rest.len - view.len);
    buf_shrink(&i->rest);
    return e;
}

err inlet_run(struct inlet *i, uint64_t now_us, struct bytes in, inlet_take take, void *arg)
{
    size_t before = i->rest.len + in.len;

    i->rest.max = INLET_BYTES_MAX;
    if (i->rest.len > 0) {
        TRY(run_rest(i, in, take, arg));
    } else {
        TRY(take_all(&in, take, arg));
        TRY(buf_append(&i->rest, in));
    }
    bool moved = i->rest.len < before;
    if (i->rest.len == 0) {
        i->begun_us = 0;
    } else if (moved || i->begun_us == 0) {
        i->begun_us = now_us;
    }
    return OK;
}

bool inlet_stalled(const struct inlet *i, uint64_t now_us)
{
    return i->begun_us != 0 && now_us - i->begun_us >= INLET_STALL_US;
}
