/* SPDX-License-Identifier: Apache-2.0 */
/* Large values beside RocksDB: one sealed file each, under a random name, written once. Through the
 * log and blob files they would be written three times over.
 *
 * An object is there before the commit that refers to it, and goes some time after the commit that
 * no longer does, so that whoever still reads it can finish. What a crash leaves over (a file that
 * the family "objects" does not name) goes at the next open. Calls block. */
#pragma once

#include "lib/base/buf.h"
#include "store/kvs/record.h"
#include "store/kvs/volume.h"

#define OBJECT_BYTES_MIN (128u << 10) /* smaller values stay in RocksDB */
#define OBJECT_DIR "/o"

/* Its octets are durable on return, its name with the next commit. ERR_LIMIT: the disk is full. */
err object_write(struct volume *v, struct bytes value, struct object_id *out) MUST_USE;
/* Appends the whole value. ERR_MISSING: deleted meanwhile; ERR_CORRUPT: another length. */
err object_read(struct volume *v, const struct object_id *id, uint64_t len, struct buf *out)
    MUST_USE;
err object_delete(struct volume *v, const struct object_id *id) MUST_USE;
/* Appends the ids of all objects to `out`, 16 octets each. ERR_CORRUPT: a name that is none. */
err object_list(struct volume *v, struct buf *out) MUST_USE;
