/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli, reflected 0x82f63b78): finds accidents on disks. It proves nothing against
 * an attacker; tags do. */
#pragma once

#include "lib/base/bytes.h"

uint32_t crc32c(struct bytes octets);
