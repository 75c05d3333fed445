/* SPDX-License-Identifier: Apache-2.0 */
/* Writers and readers of one file. */
#include <assert.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

#define INLINE_PENDING_MAX (VOLUME_FRAME_BYTES_MAX - 64) /* must fit one frame */

struct volume_file {
    struct volume *v;
    struct inode *inode;
    struct sealer *sealer; /* TABLE, OBJECT */
    bool sealed;
};

struct volume_reader {
    struct volume *v;
    struct inode *inode;
    struct opener opener; /* TABLE, OBJECT */
    pthread_mutex_t lock; /* INLINE: the frame read last */
    struct buf frame;
    const struct segment *frame_segment;
    uint64_t frame_offset;
};

/* --- creating ------------------------------------------------------------------------------ */

/* The file's first edits, all or none; from here on the log knows it. */
static err log_create(struct volume *v, struct inode *n)
{
    const struct kvs_edit create = { .type = KVS_EDIT_CREATE,
                                     .ino = v->next_ino,
                                     .u.create = { (uint8_t)n->kind, bytes_of_string(n->path) } };
    const struct kvs_edit sealed = { .type = KVS_EDIT_SEALED,
                                     .ino = v->next_ino,
                                     .u.entry = n->entry };
    size_t before = v->edits.len;

    TRY(volume_check_writable(v));
    TRY(volume_queue(v, &create));
    err e = n->sealed ? volume_queue(v, &sealed) : OK;
    if (!e.code) {
        e = volume_inode_number(v, n, v->next_ino);
    }
    if (e.code) {
        v->edits.len = before;
        return e;
    }
    v->next_ino++;
    n->logged = true;
    return OK;
}

static err create_inline(struct volume *v, const char *path, struct inode **out)
{
    struct inode *n;

    TRY(volume_inode_new(v, bytes_of_string(path), VOLUME_INLINE, &n));
    err e = log_create(v, n);
    if (e.code) {
        volume_inode_free(v, n);
        return e;
    }
    *out = n;
    return OK;
}

/* Under the lock. A table is in the log from its sealing on. */
static err inode_create(struct volume *v, const char *path, enum volume_kind kind,
                        struct inode **out)
{
    TRY(volume_check_writable(v));
    struct inode *before = volume_inode_at(v, path);
    if (before != NULL) {
        TRY(volume_inode_delete(v, before));
    }
    if (kind == VOLUME_INLINE) {
        TRY(create_inline(v, path, out));
    } else {
        TRY(volume_space_key_make(v, volume_space_of(path)));
        TRY(volume_inode_new(v, bytes_of_string(path), kind, out));
    }
    (*out)->refs = 1;
    (*out)->writing = true;
    return OK;
}

/* Gives up a writer's or reader's hold; a deleted file goes with the last one. */
static void inode_drop(struct volume *v, struct inode *n, bool writer)
{
    pthread_mutex_lock(&v->lock);
    if (writer) {
        n->writing = false;
        if (n->kind != VOLUME_INLINE && !n->sealed && n->named) {
            err none = volume_inode_delete(v, n); /* the log does not know it: nothing is queued */
            assert(!none.code);
            (void)none;
        }
    }
    n->refs--;
    bool reap = n->refs == 0 && !n->named;
    pthread_mutex_unlock(&v->lock);
    if (reap) {
        volume_reap(v);
    }
}

err volume_create(struct volume *v, const char *path, enum volume_kind kind,
                  struct volume_file **out)
{
    AUTO(volume_file_freep) struct volume_file *f = NULL;

    assert(kind >= VOLUME_INLINE && kind <= VOLUME_OBJECT);
    TRY(volume_path_check(path));
    f = mem_take(sizeof *f);
    if (f == NULL) {
        FAIL(ERR_LIMIT, "no memory to write a file");
    }
    f->v = v;
    pthread_mutex_lock(&v->lock);
    err e = inode_create(v, path, kind, &f->inode);
    pthread_mutex_unlock(&v->lock);
    TRY(e);
    if (kind != VOLUME_INLINE) {
        TRY(volume_sealer_new(v, kind, volume_space_of(path), &f->sealer));
    }
    *out = TAKE(f);
    return OK;
}

/* --- writing ------------------------------------------------------------------------------- */

static err append_inline(struct volume *v, struct inode *n, struct bytes data)
{
    uint64_t pending = n->octets.len - (n->is_log ? 0 : n->synced);

    TRY(volume_check_writable(v));
    if (data.len > INLINE_PENDING_MAX || pending > INLINE_PENDING_MAX - data.len) {
        FAIL(ERR_LIMIT, "%u octets may wait for a sync; sync the file more often",
             INLINE_PENDING_MAX);
    }
    if (v->held_bytes + data.len > HELD_BYTES_MAX) {
        FAIL(ERR_LIMIT, "small files hold %u octets together, which is their bound",
             HELD_BYTES_MAX);
    }
    TRY(buf_append(&n->octets, data));
    v->held_bytes += data.len;
    return OK;
}

err volume_append(struct volume_file *file, struct bytes data)
{
    struct volume *v = file->v;

    assert(!file->sealed);
    if (file->sealer != NULL) {
        return volume_sealer_append(file->sealer, data);
    }
    pthread_mutex_lock(&v->lock);
    err e = append_inline(v, file->inode, data);
    pthread_mutex_unlock(&v->lock);
    return e;
}

err volume_seal(struct volume_file *file)
{
    struct volume *v = file->v;
    struct inode *n = file->inode;
    struct kvs_file_entry entry;

    assert(file->sealer != NULL);
    if (file->sealed) {
        return OK;
    }
    TRY(volume_sealer_finish(file->sealer, &entry));
    pthread_mutex_lock(&v->lock);
    n->entry = entry;
    n->sealed = true;
    err e = { ERR_NONE };
    if (n->named) { /* else deleted meanwhile: the object goes when the writer does */
        e = log_create(v, n);
    }
    if (e.code) {
        err none = volume_inode_delete(v, n); /* nothing is queued for what the log does not know */
        assert(!none.code);
        (void)none;
    }
    pthread_mutex_unlock(&v->lock);
    file->sealed = !e.code;
    return e;
}

err volume_sync(struct volume_file *file)
{
    return file->sealer != NULL ? volume_seal(file) : volume_wait_commit(file->v, file->inode);
}

void volume_file_wait(struct volume_file *file, volume_wait_fn wait, void *arg)
{
    assert(file->sealer != NULL);
    volume_sealer_wait(file->sealer, wait, arg);
}

uint64_t volume_file_size(const struct volume_file *file)
{
    if (file->sealer != NULL) {
        return volume_sealer_size(file->sealer);
    }
    pthread_mutex_lock(&file->v->lock);
    const struct inode *n = file->inode;
    uint64_t size = n->octets.len + (n->is_log ? n->synced : 0);
    pthread_mutex_unlock(&file->v->lock);
    return size;
}

void volume_file_free(struct volume_file *file)
{
    if (file == NULL) {
        return;
    }
    volume_sealer_free(file->sealer);
    if (file->inode != NULL) {
        inode_drop(file->v, file->inode, true);
    }
    mem_give(file);
}

void volume_file_freep(struct volume_file **file)
{
    volume_file_free(*file);
}

/* --- reading ------------------------------------------------------------------------------- */

static err inode_pin(struct volume *v, const char *path, struct inode **out)
{
    struct inode *n = volume_inode_at(v, path);

    if (n == NULL) {
        FAIL(ERR_MISSING, "%s: no such file in the volume", path);
    }
    if (n->kind != VOLUME_INLINE && !n->sealed) {
        FAIL(ERR_AGAIN, "%s: the file is still being written", path);
    }
    n->refs++;
    *out = n;
    return OK;
}

err volume_reader_open(struct volume *v, const char *path, struct volume_reader **out)
{
    AUTO(volume_reader_freep) struct volume_reader *r = mem_take(sizeof *r);

    if (r == NULL) {
        FAIL(ERR_LIMIT, "no memory to read a file");
    }
    r->v = v;
    r->frame.max = VOLUME_FRAME_BYTES_MAX + 1;
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_lock(&v->lock);
    err e = inode_pin(v, path, &r->inode);
    pthread_mutex_unlock(&v->lock);
    TRY(e);
    if (r->inode->kind != VOLUME_INLINE) {
        TRY(volume_opener_init(v, &r->inode->entry, &r->opener));
    }
    *out = TAKE(r);
    return OK;
}

static uint64_t inline_size(const struct inode *n)
{
    return n->octets.len + (n->is_log ? n->synced : 0);
}

uint64_t volume_reader_size(const struct volume_reader *reader)
{
    if (reader->inode->kind != VOLUME_INLINE) {
        return reader->inode->entry.length;
    }
    pthread_mutex_lock(&reader->v->lock);
    uint64_t size = inline_size(reader->inode);
    pthread_mutex_unlock(&reader->v->lock);
    return size;
}

/* The place that holds an offset below `synced`: places are in order and without gaps. */
static struct extent extent_at(const struct inode *n, uint64_t offset)
{
    size_t low = 0, high = n->extent_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (n->extents[middle].offset <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    assert(low < n->extent_count && n->extents[low].offset <= offset);
    return n->extents[low];
}

static err frame_load(struct volume_reader *r, const struct extent *e)
{
    struct scratch *s;

    if (r->frame_segment == e->segment && r->frame_offset == e->frame_offset) {
        return OK;
    }
    r->frame_segment = NULL;
    TRY(volume_scratch_take(r->v, &s));
    err result = volume_log_read_frame(r->v, s->aead, e->segment, e->frame_offset, &e->chain,
                                       &r->frame);
    volume_scratch_give(r->v, s);
    TRY(result);
    r->frame_segment = e->segment;
    r->frame_offset = e->frame_offset;
    return OK;
}

/* One piece of an inline file from `offset` on; `part` says how long it was. */
static err inline_piece(struct volume_reader *r, uint64_t offset, uint8_t *out, size_t size,
                        size_t *part)
{
    struct inode *n = r->inode;
    struct extent e = { 0 };

    pthread_mutex_lock(&r->v->lock);
    uint64_t start = n->is_log ? n->synced : 0;
    if (offset >= start) { /* in memory; at the end nothing is left */
        size_t at = (size_t)(offset - start);
        *part = at < n->octets.len ? n->octets.len - at : 0;
        *part = *part < size ? *part : size;
        if (*part > 0) {
            memcpy(out, n->octets.ptr + at, *part);
        }
        pthread_mutex_unlock(&r->v->lock);
        return OK;
    }
    e = extent_at(n, offset);
    pthread_mutex_unlock(&r->v->lock);
    TRY(frame_load(r, &e));
    size_t inside = (size_t)(offset - e.offset);
    *part = e.len - inside < size ? e.len - inside : size;
    assert((size_t)e.at + e.len <= r->frame.len);
    memcpy(out, r->frame.ptr + e.at + inside, *part);
    return OK;
}

static err read_inline(struct volume_reader *r, struct volume_range *range)
{
    range->got = 0;
    while (range->got < range->size) {
        size_t part;
        TRY(inline_piece(r, range->offset + range->got, range->out + range->got,
                         range->size - range->got, &part));
        if (part == 0) {
            break;
        }
        range->got += part;
    }
    return OK;
}

static err read_sealed(struct volume_reader *r, struct volume_range *range)
{
    uint64_t length = r->inode->entry.length;
    uint64_t rest = range->offset < length ? length - range->offset : 0;
    size_t size = rest < range->size ? (size_t)rest : range->size;

    range->got = 0;
    if (size == 0) {
        return OK;
    }
    TRY(volume_opener_read(&r->opener, range->offset, range->out, size));
    range->got = size;
    return OK;
}

err volume_read(struct volume_reader *reader, struct volume_range *ranges, size_t count)
{
    if (reader->inode->kind != VOLUME_INLINE) {
        for (size_t i = 0; i < count; i++) {
            TRY(read_sealed(reader, &ranges[i]));
        }
        return OK;
    }
    pthread_mutex_lock(&reader->lock);
    err e = { ERR_NONE };
    for (size_t i = 0; i < count && !e.code; i++) {
        e = read_inline(reader, &ranges[i]);
    }
    pthread_mutex_unlock(&reader->lock);
    return e;
}

void volume_reader_id(const struct volume_reader *reader, uint8_t out[16])
{
    memset(out, 0, 16);
    if (reader->inode->kind != VOLUME_INLINE) {
        memcpy(out, reader->inode->entry.id.octets, KVS_ID_BYTES);
    } else {
        store_u64(out + 8, reader->inode->ino);
    }
}

void volume_reader_free(struct volume_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->inode != NULL) {
        volume_opener_done(&reader->opener);
        inode_drop(reader->v, reader->inode, false);
    }
    buf_done(&reader->frame);
    pthread_mutex_destroy(&reader->lock);
    mem_give(reader);
}

void volume_reader_freep(struct volume_reader **reader)
{
    volume_reader_free(*reader);
}
