/* SPDX-License-Identifier: Apache-2.0 */
/* What every secret needs: to be compared in constant time and to be wiped. */
#pragma once

#include "lib/base/bytes.h"

bool crypto_equal(struct bytes a, struct bytes b); /* constant time for equal lengths */
void wipe(void *p, size_t size);                   /* the compiler may not leave it out */

/* A symmetric key of 16 or 32 octets. Never formatted, never logged; wiped by key_done. */
struct key {
    uint8_t octets[32];
    size_t size; /* 16 or 32 */
};

void key_done(struct key *k);
