/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMOVE_OPEN_MAX 16 /* directories open at once while a tree is removed */

err file_join(const char *dir, const char *name, char out[PATH_MAX])
{
    if (snprintf(out, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX) {
        FAIL(ERR_LIMIT, "%s/%s: path too long", dir, name);
    }
    return OK;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static err open_for_reading(const char *path, int *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        FAIL(ERR_MISSING, "%s: no such file", path);
    }
    if (fd < 0) {
        FAIL(ERR_IO, "%s: %s", path, strerror(errno));
    }
    *out = fd;
    return OK;
}

static err read_to_end(int fd, const char *path, uint8_t *part, size_t part_size, struct buf *out)
{
    for (;;) {
        ssize_t n = read(fd, part, part_size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            FAIL(ERR_IO, "%s: %s", path, strerror(errno));
        }
        if (n == 0) {
            return OK;
        }
        err e = buf_append(out, (struct bytes){ part, (size_t)n });
        if (e.code) {
            return err_context(e, "%s", path);
        }
    }
}

err file_read(const char *path, struct buf *out)
{
    AUTO(close_fd) int fd = -1;
    uint8_t part[8192];
    size_t before = out->len;

    TRY(open_for_reading(path, &fd));
    err e = read_to_end(fd, path, part, sizeof part, out);
    explicit_bzero(part, sizeof part); /* it may have been a key */
    if (e.code) {
        out->len = before;
    }
    return e;
}

err file_check_private(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            FAIL(ERR_MISSING, "%s: no such file", path);
        }
        FAIL(ERR_IO, "%s: %s", path, strerror(errno));
    }
    if ((st.st_mode & 077) != 0) {
        FAIL(ERR_AUTH, "%s can be used by others (mode %04o): chmod 600 %s", path,
             (unsigned)st.st_mode & 07777, path);
    }
    return OK;
}

err file_read_private(const char *path, struct buf *out)
{
    TRY(file_check_private(path));
    return file_read(path, out);
}

static err write_all(int fd, struct bytes content, const char *path)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.ptr, content.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            FAIL(ERR_IO, "%s: %s", path, strerror(errno));
        }
        content.ptr += n;
        content.len -= (size_t)n;
    }
    return OK;
}

static err sync_parent(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');

    snprintf(dir, sizeof dir, "%.*s", slash != NULL ? (int)(slash - path + 1) : 1,
             slash != NULL ? path : ".");
    AUTO(close_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        FAIL(ERR_IO, "%s: %s", dir, strerror(errno));
    }
    return OK;
}

static err write_new(const char *path, struct bytes content, unsigned mode)
{
    /* What a crash left behind may have another mode, and a secret must not get that. */
    unlink(path);
    AUTO(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    if (fd < 0) {
        FAIL(ERR_IO, "%s: %s", path, strerror(errno));
    }
    TRY(write_all(fd, content, path));
    if (fsync(fd) != 0) {
        FAIL(ERR_IO, "%s: %s", path, strerror(errno));
    }
    return OK;
}

err file_write(const char *path, struct bytes content, unsigned mode)
{
    char beside[PATH_MAX];

    if (snprintf(beside, sizeof beside, "%s.new.%ld", path, (long)getpid()) >= (int)sizeof beside) {
        FAIL(ERR_LIMIT, "%s: path too long", path);
    }
    err e = write_new(beside, content, mode);
    if (!e.code && rename(beside, path) != 0) {
        err_set(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
        e = (err){ ERR_IO };
    }
    if (e.code) {
        unlink(beside);
        return e;
    }
    return sync_parent(path);
}

static err make_dir(const char *path, unsigned mode)
{
    struct stat st;

    if (mkdir(path, mode) == 0) {
        return OK;
    }
    if (errno != EEXIST) {
        FAIL(ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        FAIL(ERR_IO, "%s: is there, but is no directory", path);
    }
    return OK;
}

err file_make_dirs(const char *path, unsigned mode)
{
    char part[PATH_MAX];

    if (path[0] == '\0') {
        FAIL(ERR_IO, "a directory without a name");
    }
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) {
        FAIL(ERR_LIMIT, "%s: path too long", path);
    }
    for (char *at = part + 1;; at++) {
        char c = *at;
        if (c != '/' && c != '\0') {
            continue;
        }
        *at = '\0';
        TRY(make_dir(part, mode));
        *at = c;
        if (c == '\0') {
            return OK;
        }
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    remove(path);
    return 0;
}

void file_remove_all(const char *path)
{
    nftw(path, remove_one, REMOVE_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
}
