/* SPDX-License-Identifier: Apache-2.0 */
/* HELLO and HELLO-OK: how both sides come to a session (docs/protocol.md 3.3). */
#include <string.h>

#include "lib/crypto/random.h"
#include "lib/wire/handshake.h"
#include "lib/wire/session.h"
#include "lib/wire/session_keys.h"

#define OAEP_LABEL BYTES_LIT("meterseal hello 1")
#define OAEP_LABEL_BYTES (17 + 8 + SESSION_NONCE_BYTES)

static bool is_ephemeral(const struct suite_rule *rule)
{
    return rule->suite == SUITE_X25519_RSA2048;
}

/* The label binds the ciphertext to this meter and this HELLO. */
static void oaep_label(uint64_t meter, const uint8_t *nonce, uint8_t out[OAEP_LABEL_BYTES])
{
    memcpy(out, OAEP_LABEL.ptr, OAEP_LABEL.len);
    store_u64(out + OAEP_LABEL.len, meter);
    memcpy(out + OAEP_LABEL.len + 8, nonce, SESSION_NONCE_BYTES);
}

static void secret_fill(struct session_secret *s, const struct suite_rule *rule,
                        const uint8_t *meter_nonce, const uint8_t *collector_nonce,
                        struct bytes hello, struct bytes hello_ok)
{
    const struct bytes frames[] = { hello, hello_ok };

    memcpy(s->nonces, meter_nonce, SESSION_NONCE_BYTES);
    memcpy(s->nonces + SESSION_NONCE_BYTES, collector_nonce, SESSION_NONCE_BYTES);
    s->transcript = sha256_parts(frames, 2);
    s->key_bytes = rule->key_bytes;
}

/* --- meter --- */

void hello_done(struct hello *h)
{
    if (h != NULL) {
        wipe(h, sizeof *h);
    }
}

/* The secret, or the pair that will lead to it; `share` is what the collector gets of it. */
static err share_make(struct hello *h, const struct suite_rule *rule,
                      const struct public_key *collector, uint8_t share[SIGNATURE_BYTES_MAX])
{
    uint8_t label[OAEP_LABEL_BYTES];

    if (is_ephemeral(rule)) {
        TRY(x25519_new(&h->ephemeral));
        memcpy(share, h->ephemeral.shared_part, X25519_BYTES);
        return OK;
    }
    random_fill(h->secret, sizeof h->secret);
    oaep_label(h->meter, h->nonce, label);
    return oaep_seal(collector, BYTES_OF(label), BYTES_OF(h->secret), share,
                     rule->hello_share_bytes);
}

static err hello_fill(const struct hello_parameters *p, const struct suite_rule *rule,
                      const struct private_key *own, const struct public_key *collector,
                      struct hello *h)
{
    uint8_t share[SIGNATURE_BYTES_MAX];
    struct handshake form = { .rule = rule,
                              .type = ENVELOPE_HELLO,
                              .epoch = p->epoch,
                              .meter = p->meter,
                              .small = p->clock_flags,
                              .utc_s = p->utc_s,
                              .collector_key_id = public_key_id(collector),
                              .meter_key_id = private_key_id(own) };

    random_fill(h->nonce, sizeof h->nonce);
    memcpy(form.nonce, h->nonce, sizeof form.nonce);
    TRY(share_make(h, rule, collector, share));
    form.share = (struct bytes){ share, rule->hello_share_bytes };
    return handshake_make(&form, (struct bytes){ 0 }, own, h->frame, &h->frame_size);
}

err hello_make(const struct hello_parameters *p, const struct private_key *own,
               const struct public_key *collector, struct hello *out)
{
    const struct suite_rule *rule = suite_find(p->suite);
    AUTO(hello_done) struct hello h = { .meter = p->meter, .epoch = p->epoch, .suite = p->suite };

    if (rule == NULL) {
        FAIL(ERR_PROTO, "suite %u is not one of 1 and 3", p->suite);
    }
    if (public_key_alg(collector) != rule->alg) {
        FAIL(ERR_PROTO, "the collector's key is not of the kind that suite %u wants", p->suite);
    }
    TRY(hello_fill(p, rule, own, collector, &h));
    *out = h;
    return OK;
}

/* That the answer belongs to this HELLO. The signature says the same, but not what is wrong. */
static err answer_check(const struct hello *h, const struct handshake *ok, uint64_t own_id,
                        uint64_t collector_id)
{
    if (ok->meter != h->meter || ok->epoch != h->epoch || ok->rule->suite != h->suite) {
        FAIL(ERR_AUTH, "HELLO-OK of another meter, epoch or suite");
    }
    if (ok->meter_key_id != own_id || ok->collector_key_id != collector_id) {
        FAIL(ERR_AUTH, "HELLO-OK names another key");
    }
    return OK;
}

err hello_ok_check(const struct hello *h, const struct private_key *own,
                   const struct public_key *collector, struct bytes frame, struct hello_ok *out_ok,
                   struct session *out)
{
    AUTO(session_secret_done) struct session_secret s = { .key_bytes = 0 };
    struct bytes hello = { h->frame, h->frame_size };
    struct handshake ok;

    TRY(handshake_parse(frame, ENVELOPE_HELLO_OK, &ok));
    TRY(answer_check(h, &ok, private_key_id(own), public_key_id(collector)));
    TRY(handshake_verify(&ok, hello, frame, collector));
    if (is_ephemeral(ok.rule)) {
        TRY(x25519_agree(&h->ephemeral, ok.share.ptr, s.secret));
    } else {
        memcpy(s.secret, h->secret, sizeof s.secret);
    }
    secret_fill(&s, ok.rule, h->nonce, ok.nonce, hello, frame);
    AUTO(session_done)
    struct session made = { .meter = h->meter, .epoch = h->epoch, .suite = h->suite };
    TRY(session_keys_derive(&s, &made.send, &made.receive));
    *out = made;
    *out_ok = (struct hello_ok){ .window = ok.small, .lifetime_hours = ok.half, .utc_s = ok.utc_s };
    return OK;
}

/* --- collector --- */

err hello_claims_parse(struct bytes frame, struct hello_claims *out)
{
    struct handshake h;

    TRY(handshake_parse(frame, ENVELOPE_HELLO, &h));
    *out = (struct hello_claims){ .suite = h.rule->suite,
                                  .clock_flags = h.small,
                                  .utc_s = h.utc_s,
                                  .collector_key_id = h.collector_key_id,
                                  .meter_key_id = h.meter_key_id };
    memcpy(out->nonce, h.nonce, sizeof out->nonce);
    return OK;
}

static void x25519_pair_done(struct x25519_pair *p)
{
    wipe(p, sizeof *p);
}

/* The secret from the meter's share; `share` is the own one for the answer, if the suite has it. */
static err share_answer(const struct handshake *h, const struct private_key *own,
                        struct session_secret *s, uint8_t share[X25519_BYTES])
{
    uint8_t label[OAEP_LABEL_BYTES];

    if (!is_ephemeral(h->rule)) {
        oaep_label(h->meter, h->nonce, label);
        return oaep_open(own, BYTES_OF(label), h->share, s->secret, sizeof s->secret);
    }
    AUTO(x25519_pair_done) struct x25519_pair pair = { 0 };
    TRY(x25519_new(&pair));
    TRY(x25519_agree(&pair, h->share.ptr, s->secret));
    memcpy(share, pair.shared_part, X25519_BYTES);
    return OK;
}

static err answer_make(const struct handshake *h, struct bytes hello, const struct hello_ok *answer,
                       struct bytes share, const struct private_key *own, struct handshake *ok,
                       uint8_t *frame, size_t *frame_size)
{
    *ok = *h;
    ok->type = ENVELOPE_HELLO_OK;
    ok->small = answer->window;
    ok->half = answer->lifetime_hours;
    ok->utc_s = answer->utc_s;
    ok->share = share;
    random_fill(ok->nonce, sizeof ok->nonce);
    return handshake_make(ok, hello, own, frame, frame_size);
}

/* The signature comes first: opening OAEP costs 13 times as much as verifying. */
static err hello_verify(const struct handshake *h, struct bytes frame,
                        const struct public_key *meter, const struct private_key *own)
{
    if (h->meter_key_id != public_key_id(meter) || h->collector_key_id != private_key_id(own)) {
        FAIL(ERR_AUTH, "HELLO names another key");
    }
    return handshake_verify(h, (struct bytes){ 0 }, frame, meter);
}

err hello_check(struct bytes frame, const struct public_key *meter, const struct private_key *own)
{
    struct handshake h;

    TRY(handshake_parse(frame, ENVELOPE_HELLO, &h));
    return hello_verify(&h, frame, meter, own);
}

err hello_accept(struct bytes frame, const struct public_key *meter, const struct private_key *own,
                 const struct hello_ok *answer, struct buf *out_frame, struct session *out)
{
    AUTO(session_secret_done) struct session_secret s = { .key_bytes = 0 };
    uint8_t ok_frame[ENVELOPE_FRAME_BYTES_MAX];
    uint8_t share[X25519_BYTES];
    struct handshake h;
    struct handshake ok;
    size_t ok_size;

    TRY(handshake_parse(frame, ENVELOPE_HELLO, &h));
    TRY(hello_verify(&h, frame, meter, own));
    TRY(share_answer(&h, own, &s, share));
    TRY(answer_make(&h, frame, answer, (struct bytes){ share, h.rule->hello_ok_share_bytes }, own,
                    &ok, ok_frame, &ok_size));
    secret_fill(&s, h.rule, h.nonce, ok.nonce, frame, (struct bytes){ ok_frame, ok_size });
    AUTO(session_done)
    struct session made = { .meter = h.meter, .epoch = h.epoch, .suite = h.rule->suite };
    TRY(session_keys_derive(&s, &made.receive, &made.send));
    TRY(buf_append(out_frame, (struct bytes){ ok_frame, ok_size }));
    *out = made;
    return OK;
}
