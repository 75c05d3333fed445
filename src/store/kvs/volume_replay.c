/* SPDX-License-Identifier: Apache-2.0 */
/* What edits do to names and files: at open, for the checkpoint and for the log behind it. */
#include <inttypes.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

static err inode_known(struct volume *v, uint64_t ino, struct inode **out)
{
    struct inode *n = volume_inode_of(v, ino);

    if (n == NULL || !n->named) {
        FAIL(ERR_CORRUPT, "an edit names file %" PRIu64 ", which is not there", ino);
    }
    *out = n;
    return OK;
}

static err place_free(struct volume *v, struct bytes path)
{
    struct inode *n;

    HASH_FIND(by_path, v->paths, path.ptr, path.len, n);
    if (n != NULL) {
        FAIL(ERR_CORRUPT, "an edit gives a second file a name that is taken");
    }
    return OK;
}

static err data_of_log(struct inode *n, const struct kvs_op *op, const struct replay_at *at)
{
    if (at->segment == NULL) {
        FAIL(ERR_CORRUPT, "a checkpoint has octets of a log");
    }
    const struct extent e = {
        .offset = op->u.data.offset,
        .len = (uint32_t)op->u.data.octets.len,
        .at = (uint32_t)(op->u.data.octets.ptr - at->text),
        .frame_offset = at->frame_offset,
        .segment = at->segment,
        .chain = at->chain,
    };
    return volume_inode_extend(n, &e);
}

static err apply_data(struct volume *v, const struct kvs_op *op, const struct replay_at *at)
{
    struct inode *n = volume_inode_of(v, op->ino);

    if (at->before_checkpoint && (n == NULL || !n->is_log)) {
        return OK;
    }
    TRY(inode_known(v, op->ino, &n));
    if (n->kind != VOLUME_INLINE || op->u.data.offset != n->synced) {
        FAIL(ERR_CORRUPT, "an edit writes at %" PRIu64 " of a file of %" PRIu64 " octets",
             op->u.data.offset, n->synced);
    }
    if (n->is_log) {
        TRY(data_of_log(n, op, at));
    } else {
        TRY(buf_append(&n->octets, op->u.data.octets));
        v->held_bytes += op->u.data.octets.len;
    }
    n->synced += op->u.data.octets.len;
    return OK;
}

static err apply_create(struct volume *v, const struct kvs_op *op, const struct replay_at *at)
{
    struct inode *n;
    bool reused = at->segment == NULL ? op->ino >= v->next_ino : op->ino < v->next_ino;

    if (reused || op->ino == 0 || volume_inode_of(v, op->ino) != NULL) {
        FAIL(ERR_CORRUPT, "an edit creates file %" PRIu64 " a second time", op->ino);
    }
    TRY(place_free(v, op->u.create.path));
    TRY(volume_inode_new(v, op->u.create.path, op->u.create.kind, &n));
    err e = volume_inode_number(v, n, op->ino);
    if (e.code) {
        volume_inode_free(v, n);
        return e;
    }
    n->logged = true;
    v->next_ino = at->segment == NULL ? v->next_ino : op->ino + 1;
    return OK;
}

static err apply_rename(struct volume *v, const struct kvs_op *op, const struct replay_at *at)
{
    struct inode *n;

    (void)at;
    TRY(inode_known(v, op->ino, &n));
    TRY(place_free(v, op->u.path));
    return volume_inode_rename(v, n, op->u.path);
}

static err apply_delete(struct volume *v, const struct kvs_op *op, const struct replay_at *at)
{
    struct inode *n;

    (void)at;
    TRY(inode_known(v, op->ino, &n));
    volume_inode_unname(v, n);
    n->gone = true;
    n->next_dying = v->dying;
    v->dying = n;
    return OK;
}

static err apply_sealed(struct volume *v, const struct kvs_op *op, const struct replay_at *at)
{
    struct inode *n;

    (void)at;
    TRY(inode_known(v, op->ino, &n));
    if (n->kind == VOLUME_INLINE || n->sealed || op->u.entry.kind != n->kind ||
        op->u.entry.spread.r != 1 || op->u.entry.spread.k != 0) {
        FAIL(ERR_CORRUPT, "an edit seals a file of another kind or policy");
    }
    n->entry = op->u.entry;
    n->sealed = true;
    return OK;
}

static err apply_keys(struct volume *v, const struct kvs_op *op, const struct replay_at *at)
{
    (void)at;
    return volume_space_key_apply(v, op);
}

/* The root names the checkpoint that counts; this only keeps its place in the chain. */
static err apply_checkpoint(struct volume *v, const struct kvs_op *op, const struct replay_at *at)
{
    (void)v;
    (void)op;
    (void)at;
    return OK;
}

static err apply_state(struct volume *v, const struct kvs_op *op, const struct replay_at *at)
{
    if (at->segment != NULL || v->next_ino != 1) {
        FAIL(ERR_CORRUPT, "a second beginning of a checkpoint");
    }
    if (op->ino == 0) {
        FAIL(ERR_CORRUPT, "a checkpoint's next file is 0");
    }
    v->next_ino = op->ino;
    v->checkpoint_seq = op->u.state.seq;
    return OK;
}

static err (*const appliers[])(struct volume *, const struct kvs_op *, const struct replay_at *) = {
    [KVS_OP_DATA] = apply_data,
    [KVS_OP_CREATE] = apply_create,
    [KVS_OP_RENAME] = apply_rename,
    [KVS_OP_DELETE] = apply_delete,
    [KVS_OP_SEALED] = apply_sealed,
    [KVS_OP_KEYS] = apply_keys,
    [KVS_OP_CHECKPOINT] = apply_checkpoint,
    [KVS_OP_STATE] = apply_state,
};

static err apply(struct volume *v, const struct kvs_op *op, const struct replay_at *at)
{
    if (at->before_checkpoint && op->type != KVS_OP_DATA) {
        return OK;
    }
    if (op->type >= sizeof appliers / sizeof appliers[0] || appliers[op->type] == NULL) {
        FAIL(ERR_CORRUPT, "an edit of type %u, which a volume of one node does not have", op->type);
    }
    return appliers[op->type](v, op, at);
}

err volume_replay(struct volume *v, struct bytes edits, const struct replay_at *at)
{
    while (edits.len > 0) {
        struct kvs_op op;
        err e = kvs_op_take(&edits, &op);
        if (e.code) {
            FAIL(ERR_CORRUPT, "an edit does not parse: %s", err_text());
        }
        TRY(apply(v, &op, at));
    }
    return OK;
}
