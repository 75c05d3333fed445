/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of a directory: files of written zeros, prepared by a thread, since writing over written
 * octets needs no new metadata and so syncs many times faster than growing a file.
 *
 * A segment that is given back goes to pool/ as it is: frames of another segment end a scan. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "store/kvs/volume_dir_impl.h"

#define FILL_BYTES (1u << 20)
#define NAME_BYTES 48

struct segment_file {
    int fd;        /* reading */
    int append_fd; /* synchronous, direct where that works; -1 when opened for reading */
    char name[NAME_BYTES];
};

static void segment_path(const uint8_t id[16], char out[NAME_BYTES])
{
    char hex[33];

    hex_encode((struct bytes){ id, 16 }, hex);
    snprintf(out, NAME_BYTES, "log/%s", hex);
}

/* --- pool ---------------------------------------------------------------------------------- */

static err fill(int fd, uint64_t size, const char *name)
{
    AUTO(mem_givep) uint8_t *zeros = mem_take(FILL_BYTES);

    if (zeros == NULL) {
        FAIL(ERR_LIMIT, "no memory to prepare a segment");
    }
    for (uint64_t at = 0; at < size; at += FILL_BYTES) {
        uint64_t rest = size - at;
        TRY(volume_dir_write(fd, at,
                             (struct bytes){ zeros, rest < FILL_BYTES ? (size_t)rest : FILL_BYTES },
                             name));
    }
    return fdatasync(fd) != 0 ? volume_dir_fail(name) : OK;
}

static err pool_add(struct volume_dir *d, uint64_t number)
{
    char making[NAME_BYTES], ready[NAME_BYTES];

    snprintf(making, sizeof making, "tmp/pool.%llu", (unsigned long long)number);
    snprintf(ready, sizeof ready, "pool/%llu", (unsigned long long)number);
    int fd = openat(d->fd, making, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return volume_dir_fail(making);
    }
    err e = fill(fd, d->segment_bytes, making);
    close(fd);
    if (!e.code && renameat(d->fd, making, d->fd, ready) != 0) {
        e = volume_dir_fail(ready);
    }
    if (e.code) {
        (void)unlinkat(d->fd, making, 0);
    }
    return e;
}

/* Keeps the pool full; a failure (a full disk) is no error: segments are then made when needed. */
static void *filler(void *arg)
{
    struct volume_dir *d = arg;

    pthread_mutex_lock(&d->lock);
    while (!d->stop) {
        if (d->ready >= d->pool_count) {
            pthread_cond_wait(&d->turn, &d->lock);
            continue;
        }
        uint64_t number = d->next_name++;
        pthread_mutex_unlock(&d->lock);
        err e = pool_add(d, number);
        pthread_mutex_lock(&d->lock);
        if (e.code) {
            pthread_cond_wait(&d->turn, &d->lock); /* until the next segment is taken */
        } else {
            d->ready++;
        }
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

struct pool_pick {
    struct volume_dir *d;
    uint64_t size;
    const char *to;
    bool done;
};

/* The first prepared file of the right size becomes the segment. */
static err pool_picked(void *arg, int dir_fd, const char *name)
{
    struct pool_pick *p = arg;
    struct stat s;

    if (p->done || fstatat(dir_fd, name, &s, AT_SYMLINK_NOFOLLOW) != 0 ||
        (uint64_t)s.st_size != p->size) {
        return OK;
    }
    if (renameat(dir_fd, name, p->d->fd, p->to) != 0) {
        return volume_dir_fail(p->to);
    }
    p->done = true;
    return OK;
}

static err pool_take(struct volume_dir *d, const char *to, uint64_t size, bool *done)
{
    struct pool_pick p = { .d = d, .size = size, .to = to };

    pthread_mutex_lock(&d->lock);
    err e = volume_dir_each(d->fd, "pool", pool_picked, &p);
    if (p.done && d->ready > 0) {
        d->ready--;
    }
    pthread_cond_signal(&d->turn);
    pthread_mutex_unlock(&d->lock);
    *done = p.done;
    return e;
}

/* --- segments ------------------------------------------------------------------------------ */

static err segment_make(struct volume_dir *d, const char *name, uint64_t size)
{
    int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        return volume_dir_fail(name);
    }
    int why = posix_fallocate(fd, 0, (off_t)size);
    err e = { ERR_NONE };
    if (why != 0) {
        errno = why;
        e = volume_dir_fail(name);
    }
    close(fd);
    if (e.code) {
        (void)unlinkat(d->fd, name, 0);
    }
    return e;
}

static void segment_close(void *self, void *segment)
{
    struct segment_file *s = segment;

    (void)self;
    if (s->fd >= 0) {
        close(s->fd);
    }
    if (s->append_fd >= 0) {
        close(s->append_fd);
    }
    mem_give(s);
}

static err segment_handle(struct volume_dir *d, const char *name, bool append, void **out)
{
    struct segment_file *s = mem_take(sizeof *s);

    if (s == NULL) {
        FAIL(ERR_LIMIT, "no memory for a segment");
    }
    s->append_fd = -1;
    snprintf(s->name, sizeof s->name, "%s", name);
    s->fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC);
    if (s->fd >= 0 && append) {
        s->append_fd = openat(d->fd, name, O_WRONLY | O_DSYNC | O_DIRECT | O_CLOEXEC);
        if (s->append_fd < 0 && errno == EINVAL) { /* e.g. tmpfs */
            s->append_fd = openat(d->fd, name, O_WRONLY | O_DSYNC | O_CLOEXEC);
        }
    }
    if (s->fd < 0 || (append && s->append_fd < 0)) {
        err e = volume_dir_fail(name);
        segment_close(d, s);
        return e;
    }
    *out = s;
    return OK;
}

static err segment_create(void *self, const uint8_t id[16], uint64_t size, void **out)
{
    struct volume_dir *d = self;
    char name[NAME_BYTES];
    bool done = false;

    segment_path(id, name);
    TRY(pool_take(d, name, size, &done));
    if (!done) {
        TRY(segment_make(d, name, size));
    }
    TRY(volume_dir_sync(d->fd, "log"));
    return segment_handle(d, name, true, out);
}

static err segment_open(void *self, const uint8_t id[16], void **out, uint64_t *out_size)
{
    struct volume_dir *d = self;
    char name[NAME_BYTES];
    struct stat st;

    segment_path(id, name);
    if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return volume_dir_fail(name);
    }
    TRY(segment_handle(d, name, false, out));
    *out_size = (uint64_t)st.st_size;
    return OK;
}

static err segment_append(void *self, void *segment, uint64_t offset, struct bytes data)
{
    struct segment_file *s = segment;

    (void)self;
    assert(s->append_fd >= 0);
    return volume_dir_write(s->append_fd, offset, data, s->name);
}

static err segment_read(void *self, void *segment, uint64_t offset, uint8_t *out, size_t size)
{
    struct segment_file *s = segment;

    (void)self;
    return volume_dir_read(s->fd, offset, out, size, s->name);
}

/* Back to the pool while that wants it, else away. */
static err segment_delete(void *self, const uint8_t id[16])
{
    struct volume_dir *d = self;
    char name[NAME_BYTES], pooled[NAME_BYTES];
    struct stat s;

    segment_path(id, name);
    if (fstatat(d->fd, name, &s, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? OK : volume_dir_fail(name);
    }
    pthread_mutex_lock(&d->lock);
    bool keep = d->ready < d->pool_count && (uint64_t)s.st_size == d->segment_bytes;
    int failed = 0;
    if (keep) {
        snprintf(pooled, sizeof pooled, "pool/%llu", (unsigned long long)d->next_name++);
        failed = renameat(d->fd, name, d->fd, pooled);
        d->ready += failed == 0 ? 1 : 0;
    }
    pthread_mutex_unlock(&d->lock);
    if (!keep) {
        failed = unlinkat(d->fd, name, 0);
    }
    return failed != 0 && errno != ENOENT ? volume_dir_fail(name) : OK;
}

static err segment_quarantine(void *self, const uint8_t id[16])
{
    struct volume_dir *d = self;
    char from[NAME_BYTES], to[NAME_BYTES + 8];

    segment_path(id, from);
    snprintf(to, sizeof to, "bad/%s", from + 4);
    return renameat(d->fd, from, d->fd, to) != 0 ? volume_dir_fail(from) : OK;
}

struct segment_walk {
    volume_segment_fn fn;
    void *arg;
};

static err segment_walked(void *arg, int dir_fd, const char *name)
{
    const struct segment_walk *w = arg;
    uint8_t id[16];

    (void)dir_fd;
    if (!hex_decode(bytes_of_string(name), id, sizeof id).code) {
        w->fn(w->arg, id);
    }
    return OK;
}

static err segment_list(void *self, volume_segment_fn fn, void *arg)
{
    struct volume_dir *d = self;
    struct segment_walk w = { fn, arg };

    return volume_dir_each(d->fd, "log", segment_walked, &w);
}

static unsigned segments_ready(void *self, uint64_t size)
{
    struct volume_dir *d = self;

    pthread_mutex_lock(&d->lock);
    unsigned ready = size == d->segment_bytes ? d->ready : 0;
    pthread_mutex_unlock(&d->lock);
    return ready;
}

/* --- opening ------------------------------------------------------------------------------- */

/* What an earlier process prepared is taken over; what does not fit any more goes. */
static err pool_counted(void *arg, int dir_fd, const char *name)
{
    struct volume_dir *d = arg;
    struct stat s;
    uint64_t number;

    if (fstatat(dir_fd, name, &s, AT_SYMLINK_NOFOLLOW) != 0 ||
        (uint64_t)s.st_size != d->segment_bytes || d->ready >= d->pool_count ||
        decimal_parse(bytes_of_string(name), UINT64_MAX - 1, &number).code) {
        (void)unlinkat(dir_fd, name, 0);
        return OK;
    }
    d->ready++;
    d->next_name = number >= d->next_name ? number + 1 : d->next_name;
    return OK;
}

err volume_dir_log_open(struct volume_dir *d, const struct volume_dir_config *config)
{
    d->io.segment_create = segment_create;
    d->io.segment_open = segment_open;
    d->io.segment_append = segment_append;
    d->io.segment_read = segment_read;
    d->io.segment_close = segment_close;
    d->io.segment_delete = segment_delete;
    d->io.segment_quarantine = segment_quarantine;
    d->io.segment_list = segment_list;
    d->io.segments_ready = segments_ready;
    d->segment_bytes = config->segment_bytes;
    d->pool_count = config->segment_bytes > 0 ? config->pool_count : 0;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->turn, NULL);
    d->locks_ready = true;
    TRY(volume_dir_each(d->fd, "pool", pool_counted, d));
    if (d->pool_count == 0) {
        return OK;
    }
    if (pthread_create(&d->filler, NULL, filler, d) != 0) {
        FAIL(ERR_LIMIT, "no thread to prepare segments");
    }
    d->filling = true;
    return OK;
}

void volume_dir_log_close(struct volume_dir *d)
{
    if (!d->locks_ready) {
        return;
    }
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_signal(&d->turn);
    pthread_mutex_unlock(&d->lock);
    if (d->filling) {
        pthread_join(d->filler, NULL);
    }
    pthread_cond_destroy(&d->turn);
    pthread_mutex_destroy(&d->lock);
}
