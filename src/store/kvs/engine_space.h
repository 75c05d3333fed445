/* SPDX-License-Identifier: Apache-2.0 */
/* How a space is kept: its entry in the family "default", and its family's name, from which alone
 * its options must be known when RocksDB opens. */
#pragma once

#include "store/kvs/engine.h"

/* "s<8 hex id>.0.<g|s><c|n><t|e>": general or series, compressed or not, with a time to live or for
 * ever. The 0 is the policy slot. */
void space_family_name(uint32_t id, const struct space_settings *s,
                       char out[KVS_FAMILY_NAME_MAX + 1]);
/* The options that a family of that name has; other names get those of the engine's own. Without
 * the filter that drops expired records: that is space_ttl_filter. */
void space_family_options(const char *name, struct kvs_family_options *out);
/* Asks the engine's clock; the family frees it. */
rocksdb_compactionfilter_t *space_ttl_filter(struct engine *e);

/* Key "s/<name>": id u32, flags u32 (1 series, 2 compress), quota_bytes, quota_keys, ttl_s u64. */
#define SPACE_ENTRY_BYTES 32
void space_entry_write(const struct space *s, uint8_t out[SPACE_ENTRY_BYTES]);
err space_entry_read(struct bytes raw, struct space *out) MUST_USE;

/* Key "u/<8 hex id>": keys u64, octets u64. */
#define SPACE_USAGE_BYTES 16
