/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/intake.h"

#include "lib/wire/session.h"

#define PREFIX_BYTES 2
#define HEAD_BYTES 10 /* kind, zero, meter */
#define BLOCK_FLAGS (ENVELOPE_SEALED | ENVELOPE_URGENT | ENVELOPE_MORE | ENVELOPE_CACHED)

/* --- encoding: each kind adds its body --- */

static err meter_put(const struct intake_message *m, struct buf *out)
{
    bool known = m->meter_entry.known;

    if (m->meter_entry.spki.len > SPKI_BYTES_MAX || known != (m->meter_entry.spki.len > 0)) {
        FAIL(ERR_PROTO, "METER has a key of up to %d octets when it is known, and none otherwise",
             SPKI_BYTES_MAX);
    }
    TRY(buf_u8(out, known ? 0 : 1));
    TRY(buf_u8(out, known ? m->meter_entry.suite : 0));
    TRY(buf_u16(out, (uint16_t)m->meter_entry.spki.len));
    return buf_append(out, m->meter_entry.spki);
}

static err block_put(const struct intake_message *m, struct buf *out)
{
    if (m->block.block.len != NBR_RESPONSE_BYTES) {
        FAIL(ERR_PROTO, "BLOCK of %zu octets, it has %d", m->block.block.len, NBR_RESPONSE_BYTES);
    }
    TRY(buf_u8(out, m->block.type));
    TRY(buf_u8(out, m->block.flags));
    TRY(buf_u32(out, m->block.transaction));
    return buf_append(out, m->block.block);
}

static err signal_put(const struct intake_message *m, struct buf *out)
{
    uint8_t octets[SIGNAL_BYTES];

    signal_encode(&m->signal.signal, octets);
    TRY(buf_u32(out, m->signal.transaction));
    return buf_append(out, BYTES_OF(octets));
}

static err command_put(const struct intake_message *m, struct buf *out)
{
    if (m->command.block.len != NBR_COMMAND_BYTES) {
        FAIL(ERR_PROTO, "COMMAND of %zu octets, it has %d", m->command.block.len,
             NBR_COMMAND_BYTES);
    }
    TRY(buf_u32(out, m->command.transaction));
    TRY(buf_u32(out, m->command.not_after_s));
    return buf_append(out, m->command.block);
}

static err opened_put(const struct intake_message *m, struct buf *out)
{
    TRY(buf_u8(out, m->opened.epoch));
    TRY(buf_u8(out, m->opened.clock_flags));
    TRY(buf_u32(out, m->opened.meter_s));
    return buf_u32(out, m->opened.ours_s);
}

/* --- parsing: each kind takes its body; what is left over is an error of the caller's check --- */

static err meter_take(struct bytes *body, struct intake_message *m)
{
    uint8_t status;
    uint16_t len;

    TRY(bytes_read_u8(body, &status));
    TRY(bytes_read_u8(body, &m->meter_entry.suite));
    TRY(bytes_read_u16(body, &len));
    if (status > 1) {
        FAIL(ERR_PROTO, "METER status %u, it is 0 or 1", status);
    }
    m->meter_entry.known = status == 0;
    if (len > SPKI_BYTES_MAX || m->meter_entry.known != (len > 0) ||
        (!m->meter_entry.known && m->meter_entry.suite != 0)) {
        FAIL(ERR_PROTO, "METER has a key of up to %d octets when it is known, and none otherwise",
             SPKI_BYTES_MAX);
    }
    return bytes_read(body, len, &m->meter_entry.spki);
}

static err block_take(struct bytes *body, struct intake_message *m)
{
    TRY(bytes_read_u8(body, &m->block.type));
    TRY(bytes_read_u8(body, &m->block.flags));
    TRY(bytes_read_u32(body, &m->block.transaction));
    if (m->block.type != ENVELOPE_RSP && m->block.type != ENVELOPE_PUSH) {
        FAIL(ERR_PROTO, "BLOCK of frame type %u, it is RSP or PUSH", m->block.type);
    }
    if ((m->block.flags & ~BLOCK_FLAGS) != 0) {
        FAIL(ERR_PROTO, "BLOCK flags 0x%02x: the upper four must be 0", m->block.flags);
    }
    return bytes_read(body, NBR_RESPONSE_BYTES, &m->block.block);
}

static err signal_take(struct bytes *body, struct intake_message *m)
{
    struct bytes octets;

    TRY(bytes_read_u32(body, &m->signal.transaction));
    TRY(bytes_read(body, SIGNAL_BYTES, &octets));
    return signal_parse(octets, &m->signal.signal);
}

static err command_take(struct bytes *body, struct intake_message *m)
{
    TRY(bytes_read_u32(body, &m->command.transaction));
    TRY(bytes_read_u32(body, &m->command.not_after_s));
    return bytes_read(body, NBR_COMMAND_BYTES, &m->command.block);
}

static err opened_take(struct bytes *body, struct intake_message *m)
{
    TRY(bytes_read_u8(body, &m->opened.epoch));
    TRY(bytes_read_u8(body, &m->opened.clock_flags));
    if ((m->opened.clock_flags & ~HELLO_CLOCK_UNSET) != 0) {
        FAIL(ERR_PROTO, "OPENED clock flags 0x%02x: only bit 0 is known", m->opened.clock_flags);
    }
    TRY(bytes_read_u32(body, &m->opened.meter_s));
    return bytes_read_u32(body, &m->opened.ours_s);
}

static err closed_put(const struct intake_message *m, struct buf *out)
{
    return buf_u8(out, m->closed.reason);
}

static err closed_take(struct bytes *body, struct intake_message *m)
{
    return bytes_read_u8(body, &m->closed.reason);
}

static err alarm_put(const struct intake_message *m, struct buf *out)
{
    return buf_u8(out, m->alarm.reason);
}

static err alarm_take(struct bytes *body, struct intake_message *m)
{
    return bytes_read_u8(body, &m->alarm.reason);
}

static err lookup_put(const struct intake_message *m, struct buf *out)
{
    (void)m;
    (void)out;
    return OK;
}

static err lookup_take(struct bytes *body, struct intake_message *m)
{
    (void)body;
    (void)m;
    return OK;
}

/* --- messages --- */

static const struct {
    err (*put)(const struct intake_message *m, struct buf *out);
    err (*take)(struct bytes *body, struct intake_message *m);
} kinds[] = {
    [INTAKE_LOOKUP] = { lookup_put, lookup_take },    [INTAKE_METER] = { meter_put, meter_take },
    [INTAKE_BLOCK] = { block_put, block_take },       [INTAKE_SIGNAL] = { signal_put, signal_take },
    [INTAKE_COMMAND] = { command_put, command_take }, [INTAKE_OPENED] = { opened_put, opened_take },
    [INTAKE_CLOSED] = { closed_put, closed_take },    [INTAKE_ALARM] = { alarm_put, alarm_take },
};

static bool kind_is_known(uint8_t kind)
{
    return kind >= INTAKE_LOOKUP && kind <= INTAKE_ALARM;
}

static err message_put(const struct intake_message *m, struct buf *out)
{
    size_t start = out->len;

    TRY(buf_u16(out, 0)); /* the length, known at the end */
    TRY(buf_u8(out, m->kind));
    TRY(buf_u8(out, 0));
    TRY(buf_u64(out, m->meter));
    TRY(kinds[m->kind].put(m, out));
    store_u16(out->ptr + start, (uint16_t)(out->len - start - PREFIX_BYTES));
    return OK;
}

err intake_encode(const struct intake_message *m, struct buf *out)
{
    size_t start = out->len;

    if (!kind_is_known(m->kind)) {
        FAIL(ERR_PROTO, "intake message of kind %u, it is 1 to 8", m->kind);
    }
    err e = message_put(m, out);
    if (e.code) {
        out->len = start; /* not half a message */
    }
    return e;
}

static err message_take(struct bytes in, struct intake_message *out)
{
    struct intake_message m = { 0 };
    uint8_t zero;

    TRY(bytes_read_u8(&in, &m.kind));
    TRY(bytes_read_u8(&in, &zero));
    TRY(bytes_read_u64(&in, &m.meter));
    if (!kind_is_known(m.kind)) {
        FAIL(ERR_PROTO, "intake message of kind %u, it is 1 to 8", m.kind);
    }
    if (zero != 0) {
        FAIL(ERR_PROTO, "zero field of an intake message is 0x%02x", zero);
    }
    TRY(kinds[m.kind].take(&in, &m));
    if (in.len > 0) {
        FAIL(ERR_PROTO, "%zu octets too many in an intake message of kind %u", in.len, m.kind);
    }
    *out = m;
    return OK;
}

err intake_take(struct bytes *in, struct intake_message *out)
{
    struct bytes rest = *in;
    struct bytes message;
    uint16_t total;

    if (rest.len < PREFIX_BYTES) {
        return (err){ ERR_AGAIN }; /* the usual end of a read: no text */
    }
    TRY(bytes_read_u16(&rest, &total));
    if (total < HEAD_BYTES || total > INTAKE_MESSAGE_BYTES_MAX - PREFIX_BYTES) {
        FAIL(ERR_PROTO, "intake message of %u octets, it has %d to %d", total, HEAD_BYTES,
             INTAKE_MESSAGE_BYTES_MAX - PREFIX_BYTES);
    }
    if (rest.len < total) {
        return (err){ ERR_AGAIN };
    }
    TRY(bytes_read(&rest, total, &message));
    TRY(message_take(message, out));
    *in = rest;
    return OK;
}
