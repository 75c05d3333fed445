/* SPDX-License-Identifier: Apache-2.0 */
/* The sealed volume: every octet that the store keeps goes to disk through here, sealed
 * (docs/storage.md).
 *
 * Files have paths ("/v/000012.sst") that only the volume knows: on disk there are random names,
 * AES-256-GCM blocks and one commit log, a hash chain of frames that carries in one order the
 * octets of small files and the volume's own edits (create, rename, delete, seal). A state older
 * than the log, a foreign, cut, repeated or changed octet is refused with ERR_CORRUPT, and the text
 * names the file by its random name.
 *
 * Calls block; none may run on a network loop. Different files may be used from different threads,
 * one file's writer from one thread at a time. Create, rename, delete and seal queue an edit; the
 * next commit of anything makes all earlier edits durable, in order.
 *
 * Codes: ERR_CORRUPT as above; ERR_MISSING no such file; ERR_LIMIT a bound or "disk full"; ERR_IO
 * the disk failed; ERR_CONFLICT another process has the volume; ERR_CLOSED the volume has failed
 * for writing (a commit whose outcome is unknown): reads go on, closing and opening settles it. */
#pragma once

#include "lib/base/bytes.h"
#include "lib/crypto/secret.h"
#include "store/kvs/volume_io.h"

#define VOLUME_PATH_MAX 255              /* octets of a path */
#define VOLUME_FILES_MAX 1000000         /* files of a volume */
#define VOLUME_FRAME_BYTES_MAX (24u << 20) /* one commit, edits and octets */
#define VOLUME_SEGMENTS_MAX 64           /* live segments of the log */
#define VOLUME_SEGMENT_BYTES (64u << 20) /* unless configured */

enum volume_kind {
    VOLUME_INLINE = 1,     /* octets live in the log: write-ahead log, manifest, small files */
    VOLUME_TABLE = 2,      /* a file of sealed blocks, written once */
    VOLUME_OBJECT = 3,     /* the same for one large value */
    VOLUME_CHECKPOINT = 4, /* the volume's own */
};

/* What the operator must be told, loudly, about protection against a complete older state put
 * back (rollback): see volume_info. */
enum volume_anchor {
    VOLUME_ANCHOR_NONE,  /* level 0: a complete older copy of the directory would be accepted */
    VOLUME_ANCHOR_LOCAL, /* level 1: an older state than the anchor outside it is refused */
};

struct volume_config {
    struct key root_key;       /* 32 octets; copied, wiped at close */
    uint32_t root_key_version; /* shown in the root, so that a rotation can find the right key */
    uint8_t cluster[16];       /* zero: drawn for a new volume, taken from an existing one */
    uint32_t shard;
    uint32_t segment_bytes;     /* of the log; 0 = VOLUME_SEGMENT_BYTES; a multiple of 4,096 */
    uint64_t checkpoint_bytes;  /* log octets between checkpoints; 0 = four segments */
    bool create;                /* make a new volume in an empty directory */
    bool accept_rollback;       /* open a state older than root or anchor: an operator's decision */
};

struct volume;
struct volume_file;
struct volume_reader;

/* Opens, verifies and replays; starts a new epoch and a new segment. Borrows `io` until close. */
err volume_open(const struct volume_config *config, const struct volume_io *io,
                struct volume **out) MUST_USE;
/* Commits what is queued, writes a checkpoint and the root. All files and readers must be freed
 * before. The volume is freed even where an error tells that the last writes failed. */
err volume_close(struct volume *v) MUST_USE;
/* Frees without writing anything: what was not committed is lost, as in a crash. */
void volume_abandon(struct volume *v);
void volume_abandonp(struct volume **v);

/* --- writing ------------------------------------------------------------------------------- */

/* A new empty file; one with that path is replaced. ERR_LIMIT: path, count of files. */
err volume_create(struct volume *v, const char *path, enum volume_kind kind,
                  struct volume_file **out) MUST_USE;
err volume_append(struct volume_file *file, struct bytes data) MUST_USE;
/* INLINE: its octets and every queued edit are durable on return; files that wait here together
 * share one frame. Others: volume_seal. */
err volume_sync(struct volume_file *file) MUST_USE;
/* TABLE, OBJECT: the octets are durable, the file is read-only and may be opened; its name becomes
 * durable with the next commit. */
err volume_seal(struct volume_file *file) MUST_USE;
/* TABLE, OBJECT: where the disk is full, `wait` tells whether to try again (it may sleep first); a
 * false makes that ERR_LIMIT, as it is without one. Before the first append. */
typedef bool (*volume_wait_fn)(void *arg);
void volume_file_wait(struct volume_file *file, volume_wait_fn wait, void *arg);
uint64_t volume_file_size(const struct volume_file *file);
void volume_file_free(struct volume_file *file); /* an unsealed TABLE or OBJECT is dropped */
void volume_file_freep(struct volume_file **file);

/* Renaming onto a file replaces it. ERR_MISSING. */
err volume_rename(struct volume *v, const char *from, const char *to) MUST_USE;
err volume_delete(struct volume *v, const char *path) MUST_USE;

/* Makes every queued edit durable. */
err volume_commit(struct volume *v) MUST_USE;
/* False: the log may be unable to take so many octets, the disk being full. A commit that finds no
 * room ends all writing until the volume is opened again, so ask before. */
bool volume_log_takes(struct volume *v, uint64_t bytes);
/* Writes the whole state as a sealed file and gives old log segments back. Done by itself, too. */
err volume_checkpoint(struct volume *v) MUST_USE;

/* Forgets the key of a space (directories "/v/s<8 hex>.<slot>"): its files can never be read again,
 * wherever copies of them are. Delete the files first. A queued edit; an unknown space is fine. */
err volume_space_drop(struct volume *v, uint32_t space) MUST_USE;

/* --- reading ------------------------------------------------------------------------------- */

struct volume_range {
    uint64_t offset;
    uint8_t *out; /* room for `size` octets; its content is undefined after a failure */
    size_t size;
    size_t got;   /* below `size` only at the end of the file */
};

/* Pins the file: it can be read on after it is deleted or replaced. ERR_CORRUPT: its foot or size
 * is wrong. */
err volume_reader_open(struct volume *v, const char *path, struct volume_reader **out) MUST_USE;
/* Any number of threads may read through one reader. */
err volume_read(struct volume_reader *reader, struct volume_range *ranges, size_t count) MUST_USE;
uint64_t volume_reader_size(const struct volume_reader *reader);
void volume_reader_id(const struct volume_reader *reader, uint8_t out[16]); /* never used twice */
void volume_reader_free(struct volume_reader *reader);
void volume_reader_freep(struct volume_reader **reader);

struct volume_file_stat {
    enum volume_kind kind;
    uint64_t size;
    uint64_t created_s; /* UTC; 0 for INLINE */
};
err volume_stat(struct volume *v, const char *path, struct volume_file_stat *out) MUST_USE;

/* The names right below `dir` ("/v"), in order: files, and once each the directories that have
 * files below them. */
typedef void (*volume_list_fn)(void *arg, const char *name, bool is_dir);
err volume_list(struct volume *v, const char *dir, volume_list_fn fn, void *arg) MUST_USE;

struct volume_figures {
    uint8_t cluster[16];
    uint64_t epoch;       /* one more with each open */
    uint64_t seq;         /* newest durable commit */
    uint64_t anchor_seq;  /* newest commit known to the anchor; 0 without */
    uint64_t anchor_failures; /* the anchor could not be written: it lags */
    enum volume_anchor anchor;
    uint64_t file_count;
    uint64_t sealed_bytes;  /* of tables and objects, as stored */
    uint64_t log_bytes;     /* live octets of the log */
    uint32_t segment_count; /* live segments */
    uint64_t frames;        /* commits since the open */
    uint64_t disk_free_bytes; /* UINT64_MAX when the storage cannot say */
    bool failed;            /* writing is over, see ERR_CLOSED */
};
void volume_info(struct volume *v, struct volume_figures *out);
