/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/envelope.h"

#include "lib/wire/nbr.h"

#define ENVELOPE_VERSION 1
#define FLAGS_KNOWN (ENVELOPE_SEALED | ENVELOPE_URGENT | ENVELOPE_MORE | ENVELOPE_CACHED)
#define TAG_BYTES 16
#define CLOSE_BYTES 4

/* What a type may look like on the line (docs/protocol.md 3.1). A length of 0: not in this way. */
struct type_rule {
    uint16_t clear_bytes;
    uint16_t sealed_bytes; /* tag included */
    bool handshake;        /* any length up to the bound; flags, transaction and counter are 0 */
};

static const struct type_rule rules[] = {
    [ENVELOPE_HELLO] = { .handshake = true },
    [ENVELOPE_HELLO_OK] = { .handshake = true },
    [ENVELOPE_CMD] = { .sealed_bytes = NBR_COMMAND_BYTES + TAG_BYTES },
    [ENVELOPE_RSP] = { .sealed_bytes = NBR_RESPONSE_BYTES + TAG_BYTES },
    [ENVELOPE_PUSH] = { .sealed_bytes = NBR_RESPONSE_BYTES + TAG_BYTES },
    [ENVELOPE_SIG] = { .sealed_bytes = SIGNAL_BYTES + TAG_BYTES },
    [ENVELOPE_CLOSE] = { .clear_bytes = CLOSE_BYTES, .sealed_bytes = CLOSE_BYTES + TAG_BYTES },
};

void envelope_encode(const struct envelope *e, uint8_t out[ENVELOPE_HEADER_BYTES])
{
    store_u16(out, ENVELOPE_MAGIC);
    out[2] = ENVELOPE_VERSION;
    out[3] = e->type;
    out[4] = e->flags;
    out[5] = e->epoch;
    store_u16(out + 6, e->length);
    store_u64(out + 8, e->meter);
    store_u32(out + 16, e->transaction);
    store_u64(out + 20, e->counter);
}

static err handshake_check(const struct envelope *e)
{
    if (e->flags != 0 || e->transaction != 0 || e->counter != 0) {
        FAIL(ERR_PROTO, "flags, transaction and counter of a handshake frame must be 0");
    }
    if (e->length > ENVELOPE_BODY_BYTES_MAX) {
        FAIL(ERR_PROTO, "length %u, at most %d", e->length, ENVELOPE_BODY_BYTES_MAX);
    }
    return OK;
}

static err traffic_check(const struct envelope *e, const struct type_rule *rule)
{
    bool sealed = (e->flags & ENVELOPE_SEALED) != 0;
    uint16_t want = sealed ? rule->sealed_bytes : rule->clear_bytes;

    if (want == 0) {
        FAIL(ERR_PROTO, "frame of type %u must be sealed", e->type);
    }
    if (e->length != want) {
        FAIL(ERR_PROTO, "length %u of a frame of type %u, it must be %u", e->length, e->type, want);
    }
    if (sealed == (e->counter == 0)) {
        FAIL(ERR_PROTO, "counter is 0 in a clear frame, and never 0 in a sealed one");
    }
    if (!sealed && e->flags != 0) {
        FAIL(ERR_PROTO, "flags 0x%02x in a clear frame", e->flags);
    }
    if (e->type == ENVELOPE_PUSH && e->transaction != 0) {
        FAIL(ERR_PROTO, "transaction of a PUSH must be 0");
    }
    return OK;
}

static err fields_check(const struct envelope *e)
{
    if (e->type < ENVELOPE_HELLO || e->type > ENVELOPE_CLOSE) {
        FAIL(ERR_PROTO, "frame type %u is none of 1 to 7", e->type);
    }
    if ((e->flags & ~FLAGS_KNOWN) != 0) {
        FAIL(ERR_PROTO, "frame flags 0x%02x: the upper four must be 0", e->flags);
    }
    const struct type_rule *rule = &rules[e->type];
    return rule->handshake ? handshake_check(e) : traffic_check(e, rule);
}

err envelope_parse(struct bytes header, struct envelope *out)
{
    struct envelope e;
    uint16_t magic;
    uint8_t version;

    TRY(bytes_read_u16(&header, &magic));
    TRY(bytes_read_u8(&header, &version));
    TRY(bytes_read_u8(&header, &e.type));
    TRY(bytes_read_u8(&header, &e.flags));
    TRY(bytes_read_u8(&header, &e.epoch));
    TRY(bytes_read_u16(&header, &e.length));
    TRY(bytes_read_u64(&header, &e.meter));
    TRY(bytes_read_u32(&header, &e.transaction));
    TRY(bytes_read_u64(&header, &e.counter));
    if (magic != ENVELOPE_MAGIC) {
        FAIL(ERR_PROTO, "frame magic 0x%04x, it must be 0x%04x", magic, ENVELOPE_MAGIC);
    }
    if (version != ENVELOPE_VERSION) {
        FAIL(ERR_PROTO, "frame version %u, it must be %d", version, ENVELOPE_VERSION);
    }
    TRY(fields_check(&e));
    *out = e;
    return OK;
}

err envelope_take(struct bytes *in, struct envelope *out, struct bytes *frame)
{
    struct bytes rest = *in;
    struct envelope e;

    if (rest.len < ENVELOPE_HEADER_BYTES) {
        return (err){ ERR_AGAIN }; /* the usual end of a read: no text */
    }
    TRY(envelope_parse((struct bytes){ rest.ptr, ENVELOPE_HEADER_BYTES }, &e));
    if (rest.len < ENVELOPE_HEADER_BYTES + (size_t)e.length) {
        return (err){ ERR_AGAIN };
    }
    TRY(bytes_read(&rest, ENVELOPE_HEADER_BYTES + (size_t)e.length, frame));
    *in = rest;
    *out = e;
    return OK;
}

/* --- SIG --- */

/* The reasons a signal may carry: 0 to this, but NAK begins at 1. */
static err reason_check(const struct signal *s)
{
    uint8_t lowest = s->signal == NBR_NAK ? NAK_INNER_CRC : 0;
    uint8_t highest = 0;

    switch (s->signal) {
    case NBR_NAK: highest = NAK_BAD_PARAMETER; break;
    case NBR_ACK: highest = ACK_SEALS; break;
    case NBR_ENQ:
    case NBR_WAIT: break;
    default: FAIL(ERR_PROTO, "signal 0x%02x is none of ENQ, ACK, NAK, WAIT", s->signal);
    }
    if (s->reason < lowest || s->reason > highest) {
        FAIL(ERR_PROTO, "reason %u of signal 0x%02x", s->reason, s->signal);
    }
    return OK;
}

void signal_encode(const struct signal *s, uint8_t out[SIGNAL_BYTES])
{
    out[0] = s->signal;
    out[1] = s->reason;
    store_u16(out + 2, 0);
    store_u32(out + 4, s->value);
}

err signal_parse(struct bytes octets, struct signal *out)
{
    struct signal s;
    uint16_t zero;

    if (octets.len != SIGNAL_BYTES) {
        FAIL(ERR_PROTO, "signal of %zu octets, it must have %d", octets.len, SIGNAL_BYTES);
    }
    TRY(bytes_read_u8(&octets, &s.signal));
    TRY(bytes_read_u8(&octets, &s.reason));
    TRY(bytes_read_u16(&octets, &zero));
    TRY(bytes_read_u32(&octets, &s.value));
    if (zero != 0) {
        FAIL(ERR_PROTO, "zero field of a signal is 0x%04x", zero);
    }
    TRY(reason_check(&s));
    *out = s;
    return OK;
}
