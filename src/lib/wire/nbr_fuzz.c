/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "lib/wire/nbr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A block that parses has a CRC residue of zero, and mending the CRC changes nothing of it. */
static void check_block(const uint8_t *data, size_t size)
{
    uint8_t copy[NBR_RESPONSE_BYTES];

    assert(nbr_crc(0, (struct bytes){ data, size }) == 0);
    memcpy(copy, data, size);
    nbr_crc_set(copy, size);
    assert(memcmp(copy, data, size) == 0);
}

/* Random octets seldom carry a good CRC: the block is also tried with it mended. */
static void try_both(const uint8_t *data, size_t size)
{
    struct nbr_command c;
    struct nbr_response r;

    if (!nbr_command_parse((struct bytes){ data, size }, &c).code) {
        assert(c.reader <= 999999 && c.parameters == data + 4);
        check_block(data, size);
    }
    if (!nbr_response_parse((struct bytes){ data, size }, &r).code) {
        assert(r.data == data + NBR_RESPONSE_DATA);
        check_block(data, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t block[NBR_RESPONSE_BYTES] = { 0 };

    try_both(data, size);
    memcpy(block, data, size < sizeof block ? size : sizeof block);
    nbr_crc_set(block, NBR_RESPONSE_BYTES);
    try_both(block, NBR_RESPONSE_BYTES);
    nbr_crc_set(block, NBR_COMMAND_BYTES);
    try_both(block, NBR_COMMAND_BYTES);
    return 0;
}
