/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile owner of the storage can do: each change is refused when the volume is opened or
 * the file is read, or it changes nothing; never are other octets given out than were written. */
#include "lib/wire/kvs_layout.h"
#include "store/kvs/volume_fixture.h"
#include "store/kvs/volume_mem.h"

#define SEGMENT_BYTES (64u << 10)
#define TABLE_BYTES 16800 /* two blocks */

static uint8_t table[TABLE_BYTES];

#define TEXT(s) { (const uint8_t *)(s), sizeof(s) - 1 }
static const struct content {
    const char *path;
    enum volume_kind kind;
    struct bytes octets;
} contents[] = {
    { "/v/000001.log", VOLUME_INLINE, TEXT("octets of a log") },
    { "/v/CURRENT", VOLUME_INLINE, TEXT("MANIFEST-000005") },
    { "/v/s00000007.0/000002.sst", VOLUME_TABLE, { table, TABLE_BYTES } },
    { "/v/default/000003.sst", VOLUME_TABLE, TEXT("a short table") },
};
#define CONTENTS (sizeof contents / sizeof contents[0])

static struct volume_config config(void)
{
    struct volume_config c = fixture_config();

    c.segment_bytes = SEGMENT_BYTES;
    c.create = false;
    return c;
}

static struct volume *open_fresh(struct volume_mem *mem)
{
    struct volume_config c = config();
    struct volume *v;

    c.create = true;
    assert_ok(volume_open(&c, volume_mem_io(mem), &v));
    return v;
}

static void write_contents(struct volume *v)
{
    for (size_t i = 0; i < CONTENTS; i++) {
        fixture_write(v, contents[i].path, contents[i].kind, contents[i].octets);
    }
}

static struct volume_mem *stored(bool anchor)
{
    struct volume_mem *mem = volume_mem_new();

    for (size_t i = 0; i < TABLE_BYTES; i++) {
        table[i] = (uint8_t)(i * 31 + 1);
    }
    volume_mem_anchor(mem, anchor);
    struct volume *v = open_fresh(mem);
    write_contents(v);
    assert_ok(volume_close(v));
    return mem;
}

enum verdict { RIGHT, REFUSED };

static bool names_something(const char *text)
{
    return strstr(text, "root") != NULL || strstr(text, "log") != NULL ||
           strstr(text, "anchor") != NULL || strstr(text, ".0000.00") != NULL;
}

/* Opens and reads all; anything but the right octets or a refusal fails the test. */
static enum verdict judge(struct volume_mem *mem, const struct volume_config *c)
{
    enum verdict verdict = RIGHT;
    struct volume *v;

    err e = volume_open(c, volume_mem_io(mem), &v);
    if (e.code) {
        assert_int_equal(e.code, ERR_CORRUPT);
        assert_true(names_something(err_text()));
        return REFUSED;
    }
    for (size_t i = 0; i < CONTENTS; i++) {
        uint8_t *octets = NULL;
        size_t len = 0;
        e = fixture_read(v, contents[i].path, &octets, &len);
        if (e.code) {
            assert_int_equal(e.code, ERR_CORRUPT);
            assert_true(names_something(err_text()));
            verdict = REFUSED;
            continue;
        }
        assert_int_equal(len, contents[i].octets.len);
        assert_memory_equal(octets, contents[i].octets.ptr, len);
        free(octets);
    }
    volume_abandon(v);
    return verdict;
}

static enum verdict judge_copy(struct volume_mem *mem, size_t i, size_t at, uint8_t mask)
{
    const struct volume_config c = config();
    struct volume_mem *copy = volume_mem_copy(mem);
    size_t size;

    uint8_t *octets = volume_mem_octets(copy, i, &size);
    octets[at] ^= mask;
    enum verdict verdict = judge(copy, &c);
    volume_mem_free(copy);
    return verdict;
}

static bool is_object(const struct volume_mem *mem, size_t i)
{
    return strncmp(volume_mem_name(mem, i), "o/", 2) == 0;
}

static void each_flipped_octet_is_refused_or_changes_nothing(void **state)
{
    struct volume_mem *mem = stored(false);
    size_t refused = 0;

    (void)state;
    for (size_t i = 0; i < volume_mem_count(mem); i++) {
        size_t size;
        const uint8_t *octets = volume_mem_octets(mem, i, &size);
        for (size_t at = 0; at < size; at++) {
            bool sampled = octets[at] != 0 || at % 509 == 0; /* few of the empty places */
            if (size > 4096 && is_object(mem, i)) {
                sampled = at % 61 == 0 || at > size - 120; /* and of a long table */
            }
            if (!sampled) {
                continue;
            }
            enum verdict verdict = judge_copy(mem, i, at, 0x04);
            refused += verdict == REFUSED ? 1 : 0;
            assert_true(verdict == REFUSED || !is_object(mem, i));
        }
    }
    assert_true(refused > 1500);
    volume_mem_free(mem);
}

static void each_cut_is_refused_or_changes_nothing(void **state)
{
    const struct volume_config c = config();
    struct volume_mem *mem = stored(false);

    (void)state;
    for (size_t i = 0; i < volume_mem_count(mem); i++) {
        size_t size;
        (void)volume_mem_octets(mem, i, &size);
        for (size_t to = 0; to < size; to += size / 37 + 1) {
            struct volume_mem *copy = volume_mem_copy(mem);
            volume_mem_cut(copy, i, to);
            enum verdict verdict = judge(copy, &c);
            assert_true(verdict == REFUSED || !is_object(mem, i));
            volume_mem_free(copy);
        }
    }
    volume_mem_free(mem);
}

static void each_missing_file_is_refused(void **state)
{
    struct volume_config c = config();
    struct volume_mem *mem = stored(false);

    (void)state;
    c.create = true; /* even then */
    for (size_t i = 0; i < volume_mem_count(mem); i++) {
        struct volume_mem *copy = volume_mem_copy(mem);
        volume_mem_remove(copy, i);
        assert_int_equal(judge(copy, &c), REFUSED);
        volume_mem_free(copy);
    }
    volume_mem_free(mem);
}

static void each_pair_of_files_exchanged_is_refused(void **state)
{
    const struct volume_config c = config();
    struct volume_mem *mem = stored(false);

    (void)state;
    for (size_t i = 0; i < volume_mem_count(mem); i++) {
        for (size_t j = 0; j < i; j++) {
            struct volume_mem *copy = volume_mem_copy(mem);
            volume_mem_swap(copy, i, j);
            bool root = strcmp(volume_mem_name(copy, i), "root") == 0 ||
                        strcmp(volume_mem_name(copy, j), "root") == 0;
            struct volume *v;
            if (root) {
                assert_err(volume_open(&c, volume_mem_io(copy), &v), ERR_CORRUPT);
            } else {
                assert_int_equal(judge(copy, &c), REFUSED);
            }
            volume_mem_free(copy);
        }
    }
    volume_mem_free(mem);
}

static void a_repeated_block_or_frame_is_refused(void **state)
{
    const struct volume_config c = config();
    struct volume_mem *mem = stored(false);
    size_t refused = 0;

    (void)state;
    for (size_t i = 0; i < volume_mem_count(mem); i++) {
        size_t size;
        (void)volume_mem_octets(mem, i, &size);
        size_t step = strncmp(volume_mem_name(mem, i), "log/", 4) == 0 ? 4096 : 16384;
        for (size_t at = step; at + 16 < size && strcmp(volume_mem_name(mem, i), "root") != 0;
             at += step) {
            struct volume_mem *copy = volume_mem_copy(mem);
            uint8_t *octets = volume_mem_octets(copy, i, &size);
            size_t len = size - at < step ? size - at : step;
            memcpy(octets + at, octets + at - step, len);
            refused += judge(copy, &c) == REFUSED ? 1 : 0;
            volume_mem_free(copy);
        }
    }
    assert_true(refused >= 6);
    volume_mem_free(mem);
}

static size_t find(const struct volume_mem *mem, const char *name)
{
    size_t i = 0;

    while (i < volume_mem_count(mem) && strcmp(volume_mem_name(mem, i), name) != 0) {
        i++;
    }
    return i;
}

/* The state after a second session that changed each file, and the one before it. */
static void two_states(bool anchor, struct volume_mem **old, struct volume_mem **new)
{
    const struct volume_config c = config();
    struct volume_mem *mem = volume_mem_new();
    struct volume *v;

    volume_mem_anchor(mem, anchor);
    v = open_fresh(mem);
    for (size_t i = 0; i < CONTENTS; i++) {
        fixture_write(v, contents[i].path, contents[i].kind, BYTES_LIT("older"));
    }
    assert_ok(volume_close(v));
    *old = volume_mem_copy(mem);
    assert_ok(volume_open(&c, volume_mem_io(mem), &v));
    write_contents(v);
    assert_ok(volume_close(v));
    *new = mem;
}

static void each_old_file_put_back_is_refused_or_changes_nothing(void **state)
{
    const struct volume_config c = config();
    struct volume_mem *old, *new;
    size_t changed = 0;

    (void)state;
    for (size_t i = 0; i < TABLE_BYTES; i++) {
        table[i] = (uint8_t)(i * 31 + 1);
    }
    two_states(false, &old, &new);
    for (size_t i = 0; i < volume_mem_count(old); i++) {
        size_t j = find(new, volume_mem_name(old, i));
        if (j == volume_mem_count(new)) {
            continue;
        }
        struct volume_mem *copy = volume_mem_copy(new);
        size_t old_size, new_size;
        const uint8_t *from = volume_mem_octets(old, i, &old_size);
        uint8_t *to = volume_mem_octets(copy, j, &new_size);
        assert_int_equal(old_size, new_size);
        changed += memcmp(to, from, old_size) != 0 ? 1 : 0;
        memcpy(to, from, old_size);
        enum verdict verdict = judge(copy, &c);
        if (strcmp(volume_mem_name(old, i), "root") == 0) {
            assert_int_equal(verdict, REFUSED);
        }
        volume_mem_free(copy);
    }
    assert_true(changed > 0);
    volume_mem_free(old);
    volume_mem_free(new);
}

static void take_anchor_of(struct volume_mem *to, struct volume_mem *from)
{
    size_t size;
    uint8_t *octets = volume_mem_octets(to, find(to, "anchor"), &size);

    memcpy(octets, volume_mem_octets(from, find(from, "anchor"), &size), size);
}

static void a_complete_older_state_is_refused_where_there_is_an_anchor(void **state)
{
    struct volume_config c = config();
    struct volume_mem *old, *new;
    struct volume *v;

    (void)state;
    two_states(true, &old, &new);
    take_anchor_of(old, new);
    assert_err(volume_open(&c, volume_mem_io(old), &v), ERR_CORRUPT);
    assert_non_null(strstr(err_text(), "accept_rollback"));

    c.accept_rollback = true; /* an operator decides: the older state, and a new epoch */
    assert_ok(volume_open(&c, volume_mem_io(old), &v));
    fixture_expect(v, contents[0].path, BYTES_LIT("older"));
    assert_ok(volume_close(v));
    c.accept_rollback = false;
    assert_ok(volume_open(&c, volume_mem_io(old), &v));
    volume_abandon(v);
    volume_mem_free(old);
    volume_mem_free(new);
}

static void without_an_anchor_the_volume_says_so(void **state)
{
    const struct volume_config c = config();
    struct volume_mem *old, *new;
    struct volume_figures figures;
    struct volume *v;

    (void)state;
    two_states(false, &old, &new);
    assert_ok(volume_open(&c, volume_mem_io(old), &v)); /* level 0: nothing can tell */
    volume_info(v, &figures);
    assert_int_equal(figures.anchor, VOLUME_ANCHOR_NONE);
    volume_abandon(v);
    volume_mem_free(old);
    volume_mem_free(new);

    struct volume_mem *mem = stored(true);
    assert_ok(volume_open(&c, volume_mem_io(mem), &v));
    volume_info(v, &figures);
    assert_int_equal(figures.anchor, VOLUME_ANCHOR_LOCAL);
    assert_int_equal(figures.anchor_seq, figures.seq);
    volume_abandon(v);
    volume_mem_free(mem);
}

static void a_missing_damaged_or_foreign_anchor_is_refused(void **state)
{
    struct volume_config c = config();
    struct volume_mem *mem = stored(true), *other = stored(false);
    struct volume *v;
    size_t size;

    (void)state;
    struct volume_mem *copy = volume_mem_copy(mem);
    volume_mem_remove(copy, find(copy, "anchor"));
    assert_err(volume_open(&c, volume_mem_io(copy), &v), ERR_CORRUPT);
    volume_mem_free(copy);

    copy = volume_mem_copy(mem);
    uint8_t *octets = volume_mem_octets(copy, find(copy, "anchor"), &size);
    octets[40] ^= 1;
    octets[VOLUME_ANCHOR_SLOT_BYTES + 40] ^= 1;
    assert_err(volume_open(&c, volume_mem_io(copy), &v), ERR_CORRUPT);
    c.accept_rollback = true;
    assert_ok(volume_open(&c, volume_mem_io(copy), &v));
    volume_abandon(v);
    c.accept_rollback = false;
    volume_mem_free(copy);

    /* A volume that had none takes one up; another history under that anchor is refused. */
    volume_mem_anchor(other, true);
    assert_ok(volume_open(&c, volume_mem_io(other), &v));
    fixture_write(v, "/v/a", VOLUME_INLINE, BYTES_LIT("a"));
    volume_abandon(v);
    volume_mem_free(other);
    volume_mem_free(mem);
}

/* Two futures of one state: who swaps the storage of one under the anchor of the other is caught,
 * although the other has as many commits. */
static void another_history_is_refused(void **state)
{
    const struct volume_config c = config();
    struct volume_mem *a = stored(true);
    struct volume_mem *b = volume_mem_copy(a);
    struct volume *v;

    (void)state;
    assert_ok(volume_open(&c, volume_mem_io(a), &v));
    fixture_write(v, "/v/x", VOLUME_INLINE, BYTES_LIT("one"));
    volume_abandon(v);
    assert_ok(volume_open(&c, volume_mem_io(b), &v));
    fixture_write(v, "/v/x", VOLUME_INLINE, BYTES_LIT("two"));
    fixture_write(v, "/v/y", VOLUME_INLINE, BYTES_LIT("three"));
    volume_abandon(v);
    take_anchor_of(b, a);
    assert_err(volume_open(&c, volume_mem_io(b), &v), ERR_CORRUPT);
    volume_mem_free(a);
    volume_mem_free(b);
}

/* After a crash the root is behind the log; only the anchor knows of the last commits. */
static void a_cut_tail_after_a_crash_is_refused_where_there_is_an_anchor(void **state)
{
    const struct volume_config c = config();
    struct volume_mem *mem = stored(true);
    struct volume *v;
    size_t refused = 0;

    (void)state;
    assert_ok(volume_open(&c, volume_mem_io(mem), &v));
    fixture_write(v, "/v/x", VOLUME_INLINE, BYTES_LIT("newest"));
    volume_abandon(v);
    for (size_t i = 0; i < volume_mem_count(mem); i++) {
        if (strncmp(volume_mem_name(mem, i), "log/", 4) != 0) {
            continue;
        }
        struct volume_mem *copy = volume_mem_copy(mem);
        size_t size;
        uint8_t *octets = volume_mem_octets(copy, i, &size);
        memset(octets + 4096, 0, size - 4096); /* all but the head */
        refused += volume_open(&c, volume_mem_io(copy), &v).code == ERR_CORRUPT ? 1 : 0;
        volume_mem_free(copy);
    }
    assert_true(refused >= 2);
    volume_mem_free(mem);
}

static void another_root_key_opens_nothing(void **state)
{
    struct volume_config c = config();
    struct volume_mem *mem = stored(false);
    struct volume *v;

    (void)state;
    c.root_key.octets[31] ^= 1;
    assert_err(volume_open(&c, volume_mem_io(mem), &v), ERR_CORRUPT);
    assert_non_null(strstr(err_text(), "root key"));
    c = config();
    c.shard = 2;
    assert_err(volume_open(&c, volume_mem_io(mem), &v), ERR_CONFLICT);
    c = config();
    c.cluster[0] = 0xff;
    assert_err(volume_open(&c, volume_mem_io(mem), &v), ERR_CONFLICT);
    volume_mem_free(mem);
}

/* A root under the right key that does not fit the log: not an attack, but another program. */
static void a_root_that_counts_unlisted_segments_is_refused(void **state)
{
    const struct volume_config c = config();
    struct volume_mem *mem = stored(false);
    AUTO(aead_freep) struct aead *a = NULL;
    AUTO(buf_done) struct buf raw = { .max = VOLUME_ROOT_SLOT_BYTES };
    size_t i = 0, size;
    struct kvs_root r = { 0 };
    struct volume *v;

    (void)state;
    while (strcmp(volume_mem_name(mem, i), "root") != 0) {
        i++;
    }
    uint8_t *slots = volume_mem_octets(mem, i, &size);
    assert_ok(aead_new(&a));
    for (size_t slot = 0; slot < 2; slot++) {
        struct kvs_root other;
        const struct bytes place = { slots + slot * VOLUME_ROOT_SLOT_BYTES,
                                     VOLUME_ROOT_SLOT_BYTES };
        if (!kvs_root_open(a, &c.root_key, place, &other).code && other.writes > r.writes) {
            r = other;
        }
    }
    r.writes++;
    r.segments_live = UINT64_C(1) << 40;
    assert_ok(kvs_root_seal(a, &c.root_key, &r, &raw));
    memcpy(slots + (r.writes & 1) * VOLUME_ROOT_SLOT_BYTES, raw.ptr, raw.len);
    assert_err(volume_open(&c, volume_mem_io(mem), &v), ERR_CORRUPT);
    assert_non_null(strstr(err_text(), "another layout"));
    volume_mem_free(mem);
}

static void no_name_or_content_is_in_clear(void **state)
{
    struct volume_mem *mem = stored(true);

    (void)state;
    for (size_t i = 0; i < volume_mem_count(mem); i++) {
        size_t size;
        const uint8_t *octets = volume_mem_octets(mem, i, &size);
        for (size_t j = 0; j < CONTENTS; j++) {
            const char *path = contents[j].path;
            assert_null(memmem(octets, size, path, strlen(path)));
            assert_null(memmem(octets, size, contents[j].octets.ptr, 12));
        }
    }
    volume_mem_free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flipped_octet_is_refused_or_changes_nothing),
        cmocka_unit_test(each_cut_is_refused_or_changes_nothing),
        cmocka_unit_test(each_missing_file_is_refused),
        cmocka_unit_test(each_pair_of_files_exchanged_is_refused),
        cmocka_unit_test(a_repeated_block_or_frame_is_refused),
        cmocka_unit_test(each_old_file_put_back_is_refused_or_changes_nothing),
        cmocka_unit_test(a_complete_older_state_is_refused_where_there_is_an_anchor),
        cmocka_unit_test(without_an_anchor_the_volume_says_so),
        cmocka_unit_test(a_missing_damaged_or_foreign_anchor_is_refused),
        cmocka_unit_test(another_history_is_refused),
        cmocka_unit_test(a_cut_tail_after_a_crash_is_refused_where_there_is_an_anchor),
        cmocka_unit_test(another_root_key_opens_nothing),
        cmocka_unit_test(a_root_that_counts_unlisted_segments_is_refused),
        cmocka_unit_test(no_name_or_content_is_in_clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
