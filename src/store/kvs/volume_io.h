/* SPDX-License-Identifier: Apache-2.0 */
/* The seam below the sealed volume: one storage node, which sees only sealed octets and is trusted
 * with nothing but keeping them.
 *
 * volume_dir.h keeps them in a directory; tests have a node in memory that loses, tears and fails.
 * Objects are written once, front to back, under a random name; log segments are written frame by
 * frame; the root is two slots; the anchor lives elsewhere, where the node's owner cannot roll it
 * back. Every function but the plain reads may be called by several threads for different things.
 *
 * Codes: ERR_MISSING absent, ERR_LIMIT "disk full", ERR_IO the rest, ERR_CONFLICT present. */
#pragma once

#include "lib/base/bytes.h"

#define VOLUME_NAME_BYTES 41 /* 32 hex, '.', generation 4 hex, '.', index 2 hex, NUL */
#define VOLUME_ROOT_SLOT_BYTES 4096
#define VOLUME_ANCHOR_SLOT_BYTES 512

struct volume_node_object {
    const char *name; /* borrowed */
    uint64_t size;
};
typedef void (*volume_object_fn)(void *arg, const struct volume_node_object *object);
typedef void (*volume_segment_fn)(void *arg, const uint8_t id[16]);

struct volume_io {
    void *self;

    /* An object in the making: appended to, then sealed: durable under its name, immutable. */
    err (*object_create)(void *self, const char *name, void **out);
    /* After ERR_LIMIT it may be repeated, and writes at the same place. */
    err (*object_append)(void *self, void *object, struct bytes data);
    err (*object_seal)(void *self, void *object); /* durable on return; frees on success */
    void (*object_drop)(void *self, void *object); /* gives up an unsealed one */

    err (*object_open)(void *self, const char *name, void **out, uint64_t *out_size);
    /* Exactly `size` octets, or ERR_CORRUPT when the object is shorter. */
    err (*object_read)(void *self, void *object, uint64_t offset, uint8_t *out, size_t size);
    void (*object_close)(void *self, void *object);
    err (*object_delete)(void *self, const char *name); /* absent is fine */
    err (*object_list)(void *self, volume_object_fn fn, void *arg);
    /* Sets an object aside that nothing names: kept for some days, in case the state was wrong. */
    err (*object_quarantine)(void *self, const char *name);

    /* A segment of `size` octets: what was there before does not matter. */
    err (*segment_create)(void *self, const uint8_t id[16], uint64_t size, void **out);
    err (*segment_open)(void *self, const uint8_t id[16], void **out, uint64_t *out_size);
    /* Durable on return. `offset` and data.len are multiples of 4,096, and so is data.ptr. */
    err (*segment_append)(void *self, void *segment, uint64_t offset, struct bytes data);
    err (*segment_read)(void *self, void *segment, uint64_t offset, uint8_t *out, size_t size);
    void (*segment_close)(void *self, void *segment);
    err (*segment_delete)(void *self, const uint8_t id[16]); /* closed before; absent is fine */
    err (*segment_quarantine)(void *self, const uint8_t id[16]);
    err (*segment_list)(void *self, volume_segment_fn fn, void *arg);
    /* How many segments of `size` octets can be had without new room on the disk; NULL: none. */
    unsigned (*segments_ready)(void *self, uint64_t size);

    /* Two slots. An absent root reads as zeros and *out_present = false. */
    err (*root_get)(void *self, uint8_t out[2 * VOLUME_ROOT_SLOT_BYTES], bool *out_present);
    err (*root_put)(void *self, unsigned slot, struct bytes data); /* durable on return */

    /* Two slots again; both NULL where there is no anchor. `durable` also survives a power cut. */
    err (*anchor_get)(void *self, uint8_t out[2 * VOLUME_ANCHOR_SLOT_BYTES], bool *out_present);
    err (*anchor_put)(void *self, unsigned slot, struct bytes data, bool durable);

    err (*space)(void *self, uint64_t *out_free_bytes);
    uint64_t (*utc_s)(void *self);
    uint64_t (*now_us)(void *self);
    void (*random)(void *self, void *out, size_t size);
};
