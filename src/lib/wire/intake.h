/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between authenticator and collector, over attested TLS: clear blocks with the meter they
 * come from. Length-prefixed: total u16 (octets behind it), kind u8, zero u8, meter u64, body.
 *
 *   kind       from            body
 *   LOOKUP     authenticator   empty: who is this meter?
 *   METER      collector       status u8 (0 known, 1 unknown), suite u8, spki length u16, spki
 *   BLOCK      authenticator   frame type u8 (RSP, PUSH), flags u8, transaction u32, RESPONSE 258
 *   SIGNAL     both            transaction u32, signal body 8
 *   COMMAND    collector       transaction u32, not after u32 (UTC s), COMMAND 66
 *   OPENED     authenticator   epoch u8, clock flags u8, meter's clock u32, ours u32
 *   CLOSED     authenticator   reason u8
 *   ALARM      authenticator   reason u8 (enum nak_reason): a good tag around a bad block */
#pragma once

#include "lib/base/buf.h"
#include "lib/crypto/sign.h"
#include "lib/wire/envelope.h"
#include "lib/wire/nbr.h"

enum intake_kind {
    INTAKE_LOOKUP = 1,
    INTAKE_METER = 2,
    INTAKE_BLOCK = 3,
    INTAKE_SIGNAL = 4,
    INTAKE_COMMAND = 5,
    INTAKE_OPENED = 6,
    INTAKE_CLOSED = 7,
    INTAKE_ALARM = 8,
};

#define INTAKE_MESSAGE_BYTES_MAX 1024

struct intake_message {
    uint8_t kind;
    uint64_t meter;
    union {
        struct {
            bool known;
            uint8_t suite;
            struct bytes spki; /* borrowed */
        } meter_entry;
        struct {
            uint8_t type; /* enum envelope_type: RSP or PUSH */
            uint8_t flags;
            uint32_t transaction;
            struct bytes block; /* 258 octets, borrowed */
        } block;
        struct {
            uint32_t transaction;
            struct signal signal;
        } signal;
        struct {
            uint32_t transaction;
            uint32_t not_after_s;
            struct bytes block; /* 66 octets, borrowed */
        } command;
        struct {
            uint8_t epoch;
            uint8_t clock_flags;
            uint32_t meter_s;
            uint32_t ours_s;
        } opened;
        struct {
            uint8_t reason;
        } closed;
        struct {
            uint8_t reason;
        } alarm;
    };
};

err intake_encode(const struct intake_message *m, struct buf *out) MUST_USE;
/* Takes one message off the front. ERR_AGAIN: more octets are needed; ERR_PROTO: close the stream.
 */
err intake_take(struct bytes *in, struct intake_message *out) MUST_USE;
