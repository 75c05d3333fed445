/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/volume_audit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto/aead.h"
#include "lib/crypto/hash.h"

#define SLOTS (1u << 18)

struct sealing {
    struct digest under; /* key and nonce */
    struct digest text;  /* and what was sealed */
    bool used;
};

static struct sealing slots[SLOTS];
static size_t count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

err __real_aead_seal(struct aead *a, const struct key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
                     struct bytes aad, struct bytes plain, uint8_t *out);
err __wrap_aead_seal(struct aead *a, const struct key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
                     struct bytes aad, struct bytes plain, uint8_t *out);

static void remember(const struct digest *under, const struct digest *text)
{
    size_t at = load_u32(under->octets) % SLOTS;

    while (slots[at].used && !digest_equal(&slots[at].under, under)) {
        at = (at + 1) % SLOTS;
    }
    if (slots[at].used && !digest_equal(&slots[at].text, text)) {
        fprintf(stderr, "a key sealed two texts under one nonce\n");
        abort();
    }
    if (!slots[at].used && ++count > SLOTS / 2) {
        fprintf(stderr, "the nonce audit is full\n");
        abort();
    }
    slots[at] = (struct sealing){ *under, *text, true };
}

err __wrap_aead_seal(struct aead *a, const struct key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
                     struct bytes aad, struct bytes plain, uint8_t *out)
{
    uint8_t sizes[8];
    const struct bytes under[] = { { key->octets, key->size }, { nonce, AEAD_NONCE_BYTES } };
    const struct bytes text[] = { BYTES_OF(sizes), aad, plain };

    store_u64(sizes, aad.len);
    struct digest u = sha256_parts(under, 2), t = sha256_parts(text, 3);
    pthread_mutex_lock(&lock);
    remember(&u, &t);
    pthread_mutex_unlock(&lock);
    return __real_aead_seal(a, key, nonce, aad, plain, out);
}

void volume_audit_reset(void)
{
    if (count > 0) {
        memset(slots, 0, sizeof slots);
    }
    count = 0;
}

size_t volume_audit_count(void)
{
    return count;
}
