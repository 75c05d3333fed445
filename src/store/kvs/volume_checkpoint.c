/* SPDX-License-Identifier: Apache-2.0 */
/* The checkpoint: the whole state as one sealed file of edits, so that old segments can go.
 *
 * Octets of write-ahead logs are not in it: they stay where they are, in segments that live as long
 * as a log has octets there. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

bool volume_checkpoint_due(const struct volume *v)
{
    return v->log.bytes_since_checkpoint >= v->config.checkpoint_bytes;
}

static err save_file(const struct inode *n, struct buf *out)
{
    const struct kvs_edit create = { .type = KVS_EDIT_CREATE,
                                     .ino = n->ino,
                                     .u.create = { (uint8_t)n->kind, bytes_of_string(n->path) } };

    TRY(kvs_edit_encode(&create, out));
    if (n->sealed) {
        const struct kvs_edit sealed = { .type = KVS_EDIT_SEALED,
                                         .ino = n->ino,
                                         .u.entry = n->entry };
        TRY(kvs_edit_encode(&sealed, out));
    }
    if (n->kind == VOLUME_INLINE && !n->is_log && n->synced > 0) {
        const struct kvs_edit data = { .type = KVS_EDIT_DATA,
                                       .ino = n->ino,
                                       .u.data = { 0, { n->octets.ptr, (size_t)n->synced } } };
        TRY(kvs_edit_encode(&data, out));
    }
    return OK;
}

/* Under the lock, with no edit queued: what is in memory is what the log says. */
static err save_state(struct volume *v, struct buf *out)
{
    const struct kvs_edit state = { .type = KVS_EDIT_STATE,
                                    .ino = v->next_ino,
                                    .u.state = { v->log.seq, v->log.chain } };
    struct inode *n, *next;

    assert(v->edits.len == 0);
    TRY(kvs_edit_encode(&state, out));
    TRY(volume_space_keys_save(v, out));
    HASH_ITER(by_path, v->paths, n, next) {
        if (n->logged) {
            TRY(save_file(n, out));
        }
    }
    return OK;
}

static err file_write(struct volume *v, struct bytes text, struct kvs_file_entry *out)
{
    AUTO(volume_sealer_freep) struct sealer *s = NULL;

    TRY(volume_sealer_new(v, VOLUME_CHECKPOINT, 0, &s));
    TRY(volume_sealer_append(s, text));
    return volume_sealer_finish(s, out);
}

static err switch_to(struct volume *v, const struct kvs_file_entry *entry)
{
    AUTO(buf_done) struct buf text = { .max = 4096 };
    const struct kvs_edit edit = { .type = KVS_EDIT_CHECKPOINT,
                                   .u.checkpoint = { entry->id, entry->digest } };
    struct replay_at at;

    TRY(kvs_edit_encode(&edit, &text));
    TRY(volume_log_commit(v, buf_bytes(&text), &at));
    v->root.segments_live = volume_log_needed(v);
    v->checkpoint = *entry;
    v->has_checkpoint = true;
    v->log.broken = true; /* the root may name it or not when its write fails */
    TRY(volume_root_write(v));
    v->log.broken = false;
    volume_log_forget_unneeded(v, true);
    v->log.bytes_since_checkpoint = 0;
    return OK;
}

static void object_delete(struct volume *v, const struct kvs_file_entry *e)
{
    char name[KVS_NAME_BYTES];

    kvs_name_text(&e->id, e->spread.gen, 0, name);
    (void)v->io->object_delete(v->io->self, name).code;
}

/* The lock is kept: others' edits must not come in between the state and the root. */
err volume_checkpoint_lead(struct volume *v)
{
    AUTO(buf_done) struct buf text = { .max = CHECKPOINT_BYTES_MAX };
    struct kvs_file_entry entry, before = v->checkpoint;
    bool had = v->has_checkpoint;

    assert(v->leading);
    TRY(volume_commit_edits_locked(v));
    TRY(save_state(v, &text));
    pthread_mutex_unlock(&v->lock); /* commits wait for the leader, so the state stays as saved */
    err e = file_write(v, buf_bytes(&text), &entry);
    pthread_mutex_lock(&v->lock);
    if (e.code) {
        return e;
    }
    e = switch_to(v, &entry);
    if (e.code && v->log.broken) {
        volume_fail(v, e);
    } else if (e.code) {
        object_delete(v, &entry);
    }
    TRY(e);
    if (had) {
        object_delete(v, &before);
    }
    return OK;
}

/* The segments themselves are deleted as strangers, once the root that does without them is
 * durable. */
err volume_checkpoint_shed(struct volume *v)
{
    AUTO(buf_done) struct buf text = { .max = CHECKPOINT_BYTES_MAX };
    struct kvs_file_entry entry;

    TRY(save_state(v, &text));
    TRY(file_write(v, buf_bytes(&text), &entry));
    v->checkpoint = entry;
    v->has_checkpoint = true;
    volume_log_forget_unneeded(v, false);
    v->log.bytes_since_checkpoint = 0;
    return OK;
}

err volume_checkpoint(struct volume *v)
{
    pthread_mutex_lock(&v->lock);
    volume_lead(v);
    err e = volume_check_writable(v);
    if (!e.code) {
        e = volume_checkpoint_lead(v);
    }
    volume_follow(v);
    pthread_mutex_unlock(&v->lock);
    volume_reap(v);
    return e;
}

static err text_read(struct volume *v, const struct kvs_file_entry *e, struct buf *out)
{
    struct opener o;

    TRY(volume_opener_init(v, e, &o));
    err result = buf_reserve(out, (size_t)e->length);
    if (!result.code) {
        result = volume_opener_read(&o, 0, out->ptr, (size_t)e->length);
    }
    volume_opener_done(&o);
    TRY(result);
    out->len = (size_t)e->length;
    return OK;
}

err volume_checkpoint_load(struct volume *v)
{
    AUTO(buf_done) struct buf text = { .max = CHECKPOINT_BYTES_MAX };
    const struct kvs_root *r = &v->root;
    const struct replay_at at = { 0 };
    const uint32_t plain = KVS_BLOCK_PLAIN;

    if (kvs_id_is_zero(&r->checkpoint)) {
        return OK;
    }
    if (r->checkpoint_length > CHECKPOINT_BYTES_MAX) {
        FAIL(ERR_CORRUPT, "root: a checkpoint of %" PRIu64 " octets", r->checkpoint_length);
    }
    v->checkpoint = (struct kvs_file_entry){
        .id = r->checkpoint,
        .kind = VOLUME_CHECKPOINT,
        .block_log2 = KVS_BLOCK_LOG2,
        .spread = { .r = 1, .unit = KVS_UNIT_BLOCKS },
        .key_epoch = r->checkpoint_key_epoch,
        .epoch = r->checkpoint_epoch,
        .length = r->checkpoint_length,
        .blocks = (uint32_t)((r->checkpoint_length + plain - 1) / plain),
        .digest = r->checkpoint_digest,
    };
    v->has_checkpoint = true;
    TRY(text_read(v, &v->checkpoint, &text));
    return err_context(volume_replay(v, buf_bytes(&text), &at), "checkpoint");
}
