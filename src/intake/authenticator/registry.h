/* SPDX-License-Identifier: Apache-2.0 */
/* What the collector said about meters, for a while: suite and session key, and the HELLO that
 * waits for the answer. Bounded; a meter that is not known leaves only a mark in a small fixed
 * table. */
#pragma once

#include "intake/authenticator/bucket.h"
#include "lib/base/map.h"
#include "lib/crypto/sign.h"
#include "lib/wire/envelope.h"

#define REGISTRY_COUNT_MAX 8192
#define REGISTRY_WAITING_MAX 4096                   /* HELLOs that wait for an answer */
#define REGISTRY_AGE_US (600 * 1000000ull)          /* a key is asked for again after this */
#define REGISTRY_UNKNOWN_AGE_US (60 * 1000000ull)   /* "no such meter" is believed for so long */
#define REGISTRY_UNKNOWN_SLOTS 4096
#define REGISTRY_ASK_US (5 * 1000000ull) /* an answer that does not come is asked for again */

struct waiting_hello {
    uint64_t link;
    size_t size;
    uint8_t frame[]; /* the whole frame */
};

struct registered {
    uint64_t meter;
    uint64_t told_us; /* when the collector answered; 0 = not yet */
    struct waiting_hello *waiting;
    struct bucket hellos;
    uint64_t asked_us; /* when a LOOKUP was sent that is not answered; 0 = none */
    bool working;      /* a HELLO of this meter is in work */
    uint8_t suite;
    uint16_t spki_size;
    uint8_t *spki;
    bool map_full;
    UT_hash_handle hh;
};

struct registry {
    struct registered *by_meter; /* in the order in which they came */
    size_t waiting_count;
    struct {
        uint64_t meter;
        uint64_t until_us;
    } unknown[REGISTRY_UNKNOWN_SLOTS];
};

void registry_done(struct registry *r);
struct registered *registry_find(const struct registry *r, uint64_t meter);
bool registry_is_fresh(const struct registered *m, uint64_t now_us);
/* The entry, made when there is none; an old one without business goes for it. ERR_LIMIT. */
err registry_entry(struct registry *r, uint64_t now_us, uint64_t meter, struct registered **out)
    MUST_USE;
/* True when the collector is to be asked (again); marks it as asked. */
bool registry_ask(struct registered *m, uint64_t now_us);
void registry_drop(struct registry *r, struct registered *m);

/* Keeps a copy of a HELLO; the newest of a meter wins. ERR_LIMIT: too many wait. */
err registry_wait(struct registry *r, struct registered *m, uint64_t link, struct bytes frame)
    MUST_USE;
struct waiting_hello *registry_take_waiting(struct registry *r, struct registered *m); /* gives */

err registry_told(struct registered *m, uint64_t now_us, uint8_t suite, struct bytes spki) MUST_USE;
void registry_mark_unknown(struct registry *r, uint64_t now_us, uint64_t meter);
bool registry_is_unknown(const struct registry *r, uint64_t now_us, uint64_t meter);
