/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets of a meter's link: frames taken are whole and in order, nothing is read twice, and the
 * sixteenth bad frame ends it. Fed whole and in pieces, both must find the same frames. */
#include <assert.h>
#include <stdbool.h>

#include "lib/service/frames.h"
#include "lib/service/inlet.h"

struct reader {
    struct frames_guard guard;
    size_t good, octets;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static err take(void *arg, struct bytes *in)
{
    struct reader *r = arg;
    struct envelope e;
    struct bytes frame, before = *in;

    err got = frames_take(&r->guard, 1, in, &e, &frame);
    if (got.code) {
        assert(in->ptr == before.ptr && in->len == before.len);
        return got;
    }
    assert(in->len < before.len);
    if (frame.len > 0) {
        assert(frame.ptr == before.ptr && frame.ptr + frame.len == in->ptr);
        assert(frame.len == ENVELOPE_HEADER_BYTES + (size_t)e.length);
        r->good++;
        r->octets += frame.len;
    }
    return OK;
}

static struct reader feed(const uint8_t *data, size_t size, size_t piece)
{
    struct inlet inlet = { 0 };
    struct reader r = { 0 };
    size_t at = 0;
    bool over = false;

    while (at < size && !over) {
        size_t n = size - at < piece ? size - at : piece;
        over = inlet_run(&inlet, 1, (struct bytes){ data + at, n }, take, &r).code != ERR_NONE;
        at += n;
    }
    assert(r.guard.bad_count <= FRAMES_BAD_MAX);
    inlet_done(&inlet);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader whole = feed(data, size, size > 0 ? size : 1);
    struct reader pieces = feed(data, size, 7);

    assert(whole.good == pieces.good && whole.octets == pieces.octets);
    return 0;
}
