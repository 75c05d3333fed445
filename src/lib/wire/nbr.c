/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/nbr.h"

#include <assert.h>
#include <string.h>

#define CRC_POLYNOMIAL 0xA001 /* x^16 + x^15 + x^2 + 1, reflected */
#define CRC_SLICES 8
#define CRC_BYTES 2
#define RESPONSE_SERIAL_AT 1
#define COMMAND_PARAMETERS_AT 4

/* crc_table[k][b]: what octet b does to the CRC when k octets follow it. Eight octets a step make
 * the inner CRC cheaper than the decryption around it. */
static uint16_t crc_table[CRC_SLICES][256];

/* Before main, so that no caller pays for a check and no thread sees half a table. */
__attribute__((constructor)) static void crc_table_fill(void)
{
    for (unsigned b = 0; b < 256; b++) {
        unsigned crc = b;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ CRC_POLYNOMIAL : crc >> 1;
        }
        crc_table[0][b] = (uint16_t)crc;
    }
    for (unsigned k = 1; k < CRC_SLICES; k++) {
        for (unsigned b = 0; b < 256; b++) {
            unsigned before = crc_table[k - 1][b];
            crc_table[k][b] = (uint16_t)(crc_table[0][before & 0xFF] ^ before >> 8);
        }
    }
}

static uint16_t crc_step_8(uint16_t crc, const uint8_t *p)
{
    return (uint16_t)(crc_table[7][p[0] ^ (crc & 0xFF)] ^ crc_table[6][p[1] ^ crc >> 8] ^
                      crc_table[5][p[2]] ^ crc_table[4][p[3]] ^ crc_table[3][p[4]] ^
                      crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]]);
}

uint16_t nbr_crc(uint16_t crc, struct bytes octets)
{
    const uint8_t *p = octets.ptr;
    size_t left = octets.len;

    for (; left >= CRC_SLICES; left -= CRC_SLICES, p += CRC_SLICES) {
        crc = crc_step_8(crc, p);
    }
    for (; left > 0; left--, p++) {
        crc = (uint16_t)(crc_table[0][(crc ^ *p) & 0xFF] ^ crc >> 8);
    }
    return crc;
}

void nbr_crc_set(uint8_t *block, size_t size)
{
    assert(size == NBR_COMMAND_BYTES || size == NBR_RESPONSE_BYTES);
    uint16_t crc = nbr_crc(0, (struct bytes){ block, size - CRC_BYTES });
    store_u16_le(block + size - CRC_BYTES, crc);
}

static bool is_bcd(uint8_t octet)
{
    return octet >> 4 <= 9 && (octet & 15) <= 9;
}

static bool is_code(uint8_t code)
{
    bool signal = code == NBR_ENQ || code == NBR_ACK || code == NBR_NAK || code == NBR_WAIT;

    return code == NBR_EXTENSION || (code != 0 && is_bcd(code) && !signal);
}

/* What both kinds of block share: size, CRC, code, a serial number of `digits` BCD octets. */
static err check_block(struct bytes block, size_t size, size_t serial_bytes)
{
    if (block.len != size) {
        FAIL(ERR_PROTO, "NBR block of %zu octets, %zu wanted", block.len, size);
    }
    if (nbr_crc(0, block) != 0) {
        FAIL(ERR_PROTO, "NBR block: the CRC is wrong");
    }
    if (!is_code(block.ptr[0])) {
        FAIL(ERR_PROTO, "NBR block: code 0x%02x cannot be a command", block.ptr[0]);
    }
    for (size_t i = 0; i < serial_bytes; i++) {
        if (!is_bcd(block.ptr[1 + i])) {
            FAIL(ERR_PROTO, "NBR block: serial number octet %zu is 0x%02x, not BCD", i,
                 block.ptr[1 + i]);
        }
    }
    return OK;
}

static uint32_t bcd_value(const uint8_t *p, size_t count)
{
    uint32_t v = 0;

    for (size_t i = 0; i < count; i++) {
        v = v * 100 + (uint32_t)(p[i] >> 4) * 10 + (p[i] & 15);
    }
    return v;
}

err nbr_command_parse(struct bytes block, struct nbr_command *out)
{
    TRY(check_block(block, NBR_COMMAND_BYTES, 3));
    *out = (struct nbr_command){
        .code = block.ptr[0],
        .reader = bcd_value(block.ptr + 1, 3),
        .parameters = block.ptr + COMMAND_PARAMETERS_AT,
    };
    return OK;
}

err nbr_response_parse(struct bytes block, struct nbr_response *out)
{
    TRY(check_block(block, NBR_RESPONSE_BYTES, 4));
    *out = (struct nbr_response){
        .code = block.ptr[0],
        .meter = load_u32(block.ptr + RESPONSE_SERIAL_AT),
        .data = block.ptr + NBR_RESPONSE_DATA,
    };
    return OK;
}
