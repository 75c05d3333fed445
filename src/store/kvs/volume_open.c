/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a volume. */
#include <assert.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

static void volume_release(struct volume *v)
{
    struct inode *n, *next;

    HASH_ITER(by_ino, v->inos, n, next) {
        assert(n->refs == 0);
        volume_inode_free(v, n);
    }
    volume_log_done(v);
    volume_scratch_done(v);
    volume_keys_done(v);
    buf_done(&v->edits);
    buf_done(&v->frame_text);
    pthread_cond_destroy(&v->turn);
    pthread_mutex_destroy(&v->lock);
    pthread_mutex_destroy(&v->scratch_lock);
    wipe(v, sizeof *v);
    mem_give(v);
}

static err config_check(const struct volume_config *c)
{
    if (c->root_key.size != 32) {
        FAIL(ERR_LIMIT, "the root key has 32 octets, not %zu", c->root_key.size);
    }
    if (c->segment_bytes % KVS_FRAME_ALIGN != 0 ||
        (c->segment_bytes != 0 && c->segment_bytes < 16 * KVS_FRAME_ALIGN)) {
        FAIL(ERR_LIMIT, "segment_bytes %u: a multiple of %d, at least %d", c->segment_bytes,
             KVS_FRAME_ALIGN, 16 * KVS_FRAME_ALIGN);
    }
    return OK;
}

static err volume_new(const struct volume_config *config, const struct volume_io *io,
                      struct volume **out)
{
    struct volume *v = mem_take(sizeof *v);

    if (v == NULL) {
        FAIL(ERR_LIMIT, "no memory for a volume");
    }
    v->io = io;
    v->config = *config;
    v->config.segment_bytes = config->segment_bytes != 0 ? config->segment_bytes
                                                         : VOLUME_SEGMENT_BYTES;
    v->config.checkpoint_bytes = config->checkpoint_bytes != 0
                                     ? config->checkpoint_bytes
                                     : UINT64_C(4) * v->config.segment_bytes;
    pthread_mutex_init(&v->lock, NULL);
    pthread_mutex_init(&v->scratch_lock, NULL);
    pthread_cond_init(&v->turn, NULL);
    v->last = &v->first;
    v->next_ino = 1;
    v->edits.max = EDITS_BYTES_MAX;
    v->frame_text.max = VOLUME_FRAME_BYTES_MAX;
    err e = aead_new(&v->log.aead);
    if (e.code) {
        volume_release(v);
        return e;
    }
    *out = v;
    return OK;
}

/* --- a new volume -------------------------------------------------------------------------- */

static void object_counted(void *arg, const struct volume_node_object *object)
{
    (void)object;
    ++*(uint64_t *)arg;
}

static err nothing_there(struct volume *v)
{
    uint64_t objects = 0;

    TRY(v->io->object_list(v->io->self, object_counted, &objects));
    if (objects > 0 && !v->config.accept_rollback) {
        FAIL(ERR_CORRUPT, "root: it is missing, but %llu sealed files are there; bring it back",
             (unsigned long long)objects);
    }
    return volume_log_strangers(v, false);
}

static err state_new(struct volume *v)
{
    static const uint8_t zero[16];

    if (!v->config.create) {
        FAIL(ERR_MISSING, "there is no volume here; give the right path, or create one");
    }
    TRY(nothing_there(v));
    memcpy(v->cluster, v->config.cluster, sizeof v->cluster);
    if (memcmp(v->cluster, zero, sizeof zero) == 0) {
        v->io->random(v->io->self, v->cluster, sizeof v->cluster);
    }
    TRY(volume_keys_new(v));
    v->log.chain = kvs_chain_start(v->cluster, v->config.shard);
    return OK;
}

static err state_load(struct volume *v)
{
    TRY(volume_keys_load(v, &v->root));
    TRY(volume_checkpoint_load(v));
    TRY(volume_log_load(v));
    v->epoch = v->root.epoch;
    return volume_log_strangers(v, false);
}

/* --- orphans ------------------------------------------------------------------------------- */

/* Ids that entries name, sorted, to be compared with what the node has. */
struct known {
    struct volume *v;
    struct kvs_id *ids;
    size_t count;
    char (*orphans)[KVS_NAME_BYTES];
    size_t orphan_count, orphan_cap;
    err result;
};

static int id_compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct kvs_id));
}

static err known_collect(struct known *k)
{
    struct volume *v = k->v;
    struct inode *n, *next;

    k->ids = mem_take((HASH_CNT(by_ino, v->inos) + 1) * sizeof *k->ids);
    if (k->ids == NULL) {
        FAIL(ERR_LIMIT, "no memory to look for orphans");
    }
    HASH_ITER(by_ino, v->inos, n, next) {
        if (n->sealed) {
            k->ids[k->count++] = n->entry.id;
        }
    }
    if (v->has_checkpoint) {
        k->ids[k->count++] = v->checkpoint.id;
    }
    qsort(k->ids, k->count, sizeof *k->ids, id_compare);
    return OK;
}

static void object_judged(void *arg, const struct volume_node_object *object)
{
    struct known *k = arg;
    struct kvs_id id;

    if (k->result.code || kvs_name_parse(object->name, &id).code ||
        bsearch(&id, k->ids, k->count, sizeof id, id_compare) != NULL) {
        return;
    }
    if (k->orphan_count == k->orphan_cap) {
        size_t cap = k->orphan_cap == 0 ? 64 : 2 * k->orphan_cap;
        void *more = mem_resize(k->orphans, cap * sizeof *k->orphans);
        if (more == NULL) {
            k->result.code = ERR_LIMIT;
            return;
        }
        k->orphans = more;
        k->orphan_cap = cap;
    }
    memcpy(k->orphans[k->orphan_count++], object->name, KVS_NAME_BYTES);
}

/* What no entry names was never committed, or is of a state that was rolled back: kept apart. */
static err orphans_sweep(struct volume *v)
{
    struct known k = { .v = v };

    err e = known_collect(&k);
    if (!e.code) {
        e = v->io->object_list(v->io->self, object_judged, &k);
    }
    e = e.code ? e : k.result;
    for (size_t i = 0; i < k.orphan_count && !e.code; i++) {
        e = v->io->object_quarantine(v->io->self, k.orphans[i]);
    }
    mem_give(k.ids);
    mem_give(k.orphans);
    return e;
}

/* A name whose file was never sealed cannot come from the log: CREATE and SEALED go together. */
static err unsealed_refuse(const struct volume *v)
{
    struct inode *n, *next;

    HASH_ITER(by_path, v->paths, n, next) {
        if (n->kind != VOLUME_INLINE && !n->sealed) {
            FAIL(ERR_CORRUPT, "log: file %llu was created, but never sealed",
                 (unsigned long long)n->ino);
        }
    }
    return OK;
}

/* --- opening ------------------------------------------------------------------------------- */

/* salt = SHA-256(32 random | epoch | commits known): also two clones of one machine that draw the
 * same randomness differ once their states do. */
static void salt_draw(struct volume *v)
{
    uint8_t seed[32 + 16];

    v->io->random(v->io->self, seed, 32);
    store_u64(seed + 32, v->epoch);
    store_u64(seed + 40, v->log.seq);
    struct digest d = sha256(BYTES_OF(seed));
    memcpy(v->root.salt, d.octets, sizeof v->root.salt);
    wipe(seed, sizeof seed);
}

static err epoch_start(struct volume *v)
{
    v->epoch++;
    if (v->log.count >= SEGMENTS_SOFT_MAX) {
        TRY(volume_checkpoint_shed(v));
    }
    salt_draw(v);
    TRY(volume_log_start(v));
    TRY(volume_log_strangers(v, true));
    volume_reap(v);
    return orphans_sweep(v);
}

static err open_steps(struct volume *v)
{
    bool present;

    TRY(volume_root_load(v, &present));
    TRY(volume_anchor_load(v));
    TRY(present ? state_load(v) : state_new(v));
    TRY(unsealed_refuse(v));
    TRY(volume_anchor_check(v, present));
    TRY(epoch_start(v));
    pthread_mutex_lock(&v->lock);
    volume_lead(v);
    err e = { ERR_NONE };
    if (volume_checkpoint_due(v)) {
        e = volume_checkpoint_lead(v);
    }
    volume_follow(v);
    pthread_mutex_unlock(&v->lock);
    return e;
}

err volume_open(const struct volume_config *config, const struct volume_io *io,
                struct volume **out)
{
    struct volume *v;

    TRY(config_check(config));
    TRY(volume_new(config, io, &v));
    err e = open_steps(v);
    if (e.code) {
        volume_release(v);
        return e;
    }
    *out = v;
    return OK;
}

/* Octets appended, but never synced, of files that are closed by now. */
static err unsynced_commit(struct volume *v)
{
    struct inode *n, *next;

    HASH_ITER(by_path, v->paths, n, next) {
        if (n->kind == VOLUME_INLINE) {
            TRY(volume_wait_commit(v, n));
        }
    }
    return OK;
}

err volume_close(struct volume *v)
{
    err e = unsynced_commit(v);

    if (!e.code) {
        e = volume_checkpoint(v);
    }
    volume_release(v);
    return e;
}

void volume_abandon(struct volume *v)
{
    if (v != NULL) {
        volume_release(v);
    }
}

void volume_abandonp(struct volume **v)
{
    volume_abandon(*v);
}
