/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/authenticator/nonces.h"

#include <assert.h>
#include <string.h>

#include "lib/base/map.h"
#include "lib/base/mem.h"

#define FINGERPRINT_BYTES 48

err nonces_init(struct nonces *n, size_t count)
{
    struct nonces made = { .slot_count = 16 };

    while (made.slot_count < 2 * count) {
        made.slot_count *= 2;
    }
    for (int i = 0; i < 2; i++) {
        made.slots[i] = mem_take(made.slot_count * sizeof *made.slots[i]);
        if (made.slots[i] == NULL) {
            nonces_done(&made);
            FAIL(ERR_LIMIT, "no memory for %zu nonces", count);
        }
    }
    *n = made;
    return OK;
}

void nonces_done(struct nonces *n)
{
    mem_give(n->slots[0]);
    mem_give(n->slots[1]);
    *n = (struct nonces){ 0 };
}

static void rotate(struct nonces *n, uint64_t now_us)
{
    uint64_t *older = n->slots[1];

    n->slots[1] = n->slots[0];
    n->slots[0] = older;
    memset(older, 0, n->slot_count * sizeof *older);
    n->used = 0;
    n->since_us = now_us;
}

/* Keyed, so that meters cannot choose nonces that share a slot; 64 bits, so that two differ. */
static uint64_t fingerprint(uint64_t meter, struct bytes nonce)
{
    uint8_t text[1 + FINGERPRINT_BYTES] = { 0 };

    assert(nonce.len <= FINGERPRINT_BYTES - sizeof meter);
    store_u64(text + 1, meter);
    memcpy(text + 1 + sizeof meter, nonce.ptr, nonce.len);
    uint64_t low = map_hash(text, sizeof text);
    text[0] = 1;
    uint64_t both = (uint64_t)map_hash(text, sizeof text) << 32 | low;
    return both != 0 ? both : 1;
}

static uint64_t *slot_of(uint64_t *slots, size_t count, uint64_t print)
{
    size_t at = (size_t)print & (count - 1);

    while (slots[at] != 0 && slots[at] != print) {
        at = (at + 1) & (count - 1); /* ends: a generation is at most half full */
    }
    return &slots[at];
}

bool nonces_have(struct nonces *n, uint64_t now_us, uint64_t meter, struct bytes nonce)
{
    uint64_t print = fingerprint(meter, nonce);

    if (now_us - n->since_us >= NONCES_PERIOD_US) {
        rotate(n, now_us);
    }
    return *slot_of(n->slots[0], n->slot_count, print) == print ||
           *slot_of(n->slots[1], n->slot_count, print) == print;
}

void nonces_add(struct nonces *n, uint64_t now_us, uint64_t meter, struct bytes nonce)
{
    uint64_t print = fingerprint(meter, nonce);

    if (n->used >= n->slot_count / 2) {
        rotate(n, now_us);
    }
    uint64_t *slot = slot_of(n->slots[0], n->slot_count, print);
    n->used += *slot == 0;
    *slot = print;
}
