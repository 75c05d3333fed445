/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: whoever comes first leads, and its frame has the queued edits and the octets of all
 * files that wait by then; the others find their work done. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

#define DATA_HEAD_BYTES 24 /* of a DATA edit, before its octets */
#define FRAME_TEXT_KEEP_BYTES (4u << 20)

err volume_check_writable(struct volume *v)
{
    if (v->failed != ERR_NONE) {
        FAIL(ERR_CLOSED, "the volume takes no more writes since: %s; open it again",
             v->failed_text);
    }
    return OK;
}

void volume_fail(struct volume *v, err e)
{
    if (v->failed == ERR_NONE) {
        v->failed = e.code;
        snprintf(v->failed_text, sizeof v->failed_text, "%.*s", ERROR_TEXT_BYTES - 1, err_text());
    }
}

err volume_queue(struct volume *v, const struct kvs_edit *edit)
{
    err e = kvs_edit_encode(edit, &v->edits);

    return err_context(e, "edits between two commits");
}

void volume_lead(struct volume *v)
{
    while (v->leading) {
        pthread_cond_wait(&v->turn, &v->lock);
    }
    v->leading = true;
}

void volume_follow(struct volume *v)
{
    v->seq_shown = v->log.seq;
    v->segments_shown = v->log.count;
    v->log_bytes_shown = 0;
    for (uint32_t i = 0; i < v->log.count; i++) {
        v->log_bytes_shown += v->log.segments[i]->bytes;
    }
    if (v->log.count > 0) {
        v->log_rest_shown = v->log.size - v->log.segments[v->log.count - 1]->bytes;
    }
    v->leading = false;
    pthread_cond_broadcast(&v->turn);
}

bool volume_log_takes(struct volume *v, uint64_t bytes)
{
    const struct volume_io *io = v->io;
    uint64_t size = v->config.segment_bytes, disk_free;

    pthread_mutex_lock(&v->lock);
    bool fits = bytes <= v->log_rest_shown;
    pthread_mutex_unlock(&v->lock);
    if (fits || (io->segments_ready != NULL && bytes < size && io->segments_ready(io->self, size) > 0)) {
        return true;
    }
    return io->space(io->self, &disk_free).code || disk_free >= size + bytes;
}

/* Octets of the file that no frame has yet. */
static struct bytes pending(const struct inode *n)
{
    size_t from = n->is_log ? 0 : (size_t)n->synced;

    if (n->octets.len == from) {
        return (struct bytes){ NULL, 0 };
    }
    return (struct bytes){ n->octets.ptr + from, n->octets.len - from };
}

static err waiter_encode(struct volume *v, struct waiter *w)
{
    struct inode *n = w->inode;

    if (n == NULL || !n->named) {
        return OK;
    }
    const struct kvs_edit edit = { .type = KVS_EDIT_DATA,
                                   .ino = n->ino,
                                   .u.data = { n->synced, pending(n) } };
    if (edit.u.data.octets.len == 0) {
        return OK;
    }
    if (v->frame_text.len + DATA_HEAD_BYTES + edit.u.data.octets.len > v->frame_text.max) {
        w->in_frame = false; /* the next frame has room */
        return OK;
    }
    TRY(volume_inode_extend(n, NULL)); /* room for its place, so that nothing fails afterwards */
    TRY(kvs_edit_encode(&edit, &v->frame_text));
    w->taken = edit.u.data.octets.len;
    w->at = (uint32_t)(v->frame_text.len - w->taken);
    return OK;
}

static err frame_build(struct volume *v)
{
    buf_clear(&v->frame_text);
    TRY(buf_append(&v->frame_text, buf_bytes(&v->edits)));
    for (struct waiter *w = v->first; w != NULL; w = w->next) {
        TRY(waiter_encode(v, w));
    }
    return OK;
}

/* The frame is durable: the octets have left the queue. */
static void waiter_apply(struct volume *v, struct waiter *w, const struct replay_at *at)
{
    struct inode *n = w->inode;

    if (w->taken == 0) {
        return;
    }
    const struct extent e = { .offset = n->synced, .len = (uint32_t)w->taken, .at = w->at,
                              .frame_offset = at->frame_offset, .segment = at->segment,
                              .chain = at->chain };
    n->synced += w->taken;
    if (n->is_log) {
        err none = volume_inode_extend(n, &e); /* there is room */
        assert(!none.code);
        (void)none;
        buf_consume(&n->octets, w->taken);
        v->held_bytes -= w->taken;
    }
}

static void edits_apply(struct volume *v, size_t taken, uint64_t batch)
{
    buf_consume(&v->edits, taken);
    for (struct inode *n = v->dying; n != NULL; n = n->next_dying) {
        n->gone = n->gone || n->deleted_in <= batch;
    }
}

/* Who was in the frame has an answer; who came while it was written waits for the next. */
static void waiters_answer(struct volume *v, err e, const struct replay_at *at)
{
    struct waiter *w = v->first;

    v->first = NULL;
    v->last = &v->first;
    while (w != NULL) {
        struct waiter *next = w->next;
        w->next = NULL;
        if (!w->in_frame) {
            *v->last = w;
            v->last = &w->next;
            w = next;
            continue;
        }
        if (e.code) {
            snprintf(w->text, sizeof w->text, "%.*s", ERROR_TEXT_BYTES - 1, err_text());
        } else {
            waiter_apply(v, w, at);
        }
        w->code = e.code;
        w->done = true;
        w = next;
    }
}

static err frame_commit(struct volume *v, bool unlocked, struct replay_at *at)
{
    if (unlocked) {
        pthread_mutex_unlock(&v->lock);
    }
    err e = volume_log_commit(v, buf_bytes(&v->frame_text), at);
    if (!e.code) {
        volume_anchor_update(v, false);
    }
    if (unlocked) {
        pthread_mutex_lock(&v->lock);
    }
    if (e.code && v->log.broken) {
        volume_fail(v, e);
    }
    return e;
}

/* As leader, under the lock, which `unlocked` gives up while the frame is written. */
static err commit_once(struct volume *v, bool unlocked)
{
    struct replay_at at = { 0 };
    size_t taken = v->edits.len;
    uint64_t batch = v->batch++;

    err e = volume_check_writable(v);
    for (struct waiter *w = v->first; w != NULL; w = w->next) {
        w->in_frame = true;
        w->taken = 0;
    }
    if (!e.code) {
        e = frame_build(v);
    }
    if (!e.code && v->frame_text.len > 0) {
        e = frame_commit(v, unlocked, &at);
        v->frames += e.code ? 0 : 1;
    }
    if (!e.code) {
        edits_apply(v, taken, batch);
    }
    waiters_answer(v, e, &at);
    if (v->frame_text.cap > FRAME_TEXT_KEEP_BYTES) {
        buf_clear(&v->frame_text);
        buf_shrink(&v->frame_text);
    }
    return e;
}

err volume_commit_edits_locked(struct volume *v)
{
    return commit_once(v, false);
}

/* A checkpoint that fails for want of room is tried again a quarter later; writing goes on. */
static void checkpoint_if_due(struct volume *v)
{
    if (volume_checkpoint_due(v)) {
        err e = volume_checkpoint_lead(v);
        if (e.code) {
            v->log.bytes_since_checkpoint = v->config.checkpoint_bytes / 4 * 3;
        }
    }
}

static void lead(struct volume *v)
{
    v->leading = true;
    err e = commit_once(v, true);
    if (!e.code) {
        checkpoint_if_due(v);
    }
    volume_follow(v);
}

err volume_wait_commit(struct volume *v, struct inode *n)
{
    struct waiter w = { .inode = n };

    pthread_mutex_lock(&v->lock);
    *v->last = &w;
    v->last = &w.next;
    while (!w.done) {
        if (v->leading) {
            pthread_cond_wait(&v->turn, &v->lock);
        } else {
            lead(v);
        }
    }
    bool dying = v->dying != NULL;
    pthread_mutex_unlock(&v->lock);
    if (dying) {
        volume_reap(v);
    }
    if (w.code) {
        err_set(__FILE__, __LINE__, "%s", w.text);
    }
    return (err){ w.code };
}

err volume_commit(struct volume *v)
{
    return volume_wait_commit(v, NULL);
}
