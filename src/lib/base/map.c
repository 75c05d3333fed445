/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/map.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

static uint64_t hash_key[2];
static pthread_once_t key_drawn = PTHREAD_ONCE_INIT;

static void draw_key(void)
{
    ssize_t got = getrandom(hash_key, sizeof hash_key, 0);

    assert(got == (ssize_t)sizeof hash_key);
    (void)got;
}

static uint64_t rotate(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

/* SipHash-2-4 (Aumasson, Bernstein 2012). */
uint32_t map_hash(const void *key, size_t size)
{
    const uint8_t *at = key;
    uint64_t last = (uint64_t)size << 56;

    pthread_once(&key_drawn, draw_key);
    uint64_t v[4] = {
        hash_key[0] ^ UINT64_C(0x736f6d6570736575),
        hash_key[1] ^ UINT64_C(0x646f72616e646f6d),
        hash_key[0] ^ UINT64_C(0x6c7967656e657261),
        hash_key[1] ^ UINT64_C(0x7465646279746573),
    };
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        sip_word(v, word);
    }
    for (size_t i = 0; i < size; i++) {
        last |= (uint64_t)at[i] << (8 * i);
    }
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(v);
    }
    return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}
