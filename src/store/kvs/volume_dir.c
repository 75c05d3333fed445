/* SPDX-License-Identifier: Apache-2.0 */
/* A storage node in a directory: objects, root, anchor, lock. Segments: volume_dir_log.c. */
#include "store/kvs/volume_dir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/crypto/random.h"
#include "store/kvs/volume_dir_impl.h"

#define BAD_KEPT_S (7 * S_PER_DAY)

err volume_dir_fail(const char *what)
{
    if (errno == ENOSPC || errno == EDQUOT) {
        FAIL(ERR_LIMIT, "disk full: %s", what);
    }
    if (errno == ENOENT) {
        FAIL(ERR_MISSING, "%s: not there", what);
    }
    if (errno == EEXIST) {
        FAIL(ERR_CONFLICT, "%s: already there", what);
    }
    FAIL(ERR_IO, "%s: %s", what, strerror(errno));
}

err volume_dir_write(int fd, uint64_t offset, struct bytes data, const char *what)
{
    while (data.len > 0) {
        ssize_t n = pwrite(fd, data.ptr, data.len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return volume_dir_fail(what);
        }
        data.ptr += n;
        data.len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return OK;
}

err volume_dir_read(int fd, uint64_t offset, uint8_t *out, size_t size, const char *what)
{
    while (size > 0) {
        ssize_t n = pread(fd, out, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return volume_dir_fail(what);
        }
        if (n == 0) {
            FAIL(ERR_CORRUPT, "%s: the file is shorter than what was written", what);
        }
        out += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return OK;
}

err volume_dir_sync(int dir_fd, const char *dir)
{
    int fd = openat(dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return volume_dir_fail(dir);
    }
    int failed = fsync(fd);
    int why = errno;
    close(fd);
    errno = why;
    return failed != 0 ? volume_dir_fail(dir) : OK;
}

/* --- objects ------------------------------------------------------------------------------- */

struct object {
    int fd;
    uint64_t size;
    char name[VOLUME_NAME_BYTES];
};

#define OBJECT_PATH_BYTES (VOLUME_NAME_BYTES + 16)

/* "o/<xx>/<yy>/<name>": two levels, so that no directory grows large. */
static void object_path(const char *name, char out[OBJECT_PATH_BYTES])
{
    snprintf(out, OBJECT_PATH_BYTES, "o/%.2s/%.2s/%s", name, name + 2, name);
}

static void temporary_path(const char *name, char out[OBJECT_PATH_BYTES])
{
    snprintf(out, OBJECT_PATH_BYTES, "tmp/%s", name);
}

static err object_new(const char *name, int fd, void **out)
{
    struct object *o = mem_take(sizeof *o);

    if (o == NULL) {
        close(fd);
        FAIL(ERR_LIMIT, "no memory for a file");
    }
    o->fd = fd;
    snprintf(o->name, sizeof o->name, "%s", name);
    *out = o;
    return OK;
}

static void object_close(void *self, void *object)
{
    struct object *o = object;

    (void)self;
    close(o->fd);
    mem_give(o);
}

static err object_create(void *self, const char *name, void **out)
{
    struct volume_dir *d = self;
    char path[OBJECT_PATH_BYTES];

    temporary_path(name, path);
    int fd = openat(d->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return volume_dir_fail(path);
    }
    return object_new(name, fd, out);
}

static err object_append(void *self, void *object, struct bytes data)
{
    struct object *o = object;

    (void)self;
    TRY(volume_dir_write(o->fd, o->size, data, o->name));
    o->size += data.len;
    return OK;
}

/* A directory that may be new: it and the entry that leads to it are synced. */
static err shelf_make(struct volume_dir *d, const char *name)
{
    char outer[16], inner[16];

    snprintf(outer, sizeof outer, "o/%.2s", name);
    snprintf(inner, sizeof inner, "o/%.2s/%.2s", name, name + 2);
    if (mkdirat(d->fd, inner, 0700) == 0) {
        return volume_dir_sync(d->fd, outer);
    }
    if (errno == EEXIST) {
        return OK;
    }
    if (errno != ENOENT || (mkdirat(d->fd, outer, 0700) != 0 && errno != EEXIST)) {
        return volume_dir_fail(outer);
    }
    TRY(volume_dir_sync(d->fd, "o"));
    if (mkdirat(d->fd, inner, 0700) != 0 && errno != EEXIST) {
        return volume_dir_fail(inner);
    }
    return volume_dir_sync(d->fd, outer);
}

static err object_seal(void *self, void *object)
{
    struct volume_dir *d = self;
    struct object *o = object;
    char from[OBJECT_PATH_BYTES], to[OBJECT_PATH_BYTES], dir[16];

    if (fdatasync(o->fd) != 0) {
        return volume_dir_fail(o->name);
    }
    temporary_path(o->name, from);
    object_path(o->name, to);
    snprintf(dir, sizeof dir, "o/%.2s/%.2s", o->name, o->name + 2);
    TRY(shelf_make(d, o->name));
    if (renameat(d->fd, from, d->fd, to) != 0) {
        return volume_dir_fail(to);
    }
    TRY(volume_dir_sync(d->fd, dir));
    object_close(self, o);
    return OK;
}

static void object_drop(void *self, void *object)
{
    struct volume_dir *d = self;
    struct object *o = object;
    char path[OBJECT_PATH_BYTES];

    temporary_path(o->name, path);
    (void)unlinkat(d->fd, path, 0);
    object_path(o->name, path);
    (void)unlinkat(d->fd, path, 0); /* where the rename was done, but not what follows it */
    object_close(self, o);
}

static err object_open(void *self, const char *name, void **out, uint64_t *out_size)
{
    struct volume_dir *d = self;
    char path[OBJECT_PATH_BYTES];
    struct stat s;

    object_path(name, path);
    int fd = openat(d->fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return volume_dir_fail(path);
    }
    if (fstat(fd, &s) != 0) {
        close(fd);
        return volume_dir_fail(path);
    }
    TRY(object_new(name, fd, out));
    *out_size = (uint64_t)s.st_size;
    return OK;
}

static err object_read(void *self, void *object, uint64_t offset, uint8_t *out, size_t size)
{
    struct object *o = object;

    (void)self;
    return volume_dir_read(o->fd, offset, out, size, o->name);
}

static err object_delete(void *self, const char *name)
{
    struct volume_dir *d = self;
    char path[OBJECT_PATH_BYTES];

    object_path(name, path);
    if (unlinkat(d->fd, path, 0) != 0 && errno != ENOENT) {
        return volume_dir_fail(path);
    }
    return OK;
}

static err object_quarantine(void *self, const char *name)
{
    struct volume_dir *d = self;
    char from[OBJECT_PATH_BYTES], to[OBJECT_PATH_BYTES];

    object_path(name, from);
    snprintf(to, sizeof to, "bad/%s", name);
    if (renameat(d->fd, from, d->fd, to) != 0) {
        return volume_dir_fail(from);
    }
    (void)utimensat(d->fd, to, NULL, 0); /* its seven days begin now */
    return OK;
}

/* --- walking ------------------------------------------------------------------------------- */

err volume_dir_each(int dir_fd, const char *dir, volume_dir_entry_fn fn, void *arg)
{
    int fd = openat(dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (stream == NULL) {
        err e = volume_dir_fail(dir);
        if (fd >= 0) {
            close(fd);
        }
        return e;
    }
    err e = { ERR_NONE };
    for (struct dirent *item = readdir(stream); item != NULL && !e.code; item = readdir(stream)) {
        if (item->d_name[0] != '.') {
            e = fn(arg, dirfd(stream), item->d_name);
        }
    }
    closedir(stream);
    return e;
}

struct object_walk {
    volume_object_fn fn;
    void *arg;
};

static err object_walked(void *arg, int dir_fd, const char *name)
{
    const struct object_walk *w = arg;
    struct stat s;

    if (fstatat(dir_fd, name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(s.st_mode)) {
        const struct volume_node_object o = { name, (uint64_t)s.st_size };
        w->fn(w->arg, &o);
    }
    return OK;
}

static err shelf_walked(void *arg, int dir_fd, const char *name)
{
    return volume_dir_each(dir_fd, name, object_walked, arg);
}

static err outer_walked(void *arg, int dir_fd, const char *name)
{
    return volume_dir_each(dir_fd, name, shelf_walked, arg);
}

static err object_list(void *self, volume_object_fn fn, void *arg)
{
    struct volume_dir *d = self;
    struct object_walk w = { fn, arg };

    return volume_dir_each(d->fd, "o", outer_walked, &w);
}

/* --- root, anchor, the rest ---------------------------------------------------------------- */

static err slots_read(int dir_fd, const char *path, uint8_t *out, size_t size, bool *out_present)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    struct stat s;

    memset(out, 0, size);
    *out_present = false;
    if (fd < 0 && errno == ENOENT) {
        return OK;
    }
    if (fd < 0 || fstat(fd, &s) != 0) {
        err e = volume_dir_fail(path);
        if (fd >= 0) {
            close(fd);
        }
        return e;
    }
    size_t have = (uint64_t)s.st_size < size ? (size_t)s.st_size : size;
    err e = volume_dir_read(fd, 0, out, have, path);
    close(fd);
    TRY(e);
    *out_present = have > 0; /* made, but nothing written before the crash */
    return OK;
}

static err slot_write(int fd, uint64_t offset, struct bytes data, bool durable, const char *what)
{
    TRY(volume_dir_write(fd, offset, data, what));
    return durable && fdatasync(fd) != 0 ? volume_dir_fail(what) : OK;
}

static err root_get(void *self, uint8_t out[2 * VOLUME_ROOT_SLOT_BYTES], bool *out_present)
{
    struct volume_dir *d = self;

    return slots_read(d->fd, "root", out, (size_t)2 * VOLUME_ROOT_SLOT_BYTES, out_present);
}

static err slots_open(int dir_fd, const char *path, int *fd)
{
    if (*fd >= 0) {
        return OK;
    }
    int opened = openat(dir_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (opened < 0) {
        return volume_dir_fail(path);
    }
    *fd = opened;
    return OK;
}

static err root_put(void *self, unsigned slot, struct bytes data)
{
    struct volume_dir *d = self;
    uint8_t whole[VOLUME_ROOT_SLOT_BYTES] = { 0 };
    bool fresh = d->root_fd < 0;

    assert(data.len <= sizeof whole && slot < 2);
    memcpy(whole, data.ptr, data.len);
    TRY(slots_open(d->fd, "root", &d->root_fd));
    TRY(slot_write(d->root_fd, (uint64_t)slot * sizeof whole, BYTES_OF(whole), true, "root"));
    return fresh ? volume_dir_sync(d->fd, ".") : OK;
}

static err anchor_get(void *self, uint8_t out[2 * VOLUME_ANCHOR_SLOT_BYTES], bool *out_present)
{
    struct volume_dir *d = self;

    return slots_read(AT_FDCWD, d->anchor_path, out, (size_t)2 * VOLUME_ANCHOR_SLOT_BYTES,
                      out_present);
}

static err anchor_dir_sync(const char *path)
{
    char dir[PATH_BYTES];
    const char *slash = strrchr(path, '/');

    snprintf(dir, sizeof dir, "%.*s", slash == NULL ? 1 : (int)(slash - path + 1),
             slash == NULL ? "." : path);
    return volume_dir_sync(AT_FDCWD, dir);
}

static err anchor_put(void *self, unsigned slot, struct bytes data, bool durable)
{
    struct volume_dir *d = self;
    uint8_t whole[VOLUME_ANCHOR_SLOT_BYTES] = { 0 };
    bool fresh = d->anchor_fd < 0;

    assert(data.len <= sizeof whole && slot < 2);
    memcpy(whole, data.ptr, data.len);
    TRY(slots_open(AT_FDCWD, d->anchor_path, &d->anchor_fd));
    TRY(slot_write(d->anchor_fd, (uint64_t)slot * sizeof whole, BYTES_OF(whole), durable,
                   "anchor"));
    return fresh && durable ? anchor_dir_sync(d->anchor_path) : OK;
}

static err space(void *self, uint64_t *out_free_bytes)
{
    struct volume_dir *d = self;
    struct statvfs s;

    if (fstatvfs(d->fd, &s) != 0) {
        return volume_dir_fail("free space");
    }
    *out_free_bytes = (uint64_t)s.f_bavail * s.f_frsize;
    return OK;
}

static uint64_t utc_s(void *self)
{
    (void)self;
    return time_utc_us() / US_PER_S;
}

static uint64_t now_us(void *self)
{
    (void)self;
    return time_monotonic_us();
}

static void draw(void *self, void *out, size_t size)
{
    (void)self;
    random_fill(out, size);
}

/* --- opening ------------------------------------------------------------------------------- */

static const struct volume_io dir_io = {
    .object_create = object_create,
    .object_append = object_append,
    .object_seal = object_seal,
    .object_drop = object_drop,
    .object_open = object_open,
    .object_read = object_read,
    .object_close = object_close,
    .object_delete = object_delete,
    .object_list = object_list,
    .object_quarantine = object_quarantine,
    .root_get = root_get,
    .root_put = root_put,
    .space = space,
    .utc_s = utc_s,
    .now_us = now_us,
    .random = draw,
};

static err lock_take(struct volume_dir *d)
{
    char text[32] = "";

    d->lock_fd = openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock_fd < 0) {
        return volume_dir_fail("lock");
    }
    if (flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return volume_dir_fail("lock");
        }
        ssize_t n = pread(d->lock_fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        FAIL(ERR_CONFLICT, "%s is in use by process %s; stop it first", d->path,
             text[0] != '\0' ? text : "unknown");
    }
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(d->lock_fd, 0) != 0) {
        return volume_dir_fail("lock");
    }
    return volume_dir_write(d->lock_fd, 0, (struct bytes){ (uint8_t *)text, (size_t)len }, "lock");
}

static err temporary_removed(void *arg, int dir_fd, const char *name)
{
    (void)arg;
    return unlinkat(dir_fd, name, 0) != 0 && errno != ENOENT ? volume_dir_fail(name) : OK;
}

static err bad_aged(void *arg, int dir_fd, const char *name)
{
    const time_t *now_s = arg;
    struct stat s;

    if (fstatat(dir_fd, name, &s, AT_SYMLINK_NOFOLLOW) == 0 &&
        *now_s - s.st_mtime > BAD_KEPT_S) {
        (void)unlinkat(dir_fd, name, 0);
    }
    return OK;
}

static err dirs_make(struct volume_dir *d)
{
    static const char *const names[] = { "o", "tmp", "log", "pool", "bad" };
    bool made = false;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (mkdirat(d->fd, names[i], 0700) == 0) {
            made = true;
        } else if (errno != EEXIST) {
            return volume_dir_fail(names[i]);
        }
    }
    return made ? volume_dir_sync(d->fd, ".") : OK;
}

static err anchor_place(struct volume_dir *d, const char *anchor_path)
{
    size_t len = strlen(d->path);

    if (strlen(anchor_path) >= sizeof d->anchor_path) {
        FAIL(ERR_LIMIT, "the anchor's path has at most %zu octets", sizeof d->anchor_path - 1);
    }
    if (strncmp(anchor_path, d->path, len) == 0 && anchor_path[len] == '/') {
        FAIL(ERR_CONFLICT, "anchor %s: inside the directory that it guards it would be rolled "
             "back together with it; name a place elsewhere", anchor_path);
    }
    snprintf(d->anchor_path, sizeof d->anchor_path, "%s", anchor_path);
    d->io.anchor_get = anchor_get;
    d->io.anchor_put = anchor_put;
    return OK;
}

static err open_steps(struct volume_dir *d, const struct volume_dir_config *config)
{
    time_t now_s = (time_t)(time_utc_us() / US_PER_S);

    TRY(file_make_dirs(config->path, 0700));
    d->fd = open(config->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0) {
        return volume_dir_fail(config->path);
    }
    TRY(lock_take(d));
    TRY(dirs_make(d));
    if (config->anchor_path != NULL) {
        TRY(anchor_place(d, config->anchor_path));
    }
    TRY(volume_dir_each(d->fd, "tmp", temporary_removed, NULL));
    TRY(volume_dir_each(d->fd, "bad", bad_aged, &now_s));
    return volume_dir_log_open(d, config);
}

err volume_dir_open(const struct volume_dir_config *config, struct volume_dir **out)
{
    AUTO(volume_dir_closep) struct volume_dir *d = NULL;

    if (strlen(config->path) >= sizeof d->path || config->pool_count > VOLUME_DIR_POOL_MAX) {
        FAIL(ERR_LIMIT, "a path of at most %zu octets, a pool of at most %d segments",
             sizeof d->path - 1, VOLUME_DIR_POOL_MAX);
    }
    d = mem_take(sizeof *d);
    if (d == NULL) {
        FAIL(ERR_LIMIT, "no memory for a directory");
    }
    d->fd = d->lock_fd = d->root_fd = d->anchor_fd = -1;
    d->io = dir_io;
    d->io.self = d;
    snprintf(d->path, sizeof d->path, "%s", config->path);
    TRY(open_steps(d, config));
    *out = TAKE(d);
    return OK;
}

const struct volume_io *volume_dir_io(struct volume_dir *d)
{
    return &d->io;
}

static void close_if_open(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void volume_dir_close(struct volume_dir *d)
{
    if (d == NULL) {
        return;
    }
    volume_dir_log_close(d);
    close_if_open(d->root_fd);
    close_if_open(d->anchor_fd);
    close_if_open(d->lock_fd); /* and with it the lock */
    close_if_open(d->fd);
    mem_give(d);
}

void volume_dir_closep(struct volume_dir **d)
{
    volume_dir_close(*d);
}
