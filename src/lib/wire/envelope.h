/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope around NBR blocks between meter and authenticator (docs/protocol.md 3.1).
 *
 * An aggregator reads the header and nothing else. A stream of frames needs no other framing: the
 * header carries the length. */
#pragma once

#include "lib/base/bytes.h"

#define ENVELOPE_HEADER_BYTES 28
#define ENVELOPE_MAGIC 0x4D53
#define ENVELOPE_BODY_BYTES_MAX 2048
#define ENVELOPE_FRAME_BYTES_MAX (ENVELOPE_HEADER_BYTES + ENVELOPE_BODY_BYTES_MAX)

enum envelope_type {
    ENVELOPE_HELLO = 1,
    ENVELOPE_HELLO_OK = 2,
    ENVELOPE_CMD = 3,
    ENVELOPE_RSP = 4,
    ENVELOPE_PUSH = 5,
    ENVELOPE_SIG = 6,
    ENVELOPE_CLOSE = 7,
};

enum envelope_flag {
    ENVELOPE_SEALED = 0x01,
    ENVELOPE_URGENT = 0x02,
    ENVELOPE_MORE = 0x04,
    ENVELOPE_CACHED = 0x08,
};

struct envelope {
    uint8_t type;
    uint8_t flags;
    uint8_t epoch;
    uint16_t length; /* octets behind the header, tag included */
    uint64_t meter;
    uint32_t transaction;
    uint64_t counter; /* 0 when not sealed */
};

void envelope_encode(const struct envelope *e, uint8_t out[ENVELOPE_HEADER_BYTES]);

/* Magic, version, type, flags, and that the length is one this type can have (handshake bodies have
 * their suite's sizes, checked there; at most 2,048). ERR_PROTO, naming the field. */
err envelope_parse(struct bytes header, struct envelope *out) MUST_USE;

/* Takes one frame off a stream: `frame` is header and body. ERR_AGAIN: not all of it is there yet,
 * `in` is untouched. ERR_PROTO: the stream is lost, close it. */
err envelope_take(struct bytes *in, struct envelope *out, struct bytes *frame) MUST_USE;

/* Body of a SIG frame, 8 octets: signal, reason, zero 2, value 4. */
#define SIGNAL_BYTES 8
struct signal {
    uint8_t signal; /* enum nbr_signal */
    uint8_t reason;
    uint32_t value;
};
enum nak_reason {
    NAK_INNER_CRC = 1,
    NAK_INNER_SERIAL = 2,
    NAK_EXPIRED = 3,
    NAK_QUEUE_FULL = 4,
    NAK_UNKNOWN_SUBCODE = 5,
    NAK_BAD_PARAMETER = 6,
};
/* Reasons of an ACK: what `value` counts (ours; the reference leaves the seal's ACK open). */
enum ack_reason {
    ACK_REPORTS = 0, /* all sequences up to value are durably stored or known missing */
    ACK_SEALS = 1,   /* value = end_s of a day: its seal and all before are durably stored */
};
void signal_encode(const struct signal *s, uint8_t out[SIGNAL_BYTES]);
err signal_parse(struct bytes octets, struct signal *out) MUST_USE;
