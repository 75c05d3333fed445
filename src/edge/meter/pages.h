/* SPDX-License-Identifier: Apache-2.0 */
/* The two NBR pages that readers of the standard know, filled from the newest record: 0x14, the
 * instantaneous quantities, and 0x23, the billing registers (docs/protocol.md 2.2). One pulse of a
 * register is 1 Wh or 1 varh. Both write into a RESPONSE block behind its serial number. */
#pragma once

#include "lib/wire/record.h"

void page_phasors(const struct record *r, int32_t zone_offset_s, uint8_t *block);
void page_registers(const struct record *r, uint8_t *block);
