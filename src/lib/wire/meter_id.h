/* SPDX-License-Identifier: Apache-2.0 */
/* A meter's id as people, files and documents have it: 16 hex digits in lower case. */
#pragma once

#include <inttypes.h>

#include "lib/base/bytes.h"

#define METER_ID_CHARS 16
#define PRI_METER "016" PRIx64 /* printf("meter %" PRI_METER, id) */

void meter_id_text(uint64_t meter, char out[METER_ID_CHARS + 1]);
/* ERR_PROTO for any other spelling. */
err meter_id_parse(struct bytes text, uint64_t *out) MUST_USE;
