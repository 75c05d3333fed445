/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/authenticator/registry.h"

#include <string.h>

#include "lib/base/mem.h"

struct registered *registry_find(const struct registry *r, uint64_t meter)
{
    struct registered *found;

    HASH_FIND(hh, r->by_meter, &meter, sizeof meter, found);
    return found;
}

bool registry_is_fresh(const struct registered *m, uint64_t now_us)
{
    return m->told_us != 0 && now_us - m->told_us < REGISTRY_AGE_US;
}

void registry_drop(struct registry *r, struct registered *m)
{
    mem_give(registry_take_waiting(r, m));
    HASH_DEL(r->by_meter, m);
    mem_give(m->spki);
    mem_give(m);
}

void registry_done(struct registry *r)
{
    struct registered *m, *after;

    HASH_ITER(hh, r->by_meter, m, after) {
        registry_drop(r, m);
    }
}

static bool is_asked(const struct registered *m, uint64_t now_us)
{
    return m->asked_us != 0 && now_us - m->asked_us < REGISTRY_ASK_US;
}

bool registry_ask(struct registered *m, uint64_t now_us)
{
    if (is_asked(m, now_us)) {
        return false;
    }
    m->asked_us = now_us;
    return true;
}

static bool make_room(struct registry *r, uint64_t now_us)
{
    struct registered *m, *after;

    HASH_ITER(hh, r->by_meter, m, after) {
        if (!is_asked(m, now_us) && !m->working) {
            registry_drop(r, m);
            return true;
        }
    }
    return false;
}

err registry_entry(struct registry *r, uint64_t now_us, uint64_t meter, struct registered **out)
{
    struct registered *m = registry_find(r, meter);

    if (m != NULL) {
        *out = m;
        return OK;
    }
    if (HASH_COUNT(r->by_meter) >= REGISTRY_COUNT_MAX && !make_room(r, now_us)) {
        FAIL(ERR_LIMIT, "%d meters are being asked for", REGISTRY_COUNT_MAX);
    }
    m = mem_take(sizeof *m);
    if (m == NULL) {
        FAIL(ERR_LIMIT, "no memory for a meter");
    }
    m->meter = meter;
    HASH_ADD(hh, r->by_meter, meter, sizeof m->meter, m);
    if (m->map_full) {
        mem_give(m);
        FAIL(ERR_LIMIT, "no memory for a meter");
    }
    *out = m;
    return OK;
}

err registry_wait(struct registry *r, struct registered *m, uint64_t link, struct bytes frame)
{
    if (m->waiting == NULL && r->waiting_count >= REGISTRY_WAITING_MAX) {
        FAIL(ERR_LIMIT, "%d HELLOs wait for the collector", REGISTRY_WAITING_MAX);
    }
    struct waiting_hello *w = mem_take(sizeof *w + frame.len);
    if (w == NULL) {
        FAIL(ERR_LIMIT, "no memory for a HELLO");
    }
    mem_give(registry_take_waiting(r, m));
    w->link = link;
    w->size = frame.len;
    memcpy(w->frame, frame.ptr, frame.len);
    m->waiting = w;
    r->waiting_count++;
    return OK;
}

struct waiting_hello *registry_take_waiting(struct registry *r, struct registered *m)
{
    r->waiting_count -= m->waiting != NULL;
    return TAKE(m->waiting);
}

err registry_told(struct registered *m, uint64_t now_us, uint8_t suite, struct bytes spki)
{
    if (spki.len > SPKI_BYTES_MAX) {
        FAIL(ERR_LIMIT, "key of %zu octets, at most %d", spki.len, SPKI_BYTES_MAX);
    }
    uint8_t *copy = mem_take(spki.len);
    if (copy == NULL) {
        FAIL(ERR_LIMIT, "no memory for a key");
    }
    if (spki.len > 0) {
        memcpy(copy, spki.ptr, spki.len);
    }
    mem_give(m->spki);
    m->spki = copy;
    m->spki_size = (uint16_t)spki.len;
    m->suite = suite;
    m->told_us = now_us;
    m->asked_us = 0;
    return OK;
}

static size_t unknown_slot(uint64_t meter)
{
    return map_hash(&meter, sizeof meter) % REGISTRY_UNKNOWN_SLOTS;
}

void registry_mark_unknown(struct registry *r, uint64_t now_us, uint64_t meter)
{
    size_t at = unknown_slot(meter);

    r->unknown[at].meter = meter;
    r->unknown[at].until_us = now_us + REGISTRY_UNKNOWN_AGE_US;
}

bool registry_is_unknown(const struct registry *r, uint64_t now_us, uint64_t meter)
{
    size_t at = unknown_slot(meter);

    return r->unknown[at].meter == meter && now_us < r->unknown[at].until_us;
}
