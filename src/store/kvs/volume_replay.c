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

static err data_of_log(struct inode *n, const struct kvs_edit *edit, const struct replay_at *at)
{
    if (at->segment == NULL) {
        FAIL(ERR_CORRUPT, "a checkpoint has octets of a log");
    }
    const struct extent e = {
        .offset = edit->u.data.offset,
        .len = (uint32_t)edit->u.data.octets.len,
        .at = (uint32_t)(edit->u.data.octets.ptr - at->text),
        .frame_offset = at->frame_offset,
        .segment = at->segment,
        .chain = at->chain,
    };
    return volume_inode_extend(n, &e);
}

static err apply_data(struct volume *v, const struct kvs_edit *edit, const struct replay_at *at)
{
    struct inode *n = volume_inode_of(v, edit->ino);

    if (at->before_checkpoint && (n == NULL || !n->is_log)) {
        return OK;
    }
    TRY(inode_known(v, edit->ino, &n));
    if (n->kind != VOLUME_INLINE || edit->u.data.offset != n->synced) {
        FAIL(ERR_CORRUPT, "an edit writes at %" PRIu64 " of a file of %" PRIu64 " octets",
             edit->u.data.offset, n->synced);
    }
    if (n->is_log) {
        TRY(data_of_log(n, edit, at));
    } else {
        TRY(buf_append(&n->octets, edit->u.data.octets));
        v->held_bytes += edit->u.data.octets.len;
    }
    n->synced += edit->u.data.octets.len;
    return OK;
}

static err apply_create(struct volume *v, const struct kvs_edit *edit, const struct replay_at *at)
{
    struct inode *n;
    bool reused = at->segment == NULL ? edit->ino >= v->next_ino : edit->ino < v->next_ino;

    if (reused || edit->ino == 0 || volume_inode_of(v, edit->ino) != NULL) {
        FAIL(ERR_CORRUPT, "an edit creates file %" PRIu64 " a second time", edit->ino);
    }
    TRY(place_free(v, edit->u.create.path));
    TRY(volume_inode_new(v, edit->u.create.path, edit->u.create.kind, &n));
    err e = volume_inode_number(v, n, edit->ino);
    if (e.code) {
        volume_inode_free(v, n);
        return e;
    }
    n->logged = true;
    v->next_ino = at->segment == NULL ? v->next_ino : edit->ino + 1;
    return OK;
}

static err apply_rename(struct volume *v, const struct kvs_edit *edit, const struct replay_at *at)
{
    struct inode *n;

    (void)at;
    TRY(inode_known(v, edit->ino, &n));
    TRY(place_free(v, edit->u.path));
    return volume_inode_rename(v, n, edit->u.path);
}

static err apply_delete(struct volume *v, const struct kvs_edit *edit, const struct replay_at *at)
{
    struct inode *n;

    (void)at;
    TRY(inode_known(v, edit->ino, &n));
    volume_inode_unname(v, n);
    n->gone = true;
    n->next_dying = v->dying;
    v->dying = n;
    return OK;
}

static err apply_sealed(struct volume *v, const struct kvs_edit *edit, const struct replay_at *at)
{
    struct inode *n;

    (void)at;
    TRY(inode_known(v, edit->ino, &n));
    if (n->kind == VOLUME_INLINE || n->sealed || edit->u.entry.kind != n->kind ||
        edit->u.entry.spread.r != 1 || edit->u.entry.spread.k != 0) {
        FAIL(ERR_CORRUPT, "an edit seals a file of another kind or policy");
    }
    n->entry = edit->u.entry;
    n->sealed = true;
    return OK;
}

static err apply_keys(struct volume *v, const struct kvs_edit *edit, const struct replay_at *at)
{
    (void)at;
    return volume_space_key_apply(v, edit);
}

/* The root names the checkpoint that counts; this only keeps its place in the chain. */
static err apply_checkpoint(struct volume *v, const struct kvs_edit *edit,
                            const struct replay_at *at)
{
    (void)v;
    (void)edit;
    (void)at;
    return OK;
}

static err apply_state(struct volume *v, const struct kvs_edit *edit, const struct replay_at *at)
{
    if (at->segment != NULL || v->next_ino != 1) {
        FAIL(ERR_CORRUPT, "a second beginning of a checkpoint");
    }
    if (edit->ino == 0) {
        FAIL(ERR_CORRUPT, "a checkpoint's next file is 0");
    }
    v->next_ino = edit->ino;
    v->checkpoint_seq = edit->u.state.seq;
    return OK;
}

static err (*const appliers[])(struct volume *, const struct kvs_edit *,
                               const struct replay_at *) = {
    [KVS_EDIT_DATA] = apply_data,
    [KVS_EDIT_CREATE] = apply_create,
    [KVS_EDIT_RENAME] = apply_rename,
    [KVS_EDIT_DELETE] = apply_delete,
    [KVS_EDIT_SEALED] = apply_sealed,
    [KVS_EDIT_KEYS] = apply_keys,
    [KVS_EDIT_CHECKPOINT] = apply_checkpoint,
    [KVS_EDIT_STATE] = apply_state,
};

static err apply(struct volume *v, const struct kvs_edit *edit, const struct replay_at *at)
{
    if (at->before_checkpoint && edit->type != KVS_EDIT_DATA) {
        return OK;
    }
    if (edit->type >= sizeof appliers / sizeof appliers[0] || appliers[edit->type] == NULL) {
        FAIL(ERR_CORRUPT, "an edit of type %u, which a volume of one node does not have",
             edit->type);
    }
    return appliers[edit->type](v, edit, at);
}

err volume_replay(struct volume *v, struct bytes edits, const struct replay_at *at)
{
    while (edits.len > 0) {
        struct kvs_edit edit;
        err e = kvs_edit_take(&edits, &edit);
        if (e.code) {
            FAIL(ERR_CORRUPT, "an edit does not parse: %s", err_text());
        }
        TRY(apply(v, &edit, at));
    }
    return OK;
}
