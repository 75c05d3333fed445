/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the sources of the sealed volume alone.
 *
 * Locks: `lock` guards names, inodes, the queue of edits and of waiters. Whoever set `leading` owns
 * the log, the root and the checkpoint until it clears it; it may hold `lock` or not. */
#pragma once

#include <pthread.h>

#include "lib/base/map.h"
#include "lib/wire/kvs_layout.h"
#include "store/kvs/volume.h"

#define ERROR_TEXT_BYTES 256
#define HELD_BYTES_MAX (64u << 20)      /* of small files kept in memory, together */
#define EDITS_BYTES_MAX (16u << 20)     /* queued between two commits */
#define CHECKPOINT_BYTES_MAX (512u << 20)
#define SEGMENTS_SOFT_MAX 32            /* from here on each new segment asks for a checkpoint */
#define SCRATCH_BLOCKS 16               /* blocks read or written at once */
#define SCRATCH_COUNT_MAX 16            /* kept for the next reader */

struct segment {
    struct kvs_segment_ref ref;
    struct key key;
    void *handle;     /* of the io */
    uint64_t bytes;   /* up to the end of its last frame */
    uint64_t pins;    /* extents in it; under the lock */
    uint32_t listed;  /* its place in the list of the newest segment's head */
};

/* Where octets of a write-ahead log are: in the text of a frame. */
struct extent {
    uint64_t offset; /* in the file */
    uint32_t len;
    uint32_t at;           /* in the frame's text */
    uint64_t frame_offset; /* in the segment */
    struct segment *segment;
    struct digest chain; /* before the frame */
};

struct inode {
    uint64_t ino; /* 0: not given yet, see volume_inode_number */
    char *path; /* owned */
    enum volume_kind kind;
    uint32_t refs; /* writer and readers */
    bool named;    /* in the map of paths */
    bool logged;   /* its CREATE is in the log or queued, so its end needs a DELETE */
    bool gone;     /* deleted, and that is durable */
    bool sealed;   /* TABLE, OBJECT */
    bool writing;  /* a writer has it */
    bool is_log;   /* write-ahead log: octets stay in the log's segments */
    uint64_t deleted_in; /* the batch of edits that deletes it */
    struct inode *next_dying;

    uint64_t synced;   /* INLINE: octets that are in frames */
    struct buf octets; /* INLINE: from `synced` on (is_log), else all */
    struct extent *extents;
    size_t extent_count, extent_cap;

    struct kvs_file_entry entry; /* sealed files; path of an unsealed one is not in the log */

    bool map_full;
    UT_hash_handle by_path, by_ino;
};

struct space_key {
    uint32_t space;
    uint32_t key_epoch;
    struct key key;
    uint8_t wrapped[KEY_WRAPPED_BYTES];
    bool map_full;
    UT_hash_handle hh;
};

/* A cipher context and room for sealed blocks: one per reading thread at a time. */
struct scratch {
    struct aead *aead;
    uint8_t *sealed; /* SCRATCH_BLOCKS blocks */
    struct scratch *next;
};

struct waiter {
    struct inode *inode; /* whose octets are to be synced; NULL for edits alone */
    uint64_t taken;      /* octets in the frame */
    uint32_t at;         /* and where in its text */
    bool in_frame;
    bool done;
    enum err_code code;
    char text[ERROR_TEXT_BYTES];
    struct waiter *next;
};

struct ring_key {
    uint32_t epoch;
    struct key vek;
    uint8_t wrapped[KEY_WRAPPED_BYTES];
};

struct commit_log {
    struct segment *segments[KVS_SEGMENTS_MAX]; /* oldest first; the last one is written */
    uint32_t count;
    uint64_t size;   /* of the newest segment */
    uint64_t index;  /* of the next frame */
    uint64_t number; /* of the newest segment */
    uint64_t seq;
    struct digest chain;
    bool broken; /* an append failed: never append to this segment again */
    struct aead *aead;
    uint8_t *memory; /* of `frame` */
    uint8_t *frame;  /* aligned for direct output */
    size_t frame_cap;
    uint64_t bytes_since_checkpoint;
};

struct volume {
    const struct volume_io *io;
    struct volume_config config;
    uint8_t cluster[16];
    uint64_t epoch;

    pthread_mutex_t lock;
    pthread_cond_t turn;
    bool leading;
    enum err_code failed; /* ERR_NONE, or writing is over */
    char failed_text[ERROR_TEXT_BYTES];

    struct inode *paths, *inos;
    uint64_t next_ino;
    uint64_t held_bytes;
    struct inode *dying;
    struct buf edits;
    uint64_t batch; /* number of the batch of edits being queued */
    struct waiter *first, **last;

    struct key kek;
    struct ring_key ring[KVS_RING_MAX];
    uint32_t ring_count; /* the last one is current */
    struct space_key *spaces;

    struct commit_log log;
    struct buf frame_text;
    struct kvs_root root; /* as last written */
    bool has_checkpoint;
    struct kvs_file_entry checkpoint;
    uint64_t checkpoint_seq; /* of the one loaded at open */
    struct kvs_anchor anchor; /* as found at open */
    bool anchor_present, anchor_seen;
    uint64_t anchor_seq;
    uint64_t anchor_writes;
    uint64_t anchor_durable_us; /* when it was last made durable */
    uint64_t anchor_failures;
    uint64_t frames; /* since the open */
    uint64_t seq_shown, log_bytes_shown; /* for volume_info, under the lock */
    uint64_t log_rest_shown;             /* of the newest segment */
    uint32_t segments_shown;

    pthread_mutex_t scratch_lock;
    struct scratch *idle;
    unsigned idle_count;
};

/* volume_names.c: inodes, paths, and what edits do to them. All under the lock. */
struct inode *volume_inode_at(struct volume *v, const char *path);
struct inode *volume_inode_of(struct volume *v, uint64_t ino);
err volume_inode_new(struct volume *v, struct bytes path, enum volume_kind kind,
                     struct inode **out) MUST_USE;
/* Numbers are given in the order of the log's CREATE edits, never twice. */
err volume_inode_number(struct volume *v, struct inode *n, uint64_t ino) MUST_USE;
err volume_inode_rename(struct volume *v, struct inode *n, struct bytes path) MUST_USE;
void volume_inode_unname(struct volume *v, struct inode *n); /* no path leads to it any more */
void volume_inode_free(struct volume *v, struct inode *n);   /* unpins its segments */
err volume_inode_extend(struct inode *n, const struct extent *e) MUST_USE;
err volume_path_check(const char *path) MUST_USE;
/* Deletes by name: queues the edit, or forgets the file at once where the log does not know it. */
err volume_inode_delete(struct volume *v, struct inode *n) MUST_USE;
/* Frees what is gone and unused; deletes its object. Takes the lock itself. */
void volume_reap(struct volume *v);

/* volume_replay.c: the state that edits make. */
struct replay_at {
    struct segment *segment; /* NULL in a checkpoint */
    uint64_t frame_offset;
    struct digest chain;   /* before the frame */
    const uint8_t *text;   /* of the frame */
    bool before_checkpoint; /* only octets of logs that still exist matter */
};
err volume_replay(struct volume *v, struct bytes edits, const struct replay_at *at) MUST_USE;

/* volume_keys.c */
err volume_keys_new(struct volume *v) MUST_USE;
err volume_keys_load(struct volume *v, const struct kvs_root *r) MUST_USE;
void volume_keys_done(struct volume *v);
const struct ring_key *volume_vek(const struct volume *v, uint32_t epoch); /* NULL: unknown */
const struct ring_key *volume_vek_now(const struct volume *v);
uint32_t volume_space_of(const char *path); /* from "/v/s<8 hex>.<slot>/..."; else 0 */
err volume_space_key_make(struct volume *v, uint32_t space) MUST_USE; /* if new; queues its edit */
err volume_space_key_apply(struct volume *v, const struct kvs_edit *edit) MUST_USE;
err volume_space_keys_save(struct volume *v, struct buf *out) MUST_USE;
/* The key of a sealed file. ERR_MISSING: the space was dropped; ERR_CORRUPT: no such epoch. */
err volume_file_key(struct volume *v, const struct kvs_file_entry *e, struct key *out) MUST_USE;

/* volume_blocks.c: sealed files, as one whole copy. */
struct sealer;
err volume_sealer_new(struct volume *v, enum volume_kind kind, uint32_t space,
                      struct sealer **out) MUST_USE;
void volume_sealer_wait(struct sealer *s, volume_wait_fn wait, void *arg);
err volume_sealer_append(struct sealer *s, struct bytes data) MUST_USE;
err volume_sealer_finish(struct sealer *s, struct kvs_file_entry *out) MUST_USE; /* durable */
uint64_t volume_sealer_size(const struct sealer *s);
void volume_sealer_free(struct sealer *s); /* drops what is not finished */
void volume_sealer_freep(struct sealer **s);
struct opener {
    struct volume *v;
    struct kvs_file_entry entry;
    struct key key;
    void *object; /* NULL for an empty file */
    char name[KVS_NAME_BYTES];
};
err volume_opener_init(struct volume *v, const struct kvs_file_entry *e,
                       struct opener *out) MUST_USE;
err volume_opener_read(struct opener *o, uint64_t offset, uint8_t *out, size_t size) MUST_USE;
void volume_opener_done(struct opener *o);
err volume_scratch_take(struct volume *v, struct scratch **out) MUST_USE;
void volume_scratch_give(struct volume *v, struct scratch *s);
void volume_scratch_done(struct volume *v);

/* volume_log.c: only the leader. */
err volume_log_start(struct volume *v) MUST_USE; /* a new segment after what was replayed */
err volume_log_commit(struct volume *v, struct bytes text, struct replay_at *out_at) MUST_USE;
err volume_log_read_frame(struct volume *v, struct aead *a, const struct segment *s,
                          uint64_t offset, const struct digest *chain, struct buf *out) MUST_USE;
/* Segments that nothing needs once there is a checkpoint: all without octets of a log, but for the
 * newest. First out of the root, and when that is durable, out of the way. */
uint64_t volume_log_needed(const struct volume *v); /* as kvs_root.segments_live */
void volume_log_forget_unneeded(struct volume *v, bool delete);
void volume_segment_free(struct volume *v, struct segment *s);
void volume_log_done(struct volume *v);

/* volume_scan.c: reading the log at open. */
err volume_log_load(struct volume *v) MUST_USE;
/* After the root of this opening is durable: forgets segments that hold nothing. */
err volume_log_strangers(struct volume *v, bool delete) MUST_USE;

/* volume_root.c */
err volume_root_load(struct volume *v, bool *out_present) MUST_USE;
err volume_root_write(struct volume *v) MUST_USE; /* leader */
err volume_anchor_load(struct volume *v) MUST_USE; /* before the log, which must meet it */
err volume_anchor_check(struct volume *v, bool root_present) MUST_USE;
void volume_anchor_update(struct volume *v, bool durable);

/* volume_commit.c */
err volume_queue(struct volume *v, const struct kvs_edit *edit) MUST_USE; /* under the lock */
err volume_wait_commit(struct volume *v, struct inode *n) MUST_USE;
void volume_lead(struct volume *v);   /* under the lock: waits for its turn */
void volume_follow(struct volume *v); /* under the lock: gives the turn away */
/* As leader, under the lock, which is kept throughout: commits every queued edit. */
err volume_commit_edits_locked(struct volume *v) MUST_USE;
void volume_fail(struct volume *v, err e); /* under the lock: writing is over */
err volume_check_writable(struct volume *v) MUST_USE;

/* volume_checkpoint.c */
err volume_checkpoint_lead(struct volume *v) MUST_USE; /* leader, lock held */
err volume_checkpoint_load(struct volume *v) MUST_USE;
/* At open, before the new segment: a process that ends soon after each start must not fill the log
 * with segments. */
err volume_checkpoint_shed(struct volume *v) MUST_USE;
bool volume_checkpoint_due(const struct volume *v);
