/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/random.h"

#include <openssl/rand.h>

#include "lib/crypto/ossl.h"

#define RANDOM_STEP_BYTES 65536 /* OpenSSL counts in int */

void random_fill(void *out, size_t size)
{
    uint8_t *at = out;

    while (size > 0) {
        size_t part = size < RANDOM_STEP_BYTES ? size : RANDOM_STEP_BYTES;
        if (RAND_bytes(at, (int)part) != 1) {
            ossl_die("the system gives no random octets");
        }
        at += part;
        size -= part;
    }
}
