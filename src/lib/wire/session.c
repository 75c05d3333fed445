/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/session.h"

#include <assert.h>
#include <string.h>

#include "lib/wire/session_keys.h"

#define WINDOW_COUNT 64

/* --- keys --- */

static err direction_derive(const struct session_secret *s, struct bytes label,
                            struct session_keys *out)
{
    uint8_t info[32 + DIGEST_BYTES];
    uint8_t octets[32 + sizeof out->salt];
    size_t size = s->key_bytes + sizeof out->salt;

    assert(label.len <= 32 && (s->key_bytes == 16 || s->key_bytes == 32));
    memcpy(info, label.ptr, label.len);
    memcpy(info + label.len, s->transcript.octets, DIGEST_BYTES);
    TRY(hkdf_sha256(BYTES_OF(s->nonces), BYTES_OF(s->secret),
                    (struct bytes){ info, label.len + DIGEST_BYTES }, octets, size));
    *out = (struct session_keys){ .key.size = s->key_bytes };
    memcpy(out->key.octets, octets, s->key_bytes);
    memcpy(out->salt, octets + s->key_bytes, sizeof out->salt);
    wipe(octets, sizeof octets);
    return OK;
}

err session_keys_derive(const struct session_secret *s, struct session_keys *out_m2c,
                        struct session_keys *out_c2m)
{
    struct session_keys m2c;

    TRY(direction_derive(s, BYTES_LIT("meterseal v1 m2c"), &m2c));
    err e = direction_derive(s, BYTES_LIT("meterseal v1 c2m"), out_c2m);
    if (!e.code) {
        *out_m2c = m2c;
    }
    wipe(&m2c, sizeof m2c);
    return e;
}

void session_secret_done(struct session_secret *s)
{
    wipe(s, sizeof *s);
}

void session_done(struct session *s)
{
    if (s != NULL) {
        wipe(s, sizeof *s);
    }
}

static void nonce_of(const struct session_keys *k, uint64_t counter, uint8_t out[AEAD_NONCE_BYTES])
{
    memcpy(out, k->salt, sizeof k->salt);
    store_u64(out + sizeof k->salt, counter);
}

/* --- sealing --- */

err session_seal(struct session *s, struct aead *a, enum envelope_type type, uint8_t flags,
                 uint32_t transaction, struct bytes body, struct buf *out)
{
    struct envelope e = { .type = (uint8_t)type,
                          .flags = flags | ENVELOPE_SEALED,
                          .epoch = s->epoch,
                          .meter = s->meter,
                          .transaction = transaction };
    uint8_t nonce[AEAD_NONCE_BYTES];
    struct envelope again;

    if (s->send.counter >= SESSION_FRAMES_MAX) {
        FAIL(ERR_LIMIT, "session has sealed %llu frames; a new HELLO is due",
             (unsigned long long)SESSION_FRAMES_MAX);
    }
    if (body.len > ENVELOPE_BODY_BYTES_MAX) {
        FAIL(ERR_LIMIT, "body of %zu octets, at most %d", body.len, ENVELOPE_BODY_BYTES_MAX);
    }
    e.length = (uint16_t)(body.len + AEAD_TAG_BYTES);
    e.counter = s->send.counter + 1;
    TRY(buf_reserve(out, ENVELOPE_HEADER_BYTES + (size_t)e.length));
    uint8_t *frame = out->ptr + out->len;
    envelope_encode(&e, frame);
    struct bytes header = { frame, ENVELOPE_HEADER_BYTES };
    TRY(envelope_parse(header, &again)); /* what the peer would refuse is not sent */

    /* The counter is used up even if sealing fails, so that its nonce never comes again. */
    s->send.counter = e.counter;
    nonce_of(&s->send, e.counter, nonce);
    TRY(aead_seal(a, &s->send.key, nonce, header, body, frame + ENVELOPE_HEADER_BYTES));
    out->len += ENVELOPE_HEADER_BYTES + (size_t)e.length;
    return OK;
}

/* --- opening --- */

const char *session_refusal_name(enum session_refusal r)
{
    static const char *const names[REFUSED_COUNT] = {
        [REFUSED_NOT] = "not",         [REFUSED_TAG] = "tag",     [REFUSED_REPLAY] = "replay",
        [REFUSED_LOWERED] = "lowered", [REFUSED_EPOCH] = "epoch", [REFUSED_FORM] = "form",
    };

    assert(r < REFUSED_COUNT);
    return names[r];
}

static enum session_refusal counter_check(const struct session_keys *k, enum counter_rule rule,
                                          uint64_t counter)
{
    if (counter > k->counter) {
        return REFUSED_NOT;
    }
    uint64_t behind = k->counter - counter;
    if (rule == COUNTER_STRICT) {
        return behind == 0 ? REFUSED_REPLAY : REFUSED_LOWERED;
    }
    if (behind >= WINDOW_COUNT) {
        return REFUSED_LOWERED;
    }
    return (k->window >> behind & 1) != 0 ? REFUSED_REPLAY : REFUSED_NOT;
}

static void counter_accept(struct session_keys *k, uint64_t counter)
{
    if (counter > k->counter) {
        uint64_t ahead = counter - k->counter;
        k->window = ahead < WINDOW_COUNT ? k->window << ahead : 0;
        k->counter = counter;
    }
    k->window |= UINT64_C(1) << (k->counter - counter);
}

static enum session_refusal header_check(const struct session *s, enum counter_rule rule,
                                         const struct envelope *e, struct bytes frame)
{
    if ((e->flags & ENVELOPE_SEALED) == 0 || e->length < AEAD_TAG_BYTES || e->meter != s->meter ||
        e->counter == 0 || frame.len != ENVELOPE_HEADER_BYTES + (size_t)e->length) {
        return REFUSED_FORM;
    }
    if (e->epoch != s->epoch) {
        return REFUSED_EPOCH;
    }
    return counter_check(&s->receive, rule, e->counter);
}

err session_open(struct session *s, struct aead *a, enum counter_rule rule,
                 const struct envelope *e, struct bytes frame, uint8_t *out,
                 enum session_refusal *why)
{
    uint8_t nonce[AEAD_NONCE_BYTES];

    *why = header_check(s, rule, e, frame);
    if (*why == REFUSED_FORM) {
        FAIL(ERR_PROTO, "frame is not a sealed one of this meter");
    }
    if (*why != REFUSED_NOT) {
        FAIL(ERR_AUTH, "frame %llu of epoch %u refused: %s", (unsigned long long)e->counter,
             e->epoch, session_refusal_name(*why));
    }
    nonce_of(&s->receive, e->counter, nonce);
    struct bytes header = { frame.ptr, ENVELOPE_HEADER_BYTES };
    struct bytes sealed = { frame.ptr + ENVELOPE_HEADER_BYTES, e->length };
    err opened = aead_open(a, &s->receive.key, nonce, header, sealed, out);
    if (opened.code) {
        *why = REFUSED_TAG;
        return opened;
    }
    counter_accept(&s->receive, e->counter);
    return OK;
}
