/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes and paths, in memory. */
#include <assert.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

struct inode *volume_inode_at(struct volume *v, const char *path)
{
    struct inode *n;

    HASH_FIND(by_path, v->paths, path, strlen(path), n);
    return n;
}

struct inode *volume_inode_of(struct volume *v, uint64_t ino)
{
    struct inode *n;

    HASH_FIND(by_ino, v->inos, &ino, sizeof ino, n);
    return n;
}

err volume_path_check(const char *path)
{
    size_t len = strlen(path);

    if (len < 2 || len > VOLUME_PATH_MAX || path[0] != '/' || path[len - 1] == '/') {
        FAIL(ERR_LIMIT, "a path begins with '/', names a file and has at most %d octets",
             VOLUME_PATH_MAX);
    }
    return OK;
}

static err path_copy(struct bytes path, char **out)
{
    char *copy = mem_take(path.len + 1);

    if (copy == NULL) {
        FAIL(ERR_LIMIT, "no memory for a path");
    }
    memcpy(copy, path.ptr, path.len);
    *out = copy;
    return OK;
}

static bool ends_in(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);

    return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

static void inode_release(struct inode *n)
{
    buf_done(&n->octets);
    mem_give(n->extents);
    mem_give(n->path);
    mem_give(n);
}

static err name_add(struct volume *v, struct inode *n)
{
    n->map_full = false;
    HASH_ADD_KEYPTR(by_path, v->paths, n->path, strlen(n->path), n);
    if (n->map_full) {
        FAIL(ERR_LIMIT, "no memory for another file");
    }
    n->named = true;
    return OK;
}

err volume_inode_new(struct volume *v, struct bytes path, enum volume_kind kind,
                     struct inode **out)
{
    if (HASH_CNT(by_path, v->paths) >= VOLUME_FILES_MAX) {
        FAIL(ERR_LIMIT, "the volume has %d files, which is its bound", VOLUME_FILES_MAX);
    }
    struct inode *n = mem_take(sizeof *n);
    if (n == NULL) {
        FAIL(ERR_LIMIT, "no memory for another file");
    }
    n->kind = kind;
    err e = path_copy(path, &n->path);
    if (e.code) {
        inode_release(n);
        return e;
    }
    n->is_log = kind == VOLUME_INLINE && ends_in(n->path, ".log");
    n->octets.max = n->is_log ? VOLUME_FRAME_BYTES_MAX : HELD_BYTES_MAX;
    e = name_add(v, n);
    if (e.code) {
        inode_release(n);
        return e;
    }
    *out = n;
    return OK;
}

err volume_inode_number(struct volume *v, struct inode *n, uint64_t ino)
{
    assert(n->ino == 0 && ino != 0);
    n->map_full = false;
    n->ino = ino;
    HASH_ADD(by_ino, v->inos, ino, sizeof n->ino, n);
    if (n->map_full) {
        n->ino = 0;
        FAIL(ERR_LIMIT, "no memory for another file");
    }
    return OK;
}

void volume_inode_unname(struct volume *v, struct inode *n)
{
    if (n->named) {
        HASH_DELETE(by_path, v->paths, n);
        n->named = false;
    }
}

err volume_inode_rename(struct volume *v, struct inode *n, struct bytes path)
{
    char *copy;

    TRY(path_copy(path, &copy));
    volume_inode_unname(v, n);
    char *before = n->path;
    n->path = copy;
    err e = name_add(v, n);
    if (e.code) { /* the old name's place in the map is still there */
        n->path = before;
        mem_give(copy);
        err again = name_add(v, n);
        assert(!again.code);
        (void)again;
        return e;
    }
    mem_give(before);
    return OK;
}

void volume_inode_free(struct volume *v, struct inode *n)
{
    volume_inode_unname(v, n);
    if (n->ino != 0) {
        HASH_DELETE(by_ino, v->inos, n);
    }
    for (size_t i = 0; i < n->extent_count; i++) {
        assert(n->extents[i].segment->pins > 0);
        n->extents[i].segment->pins--;
    }
    v->held_bytes -= n->octets.len;
    inode_release(n);
}

err volume_inode_extend(struct inode *n, const struct extent *e)
{
    if (n->extent_count == n->extent_cap) {
        size_t cap = n->extent_cap == 0 ? 16 : 2 * n->extent_cap;
        struct extent *more = mem_resize(n->extents, cap * sizeof *more);
        if (more == NULL) {
            FAIL(ERR_LIMIT, "no memory for a log's places");
        }
        n->extents = more;
        n->extent_cap = cap;
    }
    if (e != NULL) {
        n->extents[n->extent_count++] = *e;
        e->segment->pins++;
    }
    return OK;
}

err volume_inode_delete(struct volume *v, struct inode *n)
{
    const struct kvs_edit edit = { .type = KVS_EDIT_DELETE, .ino = n->ino };

    if (n->logged) {
        TRY(volume_queue(v, &edit));
    }
    n->gone = !n->logged;
    n->deleted_in = v->batch;
    volume_inode_unname(v, n);
    n->next_dying = v->dying;
    v->dying = n;
    return OK;
}

/* The object of a file, if it has one, is deleted; a failure leaves an orphan for the next open. */
static void object_delete(struct volume *v, const struct inode *n)
{
    char name[KVS_NAME_BYTES];

    if (n->sealed && n->entry.blocks > 0) {
        kvs_name_text(&n->entry.id, n->entry.spread.gen, 0, name);
        (void)v->io->object_delete(v->io->self, name).code;
    }
}

void volume_reap(struct volume *v)
{
    struct inode *dead = NULL;

    pthread_mutex_lock(&v->lock);
    for (struct inode **at = &v->dying; *at != NULL;) {
        struct inode *n = *at;
        if (n->gone && n->refs == 0) {
            *at = n->next_dying;
            n->next_dying = dead;
            dead = n;
        } else {
            at = &n->next_dying;
        }
    }
    pthread_mutex_unlock(&v->lock);
    for (struct inode *n = dead; n != NULL; n = n->next_dying) {
        object_delete(v, n);
    }
    pthread_mutex_lock(&v->lock);
    while (dead != NULL) {
        struct inode *n = dead;
        dead = n->next_dying;
        volume_inode_free(v, n);
    }
    pthread_mutex_unlock(&v->lock);
}
