/* SPDX-License-Identifier: Apache-2.0 */
/* A collector on a store in memory, and an authenticator that is the test: for the tests of its
 * parts. */
#pragma once

#include "lib/base/test.h"

#include <string.h>

#include "intake/collector/fake_store.h"
#include "lib/base/clock.h"
#include "lib/service/fake_host.h"
#include "lib/wire/intake.h"
#include "lib/wire/nbr.h"
#include "lib/wire/session.h"
#include "lib/wire/tables.h"

#define AUTH 10
#define METER UINT64_C(0x12345678)
#define UTC_S 1763823600u /* a multiple of the interval */
#define BASE_S (UTC_S - 1000 * 900)

static struct private_key *session_key, *signing_key, *foreign_key;
static struct public_key *session_public, *signing_public;

struct fixture {
    struct fake_host fake;
    struct fake_store store;
    struct collector *c;
    uint64_t now_us;
    size_t read; /* of what the authenticator was sent */
};

static inline void begin_collector(struct fixture *f)
{
    struct collector_options options = { .reader = 123456 };

    assert_ok(collector_new(&f->fake.host, &f->store.store, &options, &f->c));
    assert_ok(collector_ops.opened(f->c, f->now_us, AUTH, false));
}

static inline void start(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->now_us = 1000 * US_PER_S;
    fake_host_init(&f->fake);
    f->fake.utc_us = UTC_S * US_PER_S;
    fake_store_init(&f->store);
    fake_store_register(&f->store, METER, SUITE_X25519_RSA2048, session_public, signing_public);
    begin_collector(f);
}

static inline void end(struct fixture *f)
{
    collector_free(f->c);
    fake_store_done(&f->store);
    fake_host_done(&f->fake);
}

static inline void clear(struct fixture *f)
{
    fake_host_clear(&f->fake);
    f->read = 0;
}

/* The collector dies and begins anew; what is under way at the store is lost or written. */
static inline void restart(struct fixture *f, bool applied)
{
    while (f->store.request_count > 0) {
        fake_store_abandon(&f->store, 0, applied);
    }
    collector_free(f->c);
    clear(f);
    begin_collector(f);
}

static inline void pass(struct fixture *f, uint64_t us)
{
    f->now_us += us;
    f->fake.utc_us += us;
    collector_ops.tick(f->c, f->now_us);
}

/* Lets batches go and answers everything the store is asked. */
static inline void settle(struct fixture *f)
{
    for (int i = 0; i < 4; i++) {
        pass(f, COLLECTOR_BATCH_US);
        fake_store_answer_all(&f->store, f->c, f->now_us);
    }
}

static inline uint64_t counted(const struct fixture *f, enum collector_count c)
{
    return collector_counts(f->c)[c];
}

static inline err say(struct fixture *f, const struct intake_message *m)
{
    AUTO(buf_done) struct buf out = { .max = INTAKE_MESSAGE_BYTES_MAX };

    assert_ok(intake_encode(m, &out));
    return collector_ops.octets(f->c, f->now_us, AUTH, buf_bytes(&out));
}

static inline err block_from(struct fixture *f, uint64_t meter, uint8_t type, uint8_t flags,
                      uint32_t transaction, const uint8_t *block)
{
    struct intake_message m = { .kind = INTAKE_BLOCK, .meter = meter };

    m.block.type = type;
    m.block.flags = flags;
    m.block.transaction = transaction;
    m.block.block = (struct bytes){ block, NBR_RESPONSE_BYTES };
    return say(f, &m);
}

static inline struct report report_of(uint32_t sequence, uint32_t newest, uint32_t oldest)
{
    struct report r = { .record = { .sequence = sequence, .meter = METER,
                                    .end_s = BASE_S + sequence * 900, .interval_s = 900,
                                    .e_act = sequence },
                        .newest = newest, .oldest = oldest };

    for (int i = 0; i < RECORD_READS; i++) {
        r.record.reads[i] = (int32_t)sequence + i;
    }
    return r;
}

static inline void push_report(struct fixture *f, const struct report *r)
{
    uint8_t block[NBR_RESPONSE_BYTES];

    report_encode(r, block);
    assert_ok(block_from(f, METER, ENVELOPE_PUSH, 0, 0, block));
}

static inline void push(struct fixture *f, uint32_t sequence, uint32_t newest)
{
    struct report r = report_of(sequence, newest, 1);

    push_report(f, &r);
}

/* The next message to the authenticator of a kind; false: there is none. */
static inline bool next_of(struct fixture *f, uint8_t kind, struct intake_message *out)
{
    for (;;) {
        struct bytes in = fake_host_sent(&f->fake, AUTH);
        if (in.len == f->read) {
            return false;
        }
        in = (struct bytes){ in.ptr + f->read, in.len - f->read };
        size_t before = in.len;
        assert_ok(intake_take(&in, out));
        f->read += before - in.len;
        if (out->kind == kind) {
            return true;
        }
    }
}

/* The highest acknowledgement of a kind since the last clear; 0: none. */
static inline uint32_t acked(struct fixture *f, enum ack_reason reason)
{
    struct intake_message m;
    uint32_t value = 0;

    f->read = 0;
    while (next_of(f, INTAKE_SIGNAL, &m)) {
        if (m.signal.signal.signal == NBR_ACK && m.signal.signal.reason == reason) {
            assert_true(m.signal.signal.value >= value); /* never goes back */
            value = m.signal.signal.value;
        }
    }
    return value;
}

static inline bool stored(const struct fixture *f, uint32_t sequence)
{
    const struct fake_reading *r = fake_store_reading(&f->store, METER, BASE_S + sequence * 900);

    return r != NULL && r->record.sequence == sequence;
}

static inline int make_keys(void **state)
{
    (void)state;
    assert_ok(private_key_new(SIGN_RSA2048, &session_key));
    assert_ok(private_key_new(SIGN_P256, &signing_key));
    assert_ok(private_key_new(SIGN_P256, &foreign_key));
    assert_ok(public_key_of(session_key, &session_public));
    assert_ok(public_key_of(signing_key, &signing_public));
    return 0;
}

static inline int free_keys(void **state)
{
    (void)state;
    private_key_free(session_key);
    private_key_free(signing_key);
    private_key_free(foreign_key);
    public_key_free(session_public);
    public_key_free(signing_public);
    return 0;
}
