/* SPDX-License-Identifier: Apache-2.0 */
/* The octets that the key-value store leaves on nodes: keys, sealed blocks, feet, frames of the
 * commit log, entries, the root (docs/storage.md, layouts). Gateway and tests share it; a node
 * needs none of it.
 *
 * Nonces: four zero octets and a counter. A key never seals two texts under one counter: file and
 * segment ids are 16 random octets and enter the key, a block index is used once because files are
 * written once, front to back, and a segment is never continued after an open or a failed append.
 * GMACs (no text) have a 1 bit in the first octet of their nonce and a key of their own. */
#pragma once

#include "lib/base/buf.h"
#include "lib/crypto/aead.h"
#include "lib/crypto/hash.h"

#define KVS_ID_BYTES 16
#define KVS_BLOCK_LOG2 14
#define KVS_BLOCK_BYTES 16384 /* sealed */
#define KVS_BLOCK_PLAIN (KVS_BLOCK_BYTES - AEAD_TAG_BYTES)
#define KVS_BLOCK_AAD_BYTES 64
#define KVS_BLOCKS_MAX UINT32_MAX
#define KVS_FOOT_BYTES 96
#define KVS_FOOT_MACED_BYTES 80
#define KVS_UNIT_BLOCKS 16
#define KVS_FRAGMENTS_MAX 25 /* 5 copies, 16 data, 4 parity */
#define KVS_NODE_MISSING 0xffff

struct kvs_id {
    uint8_t octets[KVS_ID_BYTES];
};

bool kvs_id_equal(const struct kvs_id *a, const struct kvs_id *b);
bool kvs_id_is_zero(const struct kvs_id *id);
#define KVS_ID_TEXT_BYTES (2 * KVS_ID_BYTES + 1)
void kvs_id_text(const struct kvs_id *id, char out[KVS_ID_TEXT_BYTES]);
/* "<32 hex>.<gen, 4 hex>.<index, 2 hex>" */
#define KVS_NAME_BYTES 41
void kvs_name_text(const struct kvs_id *id, uint16_t gen, uint8_t index, char out[KVS_NAME_BYTES]);
err kvs_name_parse(const char *name, struct kvs_id *out) MUST_USE; /* ERR_PROTO */

/* --- keys ---------------------------------------------------------------------------------- */

/* How a file is spread: r whole copies and, with k > 0, k data and m parity fragments. */
struct kvs_spread {
    uint8_t r, k, m, matrix;
    uint16_t gen;  /* one more each time the file is laid out anew */
    uint16_t unit; /* blocks */
};

err kvs_kek(const struct key *root, const uint8_t cluster[16], struct key *out) MUST_USE;
err kvs_space_kek(const struct key *vek, struct key *out) MUST_USE;
/* `from` is the key of the space, or the epoch key (VEK) for files of no space. */
err kvs_file_key(const struct key *from, uint32_t shard, const struct kvs_id *file,
                 struct key *out) MUST_USE;
err kvs_frag_key(const struct key *file_key, const struct kvs_spread *spread, struct key *out)
    MUST_USE;
err kvs_log_key(const struct key *vek, uint32_t shard, const struct kvs_id *segment,
                struct key *out) MUST_USE;

/* --- blocks -------------------------------------------------------------------------------- */

struct kvs_block {
    uint8_t kind;
    bool last;
    uint8_t block_log2;
    struct kvs_id file;
    uint64_t epoch; /* of the writer */
    uint64_t index;
    uint32_t plain_len; /* 1 .. 2^block_log2 - 16 */
    uint32_t key_epoch;
    uint32_t shard;
};

/* Nonce: the block's index under the file's key. `out` has plain_len + 16 octets. */
err kvs_block_seal(struct aead *a, const struct key *file_key, const struct kvs_block *b,
                   const uint8_t *plain, uint8_t *out) MUST_USE;
/* ERR_AUTH: not the octets that were sealed as this block. `out` has plain_len octets. */
err kvs_block_open(struct aead *a, const struct key *file_key, const struct kvs_block *b,
                   const uint8_t *sealed, uint8_t *out) MUST_USE;

/* --- feet ---------------------------------------------------------------------------------- */

enum kvs_role { KVS_COPY, KVS_DATA, KVS_PARITY };

struct kvs_foot {
    uint8_t role; /* enum kvs_role */
    uint8_t index;
    uint8_t block_log2;
    struct kvs_spread spread;
    struct kvs_id file;
    uint32_t shard;
    uint32_t key_epoch;
    uint64_t epoch;
    uint64_t length; /* of the file's clear octets */
    uint32_t blocks;
    uint32_t rows;
    uint8_t digest[16]; /* the first half of the file's digest */
};

/* Nonce: ff, index, generation, ff x 8, under the fragment key. */
err kvs_foot_seal(struct aead *a, const struct key *frag_key, const struct kvs_foot *f,
                  uint8_t out[KVS_FOOT_BYTES]) MUST_USE;
/* ERR_PROTO for octets that no foot has. Says nothing about authenticity. */
err kvs_foot_parse(struct bytes raw, struct kvs_foot *out) MUST_USE;
/* ERR_AUTH: not the foot that was written. */
err kvs_foot_check(struct aead *a, const struct key *frag_key, struct bytes raw) MUST_USE;
/* GMAC of one parity row of 16,384 octets; nonce: 01, index, generation, row. */
err kvs_row_mac(struct aead *a, const struct key *frag_key, uint8_t index, uint16_t gen,
                uint64_t row, struct bytes octets, uint8_t out[AEAD_TAG_BYTES]) MUST_USE;

/* --- entries: what is known of a sealed file ------------------------------------------------- */

struct kvs_file_entry {
    struct kvs_id id;
    uint8_t kind;
    uint8_t block_log2;
    struct kvs_spread spread;
    uint32_t key_epoch;
    uint32_t space; /* 0 = none: sealed under the epoch key */
    uint64_t epoch;
    uint64_t length;
    uint32_t blocks;
    uint64_t created_s;
    struct digest digest; /* SHA-256 of all tags in order */
    uint16_t nodes[KVS_FRAGMENTS_MAX];
};

size_t kvs_spread_count(const struct kvs_spread *s); /* fragments: r + k + m */
err kvs_file_entry_encode(const struct kvs_file_entry *e, struct buf *out) MUST_USE;
err kvs_file_entry_decode(struct bytes *in, struct kvs_file_entry *out) MUST_USE; /* ERR_PROTO */

/* --- commit log ------------------------------------------------------------------------------ */

#define KVS_FRAME_ALIGN 4096
#define KVS_FRAME_HEAD_BYTES 64
#define KVS_FRAME_COVERED_BYTES 56 /* of the header: under CRC, tag and chain */
#define KVS_FRAME_PLAIN_MAX (24u << 20)

enum kvs_frame_type { KVS_FRAME_HEAD = 1, KVS_FRAME_COMMIT = 2, KVS_FRAME_END = 3 };

struct kvs_frame {
    uint8_t type; /* enum kvs_frame_type */
    struct kvs_id segment;
    uint64_t epoch;
    uint64_t index; /* the head is 0 */
    uint64_t seq;   /* one more each commit */
    uint32_t plain_len;
    uint32_t padded_len; /* with header, tag and zeros: a multiple of 4,096 */
    uint32_t body_crc;   /* of ciphertext and tag */
};

uint32_t kvs_frame_padded(uint32_t plain_len);
struct digest kvs_chain_start(const uint8_t cluster[16], uint32_t shard);
/* Seals `plain` as a frame into `out`, which has padded_len octets, and moves the chain on. Nonce:
 * the frame's index under the segment's key. */
err kvs_frame_seal(struct aead *a, const struct key *log_key, const struct kvs_frame *f,
                   const uint8_t *plain, struct digest *chain, uint8_t *out) MUST_USE;
/* Reads a header; ERR_PROTO when magic, version, lengths or CRC are wrong. `raw` has at least
 * KVS_FRAME_HEAD_BYTES octets. */
err kvs_frame_parse(struct bytes raw, struct kvs_frame *out) MUST_USE;
/* `raw` is the whole frame. ERR_PROTO when the body's CRC is wrong: an accident or a torn write.
 * ERR_AUTH when chain or tag is wrong: tampering. Moves the chain on when it is right. `out` has
 * plain_len octets. */
err kvs_frame_open(struct aead *a, const struct key *log_key, const struct kvs_frame *f,
                   struct bytes raw, struct digest *chain, uint8_t *out) MUST_USE;

#define KVS_PATH_MAX 255
#define KVS_WRAPPED_MAX 8

enum kvs_edit_type {
    KVS_EDIT_DATA = 1,
    KVS_EDIT_CREATE = 2,
    KVS_EDIT_RENAME = 3,
    KVS_EDIT_DELETE = 4,
    KVS_EDIT_SEALED = 5,
    KVS_EDIT_PLACE = 6,
    KVS_EDIT_LAYOUT = 7,
    KVS_EDIT_NODE = 8,
    KVS_EDIT_KEYS = 9,
    KVS_EDIT_CHECKPOINT = 10,
    KVS_EDIT_RELAYOUT = 11,
    KVS_EDIT_STATE = 12, /* first in a checkpoint: how far it goes */
};

/* One edit. Only the fields of its type are set; texts are borrowed and not terminated. */
struct kvs_edit {
    uint8_t type; /* enum kvs_edit_type */
    uint64_t ino; /* DATA, CREATE, RENAME, DELETE, SEALED; STATE: the next to be given */
    union {
        struct {
            uint64_t offset;
            struct bytes octets;
        } data;
        struct {
            uint8_t kind;
            struct bytes path;
        } create;
        struct bytes path;      /* RENAME */
        struct kvs_file_entry entry; /* SEALED, RELAYOUT */
        struct {
            struct kvs_id file;
            uint16_t gen;
            uint8_t index;
            uint16_t node;
        } place;
        struct {
            uint8_t r, k, m, flags;
            struct bytes path;
        } layout;
        struct {
            uint16_t node;
            uint8_t state;
            uint8_t uuid[16];
            struct bytes address;
        } node;
        struct {
            uint32_t space;
            uint32_t key_epoch; /* of the VEK that wraps it */
            bool dropped;       /* the space is gone, its key with it: `wrapped` is empty */
            uint8_t wrapped[KEY_WRAPPED_BYTES];
        } keys;
        struct {
            struct kvs_id file;
            struct digest digest;
        } checkpoint;
        struct {
            uint64_t seq;
            struct digest chain;
        } state;
    } u;
};

/* ERR_LIMIT when `out` is full or a text too long. */
err kvs_edit_encode(const struct kvs_edit *edit, struct buf *out) MUST_USE;
/* Takes one from the front. ERR_PROTO: unknown type, bad length, a field that no edit has. */
err kvs_edit_take(struct bytes *in, struct kvs_edit *out) MUST_USE;

/* What a head says of each live segment before its own. */
#define KVS_SEGMENTS_MAX 64
struct kvs_segment_ref {
    struct kvs_id id;
    uint64_t number; /* counts up */
    uint32_t key_epoch;
    uint64_t frames;     /* that count; later ones are void */
    struct digest start; /* the chain before its head */
    struct digest end;   /* and after its last frame that counts */
};
struct kvs_head {
    uint64_t number; /* of the segment itself */
    uint32_t count;
    struct kvs_segment_ref segments[KVS_SEGMENTS_MAX]; /* oldest first */
};
err kvs_head_encode(const struct kvs_head *h, struct buf *out) MUST_USE;
err kvs_head_parse(struct bytes in, struct kvs_head *out) MUST_USE;

/* --- root ------------------------------------------------------------------------------------ */

#define KVS_ROOT_HEAD_BYTES 96
#define KVS_ROOT_BYTES_MAX 4096
#define KVS_ROOT_PLAIN_MAX 2048
#define KVS_RING_MAX 8

struct kvs_ring_key {
    uint32_t epoch;
    uint8_t wrapped[KEY_WRAPPED_BYTES];
};

struct kvs_root {
    uint8_t cluster[16];
    uint32_t shard;
    uint32_t root_key_version;
    uint8_t salt[32]; /* new at each open: the root's key is never used by two openings */
    uint64_t epoch;
    uint64_t writes;
    /* sealed from here on */
    uint64_t seq;
    uint64_t rev;
    struct digest chain;
    struct kvs_id segment; /* the newest */
    uint64_t segment_number;
    uint64_t segments_live;  /* bit i: the i-th segment that its head lists still counts */
    uint32_t segment_key_epoch;
    struct digest segment_start; /* the chain before its head */
    struct kvs_id checkpoint;    /* zero: none yet */
    uint64_t checkpoint_length;
    uint64_t checkpoint_epoch;
    uint32_t checkpoint_key_epoch;
    struct digest checkpoint_digest;
    uint64_t anchor; /* 1: an anchor is kept, so that its absence is suspicious */
    uint32_t ring_count;
    struct kvs_ring_key ring[KVS_RING_MAX];
};

/* Appends a root. Nonce: `writes`, under a key of the salt. */
err kvs_root_seal(struct aead *a, const struct key *root_key, const struct kvs_root *r,
                  struct buf *out) MUST_USE;
/* The clear fields only. ERR_PROTO. */
err kvs_root_peek(struct bytes raw, struct kvs_root *out) MUST_USE;
/* ERR_PROTO, ERR_AUTH: another key, or not the octets that were sealed. */
err kvs_root_open(struct aead *a, const struct key *root_key, struct bytes raw,
                  struct kvs_root *out) MUST_USE;

/* --- anchor ---------------------------------------------------------------------------------- */

/* What is remembered outside the storage: it may only grow. */
#define KVS_ANCHOR_BYTES 128
struct kvs_anchor {
    uint8_t cluster[16];
    uint32_t shard;
    uint64_t epoch;
    uint64_t seq;
    struct digest chain;
};
/* HMAC-SHA-256 under a key of the root key, so that a damaged anchor is seen as such. */
err kvs_anchor_seal(const struct key *root_key, const struct kvs_anchor *a,
                    uint8_t out[KVS_ANCHOR_BYTES]) MUST_USE;
err kvs_anchor_open(const struct key *root_key, struct bytes raw, struct kvs_anchor *out) MUST_USE;
