/* SPDX-License-Identifier: Apache-2.0 */
/* Names: rename, delete, stat, list; and what is shown of the volume. */
#include "store/kvs/volume.h"

#include <stdlib.h>
#include <string.h>

#include "store/kvs/volume_impl.h"

static err find(struct volume *v, const char *path, struct inode **out)
{
    struct inode *n = volume_inode_at(v, path);

    if (n == NULL) {
        FAIL(ERR_MISSING, "%s: no such file in the volume", path);
    }
    *out = n;
    return OK;
}

static err rename_locked(struct volume *v, const char *from, const char *to)
{
    struct inode *n;

    TRY(volume_check_writable(v));
    TRY(find(v, from, &n));
    struct inode *target = volume_inode_at(v, to);
    if (target == n) {
        return OK;
    }
    if (target != NULL) {
        TRY(volume_inode_delete(v, target));
    }
    const struct kvs_edit edit = { .type = KVS_EDIT_RENAME,
                                   .ino = n->ino,
                                   .u.path = bytes_of_string(to) };
    size_t before = v->edits.len;
    if (n->logged) {
        TRY(volume_queue(v, &edit));
    }
    err e = volume_inode_rename(v, n, bytes_of_string(to));
    if (e.code) {
        v->edits.len = before;
    }
    return e;
}

err volume_rename(struct volume *v, const char *from, const char *to)
{
    TRY(volume_path_check(to));
    pthread_mutex_lock(&v->lock);
    err e = rename_locked(v, from, to);
    pthread_mutex_unlock(&v->lock);
    return e;
}

static err delete_locked(struct volume *v, const char *path)
{
    struct inode *n;

    TRY(volume_check_writable(v));
    TRY(find(v, path, &n));
    return volume_inode_delete(v, n);
}

err volume_delete(struct volume *v, const char *path)
{
    pthread_mutex_lock(&v->lock);
    err e = delete_locked(v, path);
    pthread_mutex_unlock(&v->lock);
    return e;
}

err volume_stat(struct volume *v, const char *path, struct volume_file_stat *out)
{
    struct inode *n = NULL;

    pthread_mutex_lock(&v->lock);
    err e = find(v, path, &n);
    if (!e.code) {
        uint64_t inline_size = n->octets.len + (n->is_log ? n->synced : 0);
        *out = (struct volume_file_stat){
            .kind = n->kind,
            .size = n->kind == VOLUME_INLINE ? inline_size : n->entry.length,
            .created_s = n->entry.created_s,
        };
    }
    pthread_mutex_unlock(&v->lock);
    return e;
}

/* --- list ---------------------------------------------------------------------------------- */

struct listed {
    char name[VOLUME_PATH_MAX + 1];
    bool is_dir;
};

struct listing {
    struct listed *items;
    size_t count, cap;
};

static int listed_compare(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

static err listing_add(struct listing *l, const char *name)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 64 : 2 * l->cap;
        struct listed *more = mem_resize(l->items, cap * sizeof *more);
        if (more == NULL) {
            FAIL(ERR_LIMIT, "no memory for a list of files");
        }
        l->items = more;
        l->cap = cap;
    }
    size_t len = strcspn(name, "/");
    struct listed *item = &l->items[l->count++];
    memcpy(item->name, name, len);
    item->name[len] = '\0';
    item->is_dir = name[len] == '/';
    return OK;
}

static err list_collect(struct volume *v, const char *dir, size_t dir_len, struct listing *l)
{
    struct inode *n, *next;

    HASH_ITER(by_path, v->paths, n, next) {
        if (strncmp(n->path, dir, dir_len) == 0 && n->path[dir_len] == '/') {
            TRY(listing_add(l, n->path + dir_len + 1));
        }
    }
    return OK;
}

err volume_list(struct volume *v, const char *dir, volume_list_fn fn, void *arg)
{
    struct listing l = { 0 };
    size_t len = strlen(dir);

    while (len > 0 && dir[len - 1] == '/') {
        len--;
    }
    pthread_mutex_lock(&v->lock);
    err e = list_collect(v, dir, len, &l);
    pthread_mutex_unlock(&v->lock);
    if (!e.code && l.count > 0) {
        qsort(l.items, l.count, sizeof *l.items, listed_compare);
        for (size_t i = 0; i < l.count; i++) {
            if (i == 0 || strcmp(l.items[i].name, l.items[i - 1].name) != 0) {
                fn(arg, l.items[i].name, l.items[i].is_dir);
            }
        }
    }
    mem_give(l.items);
    return e;
}

/* --- figures ------------------------------------------------------------------------------- */

static uint64_t sealed_bytes(struct volume *v)
{
    struct inode *n, *next;
    uint64_t sum = 0;

    HASH_ITER(by_ino, v->inos, n, next) {
        if (n->sealed && n->entry.blocks > 0) {
            sum += n->entry.length + (uint64_t)n->entry.blocks * AEAD_TAG_BYTES + KVS_FOOT_BYTES;
        }
    }
    return sum;
}

void volume_info(struct volume *v, struct volume_figures *out)
{
    struct volume_figures i = { .epoch = v->epoch };

    memcpy(i.cluster, v->cluster, sizeof i.cluster);
    i.anchor = v->io->anchor_put != NULL ? VOLUME_ANCHOR_LOCAL : VOLUME_ANCHOR_NONE;
    if (v->io->space(v->io->self, &i.disk_free_bytes).code) {
        i.disk_free_bytes = UINT64_MAX;
    }
    pthread_mutex_lock(&v->lock);
    i.seq = v->seq_shown;
    i.anchor_seq = v->anchor_seq;
    i.anchor_failures = v->anchor_failures;
    i.file_count = HASH_CNT(by_path, v->paths);
    i.sealed_bytes = sealed_bytes(v);
    i.log_bytes = v->log_bytes_shown;
    i.segment_count = v->segments_shown;
    i.frames = v->frames;
    i.failed = v->failed != ERR_NONE;
    pthread_mutex_unlock(&v->lock);
    *out = i;
}
