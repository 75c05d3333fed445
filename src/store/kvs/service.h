/* SPDX-License-Identifier: Apache-2.0 */
/* The key-value store as a service: its settings, its start, its graceful stop. */
#pragma once

#include "lib/service/service.h"

struct kvs_config {
    struct service_common common; /* first */
    const char *listen;
    const char *data_dir;
    const char *root_key_file;
    const char *api_keys_file;
    const char *anchor_file;
    bool create;
    bool accept_rollback;
    uint64_t memory_max_bytes;
    uint64_t block_cache_bytes;
    uint64_t memtable_bytes;
    uint64_t bodies_bytes;
    uint64_t connections_max;
    uint64_t reader_count;
    uint64_t job_count;
    uint64_t disk_reserve_bytes;
};

extern const struct service kvs_service;

/* 32 octets as 64 hex digits and at most a newline, in a file of mode 0600. ERR_AUTH, ERR_PROTO,
 * ERR_MISSING name the file. */
struct key;
err root_key_read(const char *path, struct key *out) MUST_USE;

/* ERR_LIMIT: the memory of these settings together is above memory_max_bytes. */
err kvs_memory_check(const struct kvs_config *c) MUST_USE;
