/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/meter_id.h"

void meter_id_text(uint64_t meter, char out[METER_ID_CHARS + 1])
{
    uint8_t raw[METER_ID_CHARS / 2];

    store_u64(raw, meter);
    hex_encode(BYTES_OF(raw), out);
}

err meter_id_parse(struct bytes text, uint64_t *out)
{
    char again[METER_ID_CHARS + 1];
    uint8_t raw[METER_ID_CHARS / 2];
    bool good = !hex_decode(text, raw, sizeof raw).code;

    if (good) {
        meter_id_text(load_u64(raw), again);
        good = bytes_equal(text, bytes_of_string(again));
    }
    if (!good) {
        FAIL(ERR_PROTO, "a meter id has 16 hex digits, in lower case");
    }
    *out = load_u64(raw);
    return OK;
}
