/* SPDX-License-Identifier: Apache-2.0 */
/* The root (two slots, written in turn) and the anchor outside the storage.
 *
 * Nonces: each opening draws a salt, and with it a key, of its own; `writes` counts up. */
#include <inttypes.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

#define ANCHOR_SYNC_US (1 * US_PER_S) /* a power cut costs the anchor at most so much */
#define US_PER_S UINT64_C(1000000)

/* --- root ---------------------------------------------------------------------------------- */

/* The valid slot with more writes. A torn write leaves the other one. */
static err root_choose(struct volume *v, const uint8_t *slots, struct kvs_root *out)
{
    bool any = false;

    for (unsigned i = 0; i < 2; i++) {
        struct kvs_root r;
        struct bytes raw = { slots + (size_t)i * VOLUME_ROOT_SLOT_BYTES, VOLUME_ROOT_SLOT_BYTES };
        if (!kvs_root_open(v->log.aead, &v->config.root_key, raw, &r).code &&
            (!any || r.writes > out->writes)) {
            *out = r;
            any = true;
        }
    }
    if (!any) {
        FAIL(ERR_CORRUPT, "root: neither of its slots opens: the root key is another one, or the "
                          "file was changed");
    }
    return OK;
}

/* The very first write of a root was torn: the other slot was never used, so nothing was committed
 * yet (the caller checks that), and making the volume begins anew. */
static bool root_unborn(const uint8_t *slots)
{
    bool used[2] = { false, false };

    for (size_t i = 0; i < (size_t)2 * VOLUME_ROOT_SLOT_BYTES; i++) {
        used[i / VOLUME_ROOT_SLOT_BYTES] = used[i / VOLUME_ROOT_SLOT_BYTES] || slots[i] != 0;
    }
    return !used[0] || !used[1];
}

err volume_root_load(struct volume *v, bool *out_present)
{
    static const uint8_t zero[16];
    AUTO(mem_givep) uint8_t *slots = mem_take(2 * VOLUME_ROOT_SLOT_BYTES);
    bool present;

    if (slots == NULL) {
        FAIL(ERR_LIMIT, "no memory for the root");
    }
    TRY(v->io->root_get(v->io->self, slots, &present));
    *out_present = present;
    if (!present) {
        return OK;
    }
    err e = root_choose(v, slots, &v->root);
    if (e.code == ERR_CORRUPT && v->config.create && root_unborn(slots)) {
        *out_present = false;
        return OK;
    }
    TRY(e);
    if (memcmp(v->config.cluster, zero, sizeof zero) != 0 &&
        memcmp(v->config.cluster, v->root.cluster, sizeof zero) != 0) {
        FAIL(ERR_CONFLICT, "root: this is the volume of another cluster");
    }
    if (v->root.shard != v->config.shard) {
        FAIL(ERR_CONFLICT, "root: this is the volume of shard %u, not of %u", v->root.shard,
             v->config.shard);
    }
    memcpy(v->cluster, v->root.cluster, sizeof v->cluster);
    return OK;
}

static void root_fill(const struct volume *v, struct kvs_root *r)
{
    const struct commit_log *c = &v->log;
    const struct segment *s = c->segments[c->count - 1];

    memcpy(r->cluster, v->cluster, sizeof r->cluster);
    r->shard = v->config.shard;
    r->root_key_version = v->config.root_key_version;
    r->epoch = v->epoch;
    r->writes++;
    r->seq = c->seq;
    r->chain = c->chain;
    r->segment = s->ref.id;
    r->segment_number = s->ref.number;
    r->segment_key_epoch = s->ref.key_epoch;
    r->segment_start = s->ref.start;
    r->anchor = v->io->anchor_put != NULL ? 1 : 0; /* there is one by now, see anchor_check */
    r->ring_count = v->ring_count;
    for (uint32_t i = 0; i < v->ring_count; i++) {
        r->ring[i].epoch = v->ring[i].epoch;
        memcpy(r->ring[i].wrapped, v->ring[i].wrapped, KEY_WRAPPED_BYTES);
    }
    if (v->has_checkpoint) {
        r->checkpoint = v->checkpoint.id;
        r->checkpoint_length = v->checkpoint.length;
        r->checkpoint_epoch = v->checkpoint.epoch;
        r->checkpoint_key_epoch = v->checkpoint.key_epoch;
        r->checkpoint_digest = v->checkpoint.digest;
    }
}

/* v->root.segments_live says already which segments will be given back. */
err volume_root_write(struct volume *v)
{
    AUTO(buf_done) struct buf raw = { .max = VOLUME_ROOT_SLOT_BYTES };
    struct kvs_root *r = &v->root;

    root_fill(v, r);
    TRY(kvs_root_seal(v->log.aead, &v->config.root_key, r, &raw));
    TRY(v->io->root_put(v->io->self, (unsigned)(r->writes & 1), buf_bytes(&raw)));
    volume_anchor_update(v, true);
    return OK;
}

/* --- anchor -------------------------------------------------------------------------------- */

static err slots_choose(struct volume *v, const uint8_t *slots)
{
    bool any = false;

    for (unsigned i = 0; i < 2; i++) {
        struct kvs_anchor a;
        struct bytes raw = { slots + (size_t)i * VOLUME_ANCHOR_SLOT_BYTES, KVS_ANCHOR_BYTES };
        if (!kvs_anchor_open(&v->config.root_key, raw, &a).code &&
            (!any || a.seq > v->anchor.seq ||
             (a.seq == v->anchor.seq && a.epoch > v->anchor.epoch))) {
            v->anchor = a;
            v->anchor_writes = i + UINT64_C(1); /* the next goes to the other slot */
            any = true;
        }
    }
    /* A root says that it has an anchor only when one is written: before that, a damaged one is
     * the torn first write. */
    if (!any && v->root.anchor != 0 && !v->config.accept_rollback) {
        FAIL(ERR_CORRUPT, "anchor: it is damaged, or of another root key; open with "
                          "accept_rollback to replace it");
    }
    v->anchor_present = any;
    return OK;
}

err volume_anchor_load(struct volume *v)
{
    uint8_t slots[2 * VOLUME_ANCHOR_SLOT_BYTES];
    bool present;

    if (v->io->anchor_get == NULL) {
        return OK;
    }
    TRY(v->io->anchor_get(v->io->self, slots, &present));
    return present ? slots_choose(v, slots) : OK;
}

static err anchor_write(struct volume *v, bool durable)
{
    struct kvs_anchor a = { .shard = v->config.shard, .epoch = v->epoch, .seq = v->log.seq,
                            .chain = v->log.chain };
    uint8_t raw[KVS_ANCHOR_BYTES];

    memcpy(a.cluster, v->cluster, sizeof a.cluster);
    TRY(kvs_anchor_seal(&v->config.root_key, &a, raw));
    TRY(v->io->anchor_put(v->io->self, (unsigned)(v->anchor_writes & 1), BYTES_OF(raw), durable));
    v->anchor_writes++;
    v->anchor_seq = v->log.seq;
    return OK;
}

static err anchor_compare(const struct volume *v, bool root_present)
{
    const struct kvs_anchor *a = &v->anchor;

    if (root_present && memcmp(a->cluster, v->cluster, sizeof a->cluster) != 0) {
        FAIL(ERR_CONFLICT, "anchor: it belongs to another cluster's volume");
    }
    if (!root_present && a->epoch == 0) {
        return OK; /* written just before the first root, which did not come about */
    }
    if (!root_present || a->epoch > v->root.epoch || a->seq > v->log.seq) {
        FAIL(ERR_CORRUPT, "anchor: it knows commit %" PRIu64 " of epoch %" PRIu64 ", the storage "
             "only commit %" PRIu64 " of epoch %" PRIu64 ": an older state was put back. Bring "
             "back the newest copy, or open with accept_rollback and lose what came after",
             a->seq, a->epoch, v->log.seq, v->root.epoch);
    }
    if (!v->anchor_seen && a->seq > v->checkpoint_seq) {
        FAIL(ERR_CORRUPT, "anchor: commit %" PRIu64 " of the log is not the one that it knows: "
             "this is another history. Bring back the right copy, or open with accept_rollback",
             a->seq);
    }
    return OK;
}

err volume_anchor_check(struct volume *v, bool root_present)
{
    if (v->io->anchor_get == NULL) {
        return OK;
    }
    err e = v->anchor_present ? anchor_compare(v, root_present) : OK;
    if (!v->anchor_present && root_present && v->root.anchor != 0) {
        err_set(__FILE__, __LINE__, "anchor: it is missing, but this volume had one; bring it "
                "back, or open with accept_rollback to begin a new one");
        e.code = ERR_CORRUPT;
    }
    if (e.code && !v->config.accept_rollback) {
        return e;
    }
    v->epoch = v->anchor.epoch > v->epoch ? v->anchor.epoch : v->epoch;
    return v->anchor_present ? OK : anchor_write(v, true);
}

void volume_anchor_update(struct volume *v, bool durable)
{
    if (v->io->anchor_put == NULL) {
        return;
    }
    uint64_t now_us = v->io->now_us(v->io->self);
    durable = durable || now_us - v->anchor_durable_us >= ANCHOR_SYNC_US;
    if (anchor_write(v, durable).code) { /* the commit stands; the operator sees the anchor lag */
        v->anchor_failures++;
    } else if (durable) {
        v->anchor_durable_us = now_us;
    }
}
