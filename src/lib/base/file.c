/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

err file_read(const char *path, struct buf *out)
{
    AUTO(close_fd) int fd = -1;
    uint8_t part[8192];

    TRY(open_for_reading(path, &fd));
    for (;;) {
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            FAIL(ERR_IO, "%s: %s", path, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        err e = buf_append(out, (struct bytes){ part, (size_t)n });
        if (e.code) {
            return err_context(e, "%s", path);
        }
    }
    explicit_bzero(part, sizeof part);
    return OK;
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
    AUTO(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

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

err file_make_dirs(const char *path, unsigned mode)
{
    char part[PATH_MAX];

    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) {
        FAIL(ERR_LIMIT, "%s: path too long", path);
    }
    for (char *at = part + 1;; at++) {
        char c = *at;
        if (c != '/' && c != '\0') {
            continue;
        }
        *at = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST) {
            FAIL(ERR_IO, "%s: %s", part, strerror(errno));
        }
        *at = c;
        if (c == '\0') {
            return OK;
        }
    }
}
