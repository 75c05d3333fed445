/* SPDX-License-Identifier: Apache-2.0 */
/* A storage node that is a directory (the embedded default):
 *
 *     lock                       who has it; a second process is refused with the holder's pid
 *     root                       two slots of 4,096 octets
 *     o/<xx>/<yy>/<name>         sealed objects; made in tmp/, synced, renamed, directory synced
 *     log/<segment>, pool/       segments of the commit log, and prepared empty ones
 *     bad/                       objects that nothing names, kept for seven days */
#pragma once

#include "store/kvs/volume_io.h"

#define VOLUME_DIR_POOL_MAX 16

struct volume_dir_config {
    const char *path;        /* made if missing; borrowed until return */
    const char *anchor_path; /* outside of `path`, or NULL: rollback level 0; borrowed */
    uint64_t segment_bytes;  /* of prepared segments; as the volume's */
    unsigned pool_count;     /* segments of written zeros kept ready by a thread; 0 = none */
};

struct volume_dir;
/* ERR_CONFLICT: another process has it, the text says which pid. */
err volume_dir_open(const struct volume_dir_config *config, struct volume_dir **out) MUST_USE;
const struct volume_io *volume_dir_io(struct volume_dir *d); /* borrows */
void volume_dir_close(struct volume_dir *d);                 /* after the volume */
void volume_dir_closep(struct volume_dir **d);
