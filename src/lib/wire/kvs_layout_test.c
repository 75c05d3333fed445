/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/kvs_layout.h"

#include <string.h>

#include "lib/base/test.h"

/* The vectors of the layouts: root 00..1f, cluster a0..af, VEK 20..3f, space key 40..5f, file id
 * b0..bf, segment c0..cf; shard 1, epoch 7, key epoch 3. */
#define SHARD 1
#define EPOCH 7
#define KEY_EPOCH 3

static void run(uint8_t first, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(first + i);
    }
}

struct fixture {
    struct key root, vek, space;
    uint8_t cluster[16];
    struct kvs_id file, segment;
    struct aead *aead;
};

static int set_up(void **state)
{
    struct fixture *f = mem_take(sizeof *f);

    run(0x00, f->root.octets, 32);
    run(0x20, f->vek.octets, 32);
    run(0x40, f->space.octets, 32);
    f->root.size = f->vek.size = f->space.size = 32;
    run(0xa0, f->cluster, 16);
    run(0xb0, f->file.octets, 16);
    run(0xc0, f->segment.octets, 16);
    assert_ok(aead_new(&f->aead));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    aead_free(f->aead);
    mem_give(f);
    return 0;
}

#define KEY_VIEW(k) ((struct bytes){ (k)->octets, (k)->size })

static void keys_follow_the_vectors(void **state)
{
    struct fixture *f = *state;
    struct key k;
    uint8_t wrapped[KEY_WRAPPED_BYTES];

    assert_ok(kvs_kek(&f->root, f->cluster, &k));
    assert_hex(KEY_VIEW(&k), "37c0a9c01fb9c1ce2d81728d193242a0d782d525d72431cf4666d9cdafbf0c7f");
    assert_ok(key_wrap(&k, &f->vek, wrapped));
    assert_hex(BYTES_OF(wrapped), "ddfc26cf2296dc7305cdacd94e9e1e0bd65e1346cc238a6247277cf097bae58e"
                                  "c7260e83ce2a7d2d");
    assert_ok(kvs_space_kek(&f->vek, &k));
    assert_ok(key_wrap(&k, &f->space, wrapped));
    assert_hex(BYTES_OF(wrapped), "66755b095b1e7bdce51eaa490377162278450c9292931d1af535325505af4f40"
                                  "506261b7b1bf026e");
    assert_ok(kvs_file_key(&f->space, SHARD, &f->file, &k));
    assert_hex(KEY_VIEW(&k), "8f6080a1b82c3758821ee75978173db39b0117cccfd5bb3df182ef8351a3966d");
    assert_ok(kvs_log_key(&f->vek, SHARD, &f->segment, &k));
    assert_hex(KEY_VIEW(&k), "20b101571eda33759edaf61cd1728773068d2b4b38d82d0b2e7a944e008cc63f");
}

static const struct kvs_spread six_two = { .k = 6, .m = 2, .matrix = 1, .gen = 1, .unit = 16 };

static struct kvs_block hello_block(const struct fixture *f)
{
    return (struct kvs_block){ .kind = 2, .last = true, .block_log2 = 14, .file = f->file,
                               .epoch = EPOCH, .index = 0, .plain_len = 5, .key_epoch = KEY_EPOCH,
                               .shard = SHARD };
}

static struct key file_key_of(const struct fixture *f)
{
    struct key k;

    assert_ok(kvs_file_key(&f->space, SHARD, &f->file, &k));
    return k;
}

static void a_block_follows_the_vector(void **state)
{
    struct fixture *f = *state;
    struct key k = file_key_of(f);
    struct kvs_block b = hello_block(f);
    uint8_t sealed[5 + 16], plain[5];

    assert_ok(kvs_block_seal(f->aead, &k, &b, (const uint8_t *)"hello", sealed));
    assert_hex(BYTES_OF(sealed), "bc7b71ffff287c0dd20043389db58eb27481a27c80");
    struct digest d = sha256((struct bytes){ sealed + 5, 16 });
    assert_hex(DIGEST_VIEW(&d), "844df592a40c674fb3f4f912178e93ed3242c3ebe3d4dae7ec0453536f2cbecc");
    assert_ok(kvs_block_open(f->aead, &k, &b, sealed, plain));
    assert_memory_equal(plain, "hello", 5);
}

static void a_block_opens_as_nothing_but_itself(void **state)
{
    struct fixture *f = *state;
    struct key k = file_key_of(f);
    struct kvs_block b = hello_block(f);
    uint8_t sealed[5 + 16], plain[5];

    assert_ok(kvs_block_seal(f->aead, &k, &b, (const uint8_t *)"hello", sealed));
    struct kvs_block others[9];
    for (size_t i = 0; i < 9; i++) {
        others[i] = b;
    }
    others[0].kind = 3;
    others[1].last = false;
    others[2].block_log2 = 12;
    others[3].file.octets[15] ^= 1;
    others[4].epoch = 8;
    others[5].index = 1;
    others[6].plain_len = 4;
    others[7].key_epoch = 4;
    others[8].shard = 2;
    for (size_t i = 0; i < 9; i++) {
        assert_err(kvs_block_open(f->aead, &k, &others[i], sealed, plain), ERR_AUTH);
    }
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 0x10;
        assert_err(kvs_block_open(f->aead, &k, &b, sealed, plain), ERR_AUTH);
        sealed[i] ^= 0x10;
    }
}

static struct kvs_foot hello_foot(const struct fixture *f)
{
    struct kvs_foot foot = { .role = KVS_DATA, .index = 0, .block_log2 = 14, .spread = six_two,
                             .file = f->file, .shard = SHARD, .key_epoch = KEY_EPOCH,
                             .epoch = EPOCH, .length = 5, .blocks = 1, .rows = 1 };
    uint8_t digest[32];

    assert_ok(hex_decode(
        BYTES_LIT("844df592a40c674fb3f4f912178e93ed3242c3ebe3d4dae7ec0453536f2cbecc"), digest, 32));
    memcpy(foot.digest, digest, sizeof foot.digest);
    return foot;
}

static void a_foot_follows_the_vector(void **state)
{
    struct fixture *f = *state;
    struct key k = file_key_of(f), frag;
    struct kvs_foot foot = hello_foot(f), again;
    uint8_t raw[KVS_FOOT_BYTES];

    assert_ok(kvs_frag_key(&k, &six_two, &frag));
    assert_hex(KEY_VIEW(&frag), "2e59733454ad35dadb1f304bfbf004cc3837574dcbb2018fc61a2f053d03ff5c");
    assert_ok(kvs_foot_seal(f->aead, &frag, &foot, raw));
    assert_hex(((struct bytes){ raw + 80, 16 }), "f9f97ccec7660ab3d654a8afc738489a");
    assert_ok(kvs_foot_parse(BYTES_OF(raw), &again));
    assert_int_equal(again.length, 5);
    assert_int_equal(again.spread.k, 6);
    assert_true(kvs_id_equal(&again.file, &f->file));
    assert_ok(kvs_foot_check(f->aead, &frag, BYTES_OF(raw)));
}

static void parity_rows_follow_the_vectors(void **state)
{
    /* With one block of data a parity row is that block times the matrix's first coefficient. */
    static const struct {
        uint8_t index;
        uint8_t coefficient;
        const char *begins, *mac;
    } rows[] = {
        { 6, 0x7a, "c19a99a4a40ce178270065ff404c3d37", "05e7f9672fdb0af1fbe8bcc284c72794" },
        { 7, 0xba, "857aaaf7f7677bd1f8007208e1865d87", "ccf3493645fb2579bace7b46c84a0246" },
    };
    struct fixture *f = *state;
    struct key k = file_key_of(f), frag;
    struct kvs_block b = hello_block(f);
    static uint8_t sealed[KVS_BLOCK_BYTES], row[KVS_BLOCK_BYTES];
    uint8_t mac[16];

    assert_ok(kvs_frag_key(&k, &six_two, &frag));
    assert_ok(kvs_block_seal(f->aead, &k, &b, (const uint8_t *)"hello", sealed));
    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 0; at < sizeof row; at++) {
            unsigned product = 0;
            for (unsigned bit = 0; bit < 8; bit++) {
                product ^= (rows[i].coefficient >> bit & 1) != 0 ? (unsigned)sealed[at] << bit : 0;
            }
            for (unsigned bit = 14; bit >= 8; bit--) {
                product ^= (product >> bit & 1) != 0 ? 0x11du << (bit - 8) : 0;
            }
            row[at] = (uint8_t)product;
        }
        assert_hex(((struct bytes){ row, 16 }), rows[i].begins);
        assert_ok(kvs_row_mac(f->aead, &frag, rows[i].index, 1, 0, BYTES_OF(row), mac));
        assert_hex(BYTES_OF(mac), rows[i].mac);
    }
}

static void each_wrong_bit_of_a_foot_is_refused(void **state)
{
    struct fixture *f = *state;
    struct key k = file_key_of(f), frag;
    struct kvs_foot foot = hello_foot(f);
    uint8_t raw[KVS_FOOT_BYTES];

    assert_ok(kvs_frag_key(&k, &six_two, &frag));
    assert_ok(kvs_foot_seal(f->aead, &frag, &foot, raw));
    for (size_t bit = 0; bit < 8 * sizeof raw; bit++) {
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
        err e = kvs_foot_check(f->aead, &frag, BYTES_OF(raw));
        assert_true(e.code == ERR_AUTH || e.code == ERR_PROTO);
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_err(kvs_foot_parse((struct bytes){ raw, sizeof raw - 1 }, &foot), ERR_PROTO);
}

static struct buf vector_text(void)
{
    struct buf text = { .max = 4096 };
    const struct kvs_edit create = { .type = KVS_EDIT_CREATE,
                                     .ino = 9,
                                     .u.create = { 1, BYTES_LIT("/v/000004.log") } };
    const struct kvs_edit data = { .type = KVS_EDIT_DATA,
                                   .ino = 9,
                                   .u.data = { 0, BYTES_LIT("abc") } };

    assert_ok(kvs_edit_encode(&create, &text));
    assert_ok(kvs_edit_encode(&data, &text));
    return text;
}

static struct kvs_frame vector_frame(const struct fixture *f, uint32_t plain_len)
{
    return (struct kvs_frame){ .type = KVS_FRAME_COMMIT, .segment = f->segment, .epoch = EPOCH,
                               .index = 1, .seq = 42, .plain_len = plain_len,
                               .padded_len = kvs_frame_padded(plain_len) };
}

static void a_frame_follows_the_vector(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_done) struct buf text = vector_text();
    static uint8_t raw[4096];
    struct key k;

    assert_int_equal(text.len, 60);
    struct kvs_frame frame = vector_frame(f, 60), again;
    struct digest chain = kvs_chain_start(f->cluster, SHARD), check = chain;
    assert_hex(DIGEST_VIEW(&chain),
               "01a0fec85bd85ddc347c99bb779876e8db6c67eb39645fe5dcc799ddb0a810d9");
    assert_ok(kvs_log_key(&f->vek, SHARD, &f->segment, &k));
    assert_int_equal(frame.padded_len, 4096);
    assert_ok(kvs_frame_seal(f->aead, &k, &frame, text.ptr, &chain, raw));
    assert_int_equal(load_u32(raw + 56), 0x804fdf8f);
    assert_int_equal(load_u32(raw + 60), 0xea224de8);
    assert_hex(
        ((struct bytes){ raw + 64, 76 }),
        "c5fe95c526cc0b5bf67ae39e518da1442a510d6a111079a84a9e007348d5ce7fca5d2e77eb7bc6ae02af"
        "a85df7d7254fad5400437f734bf8e4b958e4b1779e2219aa70f5ea4d351a60162217");
    assert_hex(DIGEST_VIEW(&chain),
               "3715cd81e2dd7237b2cbc28dc189010e2984424ece42f24a2454979c21a2cbb4");

    uint8_t plain[60];
    assert_ok(kvs_frame_parse(BYTES_OF(raw), &again));
    assert_ok(kvs_frame_open(f->aead, &k, &again, BYTES_OF(raw), &check, plain));
    assert_memory_equal(plain, text.ptr, 60);
    assert_true(digest_equal(&check, &chain));
}

static void each_wrong_bit_of_a_frame_is_refused(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_done) struct buf text = vector_text();
    static uint8_t raw[4096];
    uint8_t plain[60];
    struct key k;
    struct kvs_frame frame = vector_frame(f, 60), again;
    struct digest chain = kvs_chain_start(f->cluster, SHARD);
    const struct digest before = chain;

    assert_ok(kvs_log_key(&f->vek, SHARD, &f->segment, &k));
    assert_ok(kvs_frame_seal(f->aead, &k, &frame, text.ptr, &chain, raw));
    for (size_t bit = 0; bit < 8 * (64 + 76); bit++) {
        struct digest d = before;
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
        err e = kvs_frame_parse(BYTES_OF(raw), &again);
        if (!e.code) {
            e = kvs_frame_open(f->aead, &k, &again, BYTES_OF(raw), &d, plain);
        }
        assert_err(e, ERR_PROTO);
        assert_true(digest_equal(&d, &before));
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    /* The right octets behind another history are tampering, not an accident. */
    struct digest other = { { 1 } };
    assert_ok(kvs_frame_parse(BYTES_OF(raw), &again));
    assert_err(kvs_frame_open(f->aead, &k, &again, BYTES_OF(raw), &other, plain), ERR_AUTH);
}

static void padded_lengths_end_on_the_next_4096(void **state)
{
    (void)state;
    assert_int_equal(kvs_frame_padded(0), 4096);
    assert_int_equal(kvs_frame_padded(4016), 4096);
    assert_int_equal(kvs_frame_padded(4017), 8192);
}

static struct kvs_file_entry some_entry(const struct fixture *f)
{
    return (struct kvs_file_entry){ .id = f->file,
                                    .kind = 2,
                                    .block_log2 = 14,
                                    .spread = { .r = 1, .gen = 0, .unit = 16 },
                                    .key_epoch = 3,
                                    .space = 9,
                                    .epoch = 7,
                                    .length = 16369,
                                    .blocks = 2,
                                    .created_s = 1763823600,
                                    .digest = { { 5 } },
                                    .nodes = { 0 } };
}

static void every_edit_comes_back_as_it_went(void **state)
{
    struct fixture *f = *state;
    const struct kvs_edit ops[] = {
        { .type = KVS_EDIT_DATA, .ino = 1, .u.data = { 5, BYTES_LIT("octets") } },
        { .type = KVS_EDIT_DATA, .ino = 1, .u.data = { 5, { NULL, 0 } } },
        { .type = KVS_EDIT_CREATE, .ino = 2, .u.create = { 1, BYTES_LIT("/v/a") } },
        { .type = KVS_EDIT_RENAME, .ino = 2, .u.path = BYTES_LIT("/v/b") },
        { .type = KVS_EDIT_DELETE, .ino = 2 },
        { .type = KVS_EDIT_SEALED, .ino = 3, .u.entry = some_entry(f) },
        { .type = KVS_EDIT_PLACE, .u.place = { f->file, 1, 2, 3 } },
        { .type = KVS_EDIT_LAYOUT, .u.layout = { 1, 6, 2, 0, BYTES_LIT("/v/s00000001.0") } },
        { .type = KVS_EDIT_NODE, .u.node = { 0, 1, { 7 }, BYTES_LIT("dir") } },
        { .type = KVS_EDIT_KEYS, .u.keys = { 4, 1, false, { 9 } } },
        { .type = KVS_EDIT_KEYS, .u.keys = { 4, 1, true, { 0 } } },
        { .type = KVS_EDIT_CHECKPOINT, .u.checkpoint = { f->file, { { 8 } } } },
        { .type = KVS_EDIT_RELAYOUT, .u.entry = some_entry(f) },
        { .type = KVS_EDIT_STATE, .ino = 10, .u.state = { 42, { { 3 } } } },
    };
    AUTO(buf_done) struct buf one = { .max = 4096 };
    AUTO(buf_done) struct buf again = { .max = 4096 };

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct kvs_edit edit;
        buf_clear(&one);
        buf_clear(&again);
        assert_ok(kvs_edit_encode(&ops[i], &one));
        struct bytes in = buf_bytes(&one);
        assert_ok(kvs_edit_take(&in, &edit));
        assert_int_equal(in.len, 0);
        assert_ok(kvs_edit_encode(&edit, &again));
        assert_true(bytes_equal(buf_bytes(&one), buf_bytes(&again)));
        for (size_t cut = 0; cut < one.len; cut++) {
            in = (struct bytes){ one.ptr, cut };
            assert_err(kvs_edit_take(&in, &edit), ERR_PROTO);
        }
    }
}

static void odd_edits_are_refused(void **state)
{
    static const char *const hex[] = {
        "0d00000000000000",                         /* unknown type */
        "0000000000000000",                         /* type 0 */
        "0401000000000008" "0000000000000001",      /* reserved octet */
        "0400000000000009" "000000000000000100",    /* one octet too long */
        "020000000000000c" "0000000000000001" "01000000",     /* empty path */
        "020000000000000d" "0000000000000001" "0401000161",   /* reserved octet inside */
        "020000000000000d" "0000000000000001" "0400000161",   /* nobody creates a checkpoint */
        "020000000000000d" "0000000000000001" "0100000100",   /* zero octet in a path */
        "0900000000000008" "0000000000000001",      /* space 0 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof hex / sizeof hex[0]; i++) {
        uint8_t raw[64];
        size_t size = strlen(hex[i]) / 2;
        struct kvs_edit edit;
        assert_ok(hex_decode(bytes_of_string(hex[i]), raw, size));
        struct bytes in = { raw, size };
        assert_err(kvs_edit_take(&in, &edit), ERR_PROTO);
        assert_int_equal(in.len, size);
    }
}

static void an_entry_whose_blocks_do_not_fit_its_length_is_refused(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_done) struct buf raw = { .max = 4096 };
    struct kvs_file_entry e = some_entry(f), out;

    assert_ok(kvs_file_entry_encode(&e, &raw));
    assert_int_equal(raw.len, 96);
    raw.ptr[53] = 3;
    struct bytes in = buf_bytes(&raw);
    assert_err(kvs_file_entry_decode(&in, &out), ERR_PROTO);
}

static void a_path_of_256_octets_is_too_long(void **state)
{
    AUTO(buf_done) struct buf raw = { .max = 4096 };
    uint8_t path[256];
    struct kvs_edit edit = { .type = KVS_EDIT_RENAME, .ino = 1, .u.path = { path, 255 } };

    (void)state;
    memset(path, 'p', sizeof path);
    assert_ok(kvs_edit_encode(&edit, &raw));
    buf_clear(&raw);
    edit.u.path.len = 256;
    assert_err(kvs_edit_encode(&edit, &raw), ERR_LIMIT);
    assert_int_equal(raw.len, 0);
}

static void a_head_lists_segments_in_order(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_done) struct buf raw = { .max = 4096 };
    static struct kvs_head h, out;

    h = (struct kvs_head){ .number = 9, .count = 2 };
    h.segments[0] = (struct kvs_segment_ref){ .id = f->segment, .number = 7, .frames = 3 };
    h.segments[1] = (struct kvs_segment_ref){ .id = f->file, .number = 8, .frames = 5 };
    assert_ok(kvs_head_encode(&h, &raw));
    assert_ok(kvs_head_parse(buf_bytes(&raw), &out));
    assert_memory_equal(&out, &h, sizeof h);
    h.segments[1].number = 7;
    buf_clear(&raw);
    assert_ok(kvs_head_encode(&h, &raw));
    assert_err(kvs_head_parse(buf_bytes(&raw), &out), ERR_PROTO);
}

static struct kvs_root some_root(const struct fixture *f)
{
    struct kvs_root r = { .shard = SHARD, .root_key_version = 2, .epoch = EPOCH, .writes = 3,
                          .seq = 42, .segment = f->segment, .segment_number = 5,
                          .segments_live = 3, .segment_key_epoch = KEY_EPOCH,
                          .checkpoint = f->file, .checkpoint_length = 100, .ring_count = 1 };

    memcpy(r.cluster, f->cluster, 16);
    r.ring[0].epoch = KEY_EPOCH;
    return r;
}

static void a_root_comes_back_and_each_wrong_bit_is_refused(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_done) struct buf raw = { .max = KVS_ROOT_BYTES_MAX };
    struct kvs_root r = some_root(f), out, peek;

    assert_ok(kvs_root_seal(f->aead, &f->root, &r, &raw));
    assert_ok(kvs_root_open(f->aead, &f->root, buf_bytes(&raw), &out));
    assert_memory_equal(&out, &r, sizeof r);
    assert_ok(kvs_root_peek(buf_bytes(&raw), &peek));
    assert_int_equal(peek.writes, 3);
    for (size_t bit = 0; bit < 8 * raw.len; bit++) {
        raw.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        err e = kvs_root_open(f->aead, &f->root, buf_bytes(&raw), &out);
        assert_true(e.code == ERR_AUTH || e.code == ERR_PROTO);
        raw.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_err(kvs_root_open(f->aead, &f->vek, buf_bytes(&raw), &out), ERR_AUTH);
}

static void the_largest_root_fits_its_slot(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_done) struct buf raw = { .max = KVS_ROOT_BYTES_MAX };
    struct kvs_root r = some_root(f);

    r.ring_count = KVS_RING_MAX;
    assert_ok(kvs_root_seal(f->aead, &f->root, &r, &raw));
    assert_true(raw.len < KVS_ROOT_BYTES_MAX);
}

static void an_anchor_is_bound_to_the_root_key(void **state)
{
    struct fixture *f = *state;
    struct kvs_anchor a = { .shard = SHARD, .epoch = 7, .seq = 42, .chain = { { 1 } } }, out;
    uint8_t raw[KVS_ANCHOR_BYTES];

    assert_ok(kvs_anchor_seal(&f->root, &a, raw));
    assert_ok(kvs_anchor_open(&f->root, BYTES_OF(raw), &out));
    assert_memory_equal(&out, &a, sizeof a);
    assert_err(kvs_anchor_open(&f->vek, BYTES_OF(raw), &out), ERR_AUTH);
    for (size_t i = 0; i < sizeof raw; i++) {
        raw[i] ^= 1;
        err e = kvs_anchor_open(&f->root, BYTES_OF(raw), &out);
        assert_true(e.code == ERR_AUTH || e.code == ERR_PROTO);
        raw[i] ^= 1;
    }
}

static void names_of_objects_have_one_spelling(void **state)
{
    struct fixture *f = *state;
    char name[KVS_NAME_BYTES];
    struct kvs_id id;

    kvs_name_text(&f->file, 0, 0, name);
    assert_string_equal(name, "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf.0000.00");
    assert_ok(kvs_name_parse(name, &id));
    assert_true(kvs_id_equal(&id, &f->file));
    assert_err(kvs_name_parse("B0b1b2b3b4b5b6b7b8b9babbbcbdbebf.0000.00", &id), ERR_PROTO);
    assert_err(kvs_name_parse("b0b1b2b3b4b5b6b7b8b9babbbcbdbebf-0000.00", &id), ERR_PROTO);
    assert_err(kvs_name_parse("b0b1b2b3b4b5b6b7b8b9babbbcbdbebf.0000.0", &id), ERR_PROTO);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(keys_follow_the_vectors),
        T(a_block_follows_the_vector),
        T(a_block_opens_as_nothing_but_itself),
        T(a_foot_follows_the_vector),
        T(parity_rows_follow_the_vectors),
        T(each_wrong_bit_of_a_foot_is_refused),
        T(a_frame_follows_the_vector),
        T(each_wrong_bit_of_a_frame_is_refused),
        T(padded_lengths_end_on_the_next_4096),
        T(every_edit_comes_back_as_it_went),
        T(odd_edits_are_refused),
        T(an_entry_whose_blocks_do_not_fit_its_length_is_refused),
        T(a_path_of_256_octets_is_too_long),
        T(a_head_lists_segments_in_order),
        T(a_root_comes_back_and_each_wrong_bit_is_refused),
        T(the_largest_root_fits_its_slot),
        T(an_anchor_is_bound_to_the_root_key),
        T(names_of_objects_have_one_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
