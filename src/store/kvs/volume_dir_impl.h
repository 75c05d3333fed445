/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the sources of volume_dir.h alone. */
#pragma once

#include <pthread.h>

#include "store/kvs/volume_dir.h"

#define PATH_BYTES 1024

struct volume_dir {
    int fd, lock_fd, root_fd, anchor_fd;
    char path[PATH_BYTES];
    char anchor_path[PATH_BYTES];
    struct volume_io io;

    /* prepared segments, volume_dir_log.c */
    uint64_t segment_bytes;
    unsigned pool_count; /* wanted */
    pthread_mutex_t lock;
    pthread_cond_t turn;
    pthread_t filler;
    bool locks_ready, filling, stop;
    unsigned ready; /* in pool/ */
    uint64_t next_name;
};

/* The newest errno as an err that names `what`. */
err volume_dir_fail(const char *what) MUST_USE;
err volume_dir_write(int fd, uint64_t offset, struct bytes data, const char *what) MUST_USE;
err volume_dir_read(int fd, uint64_t offset, uint8_t *out, size_t size, const char *what) MUST_USE;
err volume_dir_sync(int dir_fd, const char *dir) MUST_USE;
typedef err (*volume_dir_entry_fn)(void *arg, int dir_fd, const char *name);
err volume_dir_each(int dir_fd, const char *dir, volume_dir_entry_fn fn, void *arg) MUST_USE;

err volume_dir_log_open(struct volume_dir *d, const struct volume_dir_config *config) MUST_USE;
void volume_dir_log_close(struct volume_dir *d);
