/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of ABNT NBR 14522: a COMMAND has 66 octets, a RESPONSE 258, always; the last two are a
 * CRC-16/ARC over the rest, low octet first (docs/protocol.md). Shared by the serial line, the
 * simulator and the sealed envelope. */
#pragma once

#include "lib/base/bytes.h"

#define NBR_COMMAND_BYTES 66
#define NBR_RESPONSE_BYTES 258
#define NBR_RESPONSE_DATA 5 /* where the data of a response begins */

enum nbr_code {
    NBR_PHASORS = 0x14,         /* instantaneous quantities */
    NBR_REGISTERS = 0x23,       /* current billing registers */
    NBR_NOT_IMPLEMENTED = 0x39, /* response only; octet 5 names the command */
    NBR_OCCURRENCE = 0x40,      /* response only */
    NBR_EXTENSION = 0xE2,       /* sub-code at octet 4 (command) or 5 (response) */
};

enum nbr_extension { /* sub-codes of 0xE2, docs/protocol.md 3.7 */
    NBR_EXT_REPORT = 0xA1,       /* a report, PUSH only */
    NBR_EXT_READ_REPORTS = 0xA2, /* reports a to b */
    NBR_EXT_CLOCK = 0xA3,
    NBR_EXT_SEAL = 0xA7, /* daily seal, in parts */
};

/* In commands of the extension: the UTC second after which a meter refuses them, 0 = none. In the
 * last octets before the CRC, which no sub-code uses. */
#define NBR_NOT_AFTER_AT 60

enum nbr_signal { NBR_ENQ = 0x05, NBR_ACK = 0x06, NBR_NAK = 0x15, NBR_WAIT = 0x10 };

/* CRC-16/ARC: reflected 0xA001, start `crc` 0x0000, no final XOR. Check of "123456789": 0xBB3D.
 * The TCP gateway uses the same polynomial from 0xFFFF. */
uint16_t nbr_crc(uint16_t crc, struct bytes octets);

/* Writes the CRC into the last two octets of a block of 66 or 258. */
void nbr_crc_set(uint8_t *block, size_t size);

struct nbr_command {
    uint8_t code;
    uint32_t reader;            /* serial of the reader, six BCD digits as a number */
    const uint8_t *parameters;  /* 60 octets at offset 4, borrowed */
};

struct nbr_response {
    uint8_t code;
    uint32_t meter; /* serial of the meter, eight BCD digits as read: 12345678 is 0x12345678 */
    const uint8_t *data;  /* 251 octets at offset 5, borrowed */
};

/* ERR_PROTO: another size, CRC, a code that cannot be one (not BCD, or a signal; 0xE2 is allowed),
 * a BCD digit above 9; the text names the field. */
err nbr_command_parse(struct bytes block, struct nbr_command *out) MUST_USE;
err nbr_response_parse(struct bytes block, struct nbr_response *out) MUST_USE;
