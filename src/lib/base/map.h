/* SPDX-License-Identifier: Apache-2.0 */
/* uthash with a keyed hash, and without exit() when memory is full.
 *
 * Macros stay inside the module that owns a map; others see functions. Every map has a count bound.
 * An item has `bool map_full`: an insert that found no memory sets it, and the insert function of
 * the module turns it into ERR_LIMIT. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"

/* SipHash-2-4 under a key drawn per process, so that outside keys cannot be made to collide. */
uint32_t map_hash(const void *key, size_t size);

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) mem_take(size)
#define uthash_free(p, size) mem_give(p)
#define uthash_nonfatal_oom(item) ((item)->map_full = true)
#define HASH_FUNCTION(key, size, out) ((out) = map_hash((key), (size)))
#include <uthash.h>
