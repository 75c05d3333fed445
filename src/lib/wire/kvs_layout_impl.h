/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the sources of kvs_layout.h alone. */
#pragma once

#include "lib/crypto/aead.h"

#define KVS_LAYOUT_VERSION 1

void kvs_nonce_counter(uint64_t counter, uint8_t out[AEAD_NONCE_BYTES]);
