/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/secret.h"

#include <openssl/crypto.h>

bool crypto_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

void wipe(void *p, size_t size)
{
    if (size > 0) {
        OPENSSL_cleanse(p, size);
    }
}

void key_done(struct key *k)
{
    if (k != NULL) {
        wipe(k, sizeof *k);
    }
}
