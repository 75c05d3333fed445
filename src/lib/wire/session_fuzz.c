/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a peer may send to either side of a session: the first octet chooses who reads the rest.
 * Nothing but what the keys have sealed or signed may be accepted, and a refusal changes nothing.
 */
#include <assert.h>
#include <string.h>

#include "lib/wire/session.h"

#define METER UINT64_C(0x12345678)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key 00 01 .. 0f with salt 10 11 12 13, as in the vectors of docs/protocol.md. */
static struct session fixed_session(void)
{
    struct session s = {
        .meter = METER, .epoch = 1, .suite = SUITE_X25519_RSA2048, .receive.key.size = 16
    };

    for (uint8_t i = 0; i < 16; i++) {
        s.receive.key.octets[i] = i;
    }
    memcpy(s.receive.salt, "\x10\x11\x12\x13", 4);
    return s;
}

static void fuzz_open(struct bytes in, enum counter_rule rule)
{
    AUTO(aead_freep) struct aead *a = NULL;
    struct session s = fixed_session();
    uint8_t out[ENVELOPE_BODY_BYTES_MAX];
    struct bytes frame;
    struct envelope e;

    err made = aead_new(&a);
    assert(!made.code);
    while (!envelope_take(&in, &e, &frame).code) {
        struct session before = s;
        enum session_refusal why;
        if (!session_open(&s, a, rule, &e, frame, out, &why).code) {
            assert(why == REFUSED_NOT && s.receive.counter >= e.counter);
            continue;
        }
        assert(why != REFUSED_NOT);
        assert(s.receive.counter == before.receive.counter);
        assert(s.receive.window == before.receive.window && s.epoch == before.epoch);
    }
}

static void fuzz_claims(struct bytes in)
{
    struct hello_claims c;

    if (!hello_claims_parse(in, &c).code) {
        assert(c.suite == SUITE_RSA2048 || c.suite == SUITE_X25519_RSA2048);
        assert((c.clock_flags & ~HELLO_CLOCK_UNSET) == 0);
    }
}

/* The keys of both sides and a HELLO, made once. */
static struct {
    struct private_key *meter;
    struct private_key *collector;
    struct public_key *meter_public;
    struct public_key *collector_public;
    struct hello hello;
} fixed;

static err fixed_make(void)
{
    struct hello_parameters p = { .meter = METER, .suite = SUITE_X25519_RSA2048 };

    TRY(private_key_new(SIGN_RSA2048, &fixed.meter));
    TRY(private_key_new(SIGN_RSA2048, &fixed.collector));
    TRY(public_key_of(fixed.meter, &fixed.meter_public));
    TRY(public_key_of(fixed.collector, &fixed.collector_public));
    return hello_make(&p, fixed.meter, fixed.collector_public, &fixed.hello);
}

static void fuzz_handshake(struct bytes in, bool answer)
{
    static const struct hello_ok ours = { .window = 4, .lifetime_hours = 24 };
    AUTO(buf_done) struct buf frame = { .max = ENVELOPE_FRAME_BYTES_MAX };
    struct hello_ok ok;
    struct session s;

    if (fixed.collector == NULL) {
        err made = fixed_make();
        assert(!made.code);
    }
    /* Keys are fresh in each run, so no input can carry a good signature. */
    err e = answer ? hello_ok_check(&fixed.hello, fixed.meter, fixed.collector_public, in, &ok, &s)
                   : hello_accept(in, fixed.meter_public, fixed.collector, &ours, &frame, &s);
    assert(e.code && frame.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct bytes in = { data + 1, size - 1 };
    switch (data[0]) {
    case 'w': fuzz_open(in, COUNTER_WINDOW); break;
    case 's': fuzz_open(in, COUNTER_STRICT); break;
    case 'c': fuzz_claims(in); break;
    default: fuzz_handshake(in, data[0] == 'a'); break;
    }
    return 0;
}
