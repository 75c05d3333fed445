/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void tables_make(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        }
        tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int t = 1; t < 8; t++) {
            uint32_t before = tables[t - 1][i];
            tables[t][i] = (before >> 8) ^ tables[0][before & 0xff];
        }
    }
}

/* Eight octets a step, each through a table of its own. */
static uint32_t portable(uint32_t crc, const uint8_t *at, size_t len)
{
    pthread_once(&tables_once, tables_make);
    for (; len >= 8; len -= 8, at += 8) {
        uint32_t low = crc ^ load_u32_le(at);
        uint32_t high = load_u32_le(at + 4);
        crc = tables[7][low & 0xff] ^ tables[6][(low >> 8) & 0xff] ^
              tables[5][(low >> 16) & 0xff] ^ tables[4][low >> 24] ^ tables[3][high & 0xff] ^
              tables[2][(high >> 8) & 0xff] ^ tables[1][(high >> 16) & 0xff] ^
              tables[0][high >> 24];
    }
    for (; len > 0; len--, at++) {
        crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xff];
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *at,
                                                                 size_t len)
{
    uint64_t wide = crc;

    for (; len >= 8; len -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; len > 0; len--, at++) {
        crc = __builtin_ia32_crc32qi(crc, *at);
    }
    return crc;
}

uint32_t crc32c(struct bytes octets)
{
    if (__builtin_cpu_supports("sse4.2")) {
        return ~by_instruction(UINT32_MAX, octets.ptr, octets.len);
    }
    return ~portable(UINT32_MAX, octets.ptr, octets.len);
}
#else
uint32_t crc32c(struct bytes octets)
{
    return ~portable(UINT32_MAX, octets.ptr, octets.len);
}
#endif
