/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/volume.h"

#include <pthread.h>
#include <sys/wait.h>

#include "lib/wire/kvs_layout.h"
#include "store/kvs/volume_fixture.h"
#include "store/kvs/volume_mem.h"

#define SEGMENT_BYTES (64u << 10)
#define PLAIN KVS_BLOCK_PLAIN

static struct volume_config config(void)
{
    struct volume_config c = fixture_config();

    c.segment_bytes = SEGMENT_BYTES;
    return c;
}

struct store {
    struct volume_mem *mem;
    struct volume *v;
};

static void store_reopen(struct store *s)
{
    const struct volume_config c = config();

    assert_ok(volume_close(s->v));
    assert_ok(volume_open(&c, volume_mem_io(s->mem), &s->v));
}

static int set_up(void **state)
{
    const struct volume_config c = config();
    struct store *s = mem_take(sizeof *s);

    s->mem = volume_mem_new();
    assert_ok(volume_open(&c, volume_mem_io(s->mem), &s->v));
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct store *s = *state;

    volume_abandon(s->v);
    volume_mem_free(s->mem);
    mem_give(s);
    return 0;
}

static void fill(uint8_t *out, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(i * 13 + i / 251 + seed);
    }
}

/* --- sealed files ---------------------------------------------------------------------------- */

static void tables_of_each_size_around_a_block_come_back(void **state)
{
    static const size_t sizes[] = { 0, 1, PLAIN - 1, PLAIN, PLAIN + 1, 2 * PLAIN, 2 * PLAIN + 1,
                                    16 * PLAIN - 1, 16 * PLAIN, 16 * PLAIN + 1, 40 * PLAIN + 7 };
    struct store *s = *state;
    uint8_t *octets = malloc(50 * PLAIN);
    char name[32];

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(name, sizeof name, "/v/%zu.sst", i);
        fill(octets, sizes[i], (unsigned)i);
        fixture_write(s->v, name, VOLUME_TABLE, (struct bytes){ octets, sizes[i] });
        fixture_expect(s->v, name, (struct bytes){ octets, sizes[i] });
    }
    store_reopen(s);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(name, sizeof name, "/v/%zu.sst", i);
        fill(octets, sizes[i], (unsigned)i);
        fixture_expect(s->v, name, (struct bytes){ octets, sizes[i] });
    }
    free(octets);
}

static void a_table_written_in_odd_pieces_is_the_same(void **state)
{
    struct store *s = *state;
    static uint8_t octets[5 * PLAIN];
    struct volume_file *f;

    fill(octets, sizeof octets, 3);
    assert_ok(volume_create(s->v, "/v/1.sst", VOLUME_TABLE, &f));
    for (size_t at = 0, step = 1; at < sizeof octets; at += step, step = step * 3 % 20011) {
        size_t len = sizeof octets - at < step ? sizeof octets - at : step;
        assert_ok(volume_append(f, (struct bytes){ octets + at, len }));
        assert_int_equal(volume_file_size(f), at + len);
    }
    assert_ok(volume_seal(f));
    assert_ok(volume_seal(f)); /* again: done already */
    volume_file_free(f);
    fixture_expect(s->v, "/v/1.sst", BYTES_OF(octets));
}

static void ranges_are_read_at_any_place_and_stop_at_the_end(void **state)
{
    struct store *s = *state;
    static uint8_t octets[20 * PLAIN + 5], out[20 * PLAIN + 5];
    struct volume_reader *r;

    fill(octets, sizeof octets, 9);
    fixture_write(s->v, "/v/1.sst", VOLUME_TABLE, BYTES_OF(octets));
    assert_ok(volume_reader_open(s->v, "/v/1.sst", &r));
    assert_int_equal(volume_reader_size(r), sizeof octets);
    for (size_t at = 0; at < sizeof octets; at += 7919) {
        for (size_t size = 1; size < sizeof octets; size = size * 5 + 1) {
            struct volume_range range = { .offset = at, .out = out, .size = size };
            size_t want = sizeof octets - at < size ? sizeof octets - at : size;
            assert_ok(volume_read(r, &range, 1));
            assert_int_equal(range.got, want);
            assert_memory_equal(out, octets + at, want);
        }
    }
    struct volume_range many[] = { { 0, out, 10, 0 },
                                   { PLAIN - 1, out + 10, 2, 0 },
                                   { sizeof octets, out, 5, 0 },
                                   { UINT64_MAX, out, 5, 0 } };
    assert_ok(volume_read(r, many, 4));
    assert_int_equal(many[1].got, 2);
    assert_memory_equal(out + 10, octets + PLAIN - 1, 2);
    assert_int_equal(many[2].got, 0);
    assert_int_equal(many[3].got, 0);
    volume_reader_free(r);
}

static void an_unsealed_table_is_dropped(void **state)
{
    struct store *s = *state;
    struct volume_file_stat stat;
    struct volume_file *f;
    struct volume_reader *r;

    assert_ok(volume_create(s->v, "/v/1.sst", VOLUME_TABLE, &f));
    assert_ok(volume_append(f, BYTES_LIT("half")));
    assert_err(volume_reader_open(s->v, "/v/1.sst", &r), ERR_AGAIN);
    volume_file_free(f);
    assert_err(volume_stat(s->v, "/v/1.sst", &stat), ERR_MISSING);
    store_reopen(s);
    assert_err(volume_stat(s->v, "/v/1.sst", &stat), ERR_MISSING);
}

static size_t objects(struct store *s)
{
    size_t count = 0;

    for (size_t i = 0; i < volume_mem_count(s->mem); i++) {
        count += strncmp(volume_mem_name(s->mem, i), "o/", 2) == 0 ? 1 : 0;
    }
    return count;
}

static void a_deleted_table_goes_when_that_is_durable_and_nobody_reads_it(void **state)
{
    struct store *s = *state;
    struct volume_reader *r;
    uint8_t out[4];
    struct volume_range range = { .out = out, .size = 4 };

    fixture_write(s->v, "/v/1.sst", VOLUME_TABLE, BYTES_LIT("data"));
    assert_int_equal(objects(s), 1);
    assert_ok(volume_reader_open(s->v, "/v/1.sst", &r));
    assert_ok(volume_delete(s->v, "/v/1.sst"));
    assert_int_equal(objects(s), 1);
    assert_ok(volume_commit(s->v));
    assert_int_equal(objects(s), 1);
    assert_ok(volume_read(r, &range, 1));
    assert_memory_equal(out, "data", 4);
    volume_reader_free(r);
    assert_int_equal(objects(s), 0);

    fixture_write(s->v, "/v/2.sst", VOLUME_TABLE, BYTES_LIT("data"));
    assert_ok(volume_delete(s->v, "/v/2.sst"));
    assert_int_equal(objects(s), 1);
    assert_ok(volume_commit(s->v));
    assert_int_equal(objects(s), 0);
}

static void a_table_deleted_while_it_is_written_leaves_nothing(void **state)
{
    struct store *s = *state;
    struct volume_file *f;

    assert_ok(volume_create(s->v, "/v/1.sst", VOLUME_TABLE, &f));
    assert_ok(volume_append(f, BYTES_LIT("data")));
    assert_ok(volume_delete(s->v, "/v/1.sst"));
    assert_ok(volume_seal(f));
    volume_file_free(f);
    assert_int_equal(objects(s), 0);
    store_reopen(s);
}

/* --- inline files ---------------------------------------------------------------------------- */

static void an_inline_file_is_readable_before_and_durable_after_its_sync(void **state)
{
    const struct volume_config c = config();
    struct store *s = *state;
    struct volume_file *f;

    assert_ok(volume_create(s->v, "/v/1.log", VOLUME_INLINE, &f));
    assert_ok(volume_append(f, BYTES_LIT("one")));
    assert_ok(volume_sync(f));
    assert_ok(volume_append(f, BYTES_LIT("two")));
    fixture_expect(s->v, "/v/1.log", BYTES_LIT("onetwo"));
    volume_file_free(f);
    volume_abandon(s->v);
    volume_mem_restart(s->mem);
    assert_ok(volume_open(&c, volume_mem_io(s->mem), &s->v));
    fixture_expect(s->v, "/v/1.log", BYTES_LIT("one"));
}

static void a_frame_takes_the_octets_of_synced_files_and_of_no_other(void **state)
{
    const struct volume_config c = config();
    struct store *s = *state;
    struct volume_file *a, *b;

    assert_ok(volume_create(s->v, "/v/a", VOLUME_INLINE, &a));
    assert_ok(volume_create(s->v, "/v/b", VOLUME_INLINE, &b));
    assert_ok(volume_append(a, BYTES_LIT("a")));
    assert_ok(volume_append(b, BYTES_LIT("b")));
    assert_ok(volume_sync(a));
    volume_file_free(a);
    volume_file_free(b);
    volume_abandon(s->v);
    volume_mem_restart(s->mem);
    assert_ok(volume_open(&c, volume_mem_io(s->mem), &s->v));
    fixture_expect(s->v, "/v/a", BYTES_LIT("a"));
    fixture_expect(s->v, "/v/b", BYTES_LIT("")); /* its making came before, in order */
}

static void a_log_over_many_frames_and_segments_is_read_at_any_place(void **state)
{
    struct store *s = *state;
    static uint8_t octets[300000], out[300000];
    struct volume_file *f;
    struct volume_reader *r;

    fill(octets, sizeof octets, 5);
    assert_ok(volume_create(s->v, "/v/1.log", VOLUME_INLINE, &f));
    for (size_t at = 0; at < sizeof octets; at += 5000) {
        assert_ok(volume_append(f, (struct bytes){ octets + at, 5000 }));
        assert_ok(volume_sync(f));
    }
    volume_file_free(f);
    for (int round = 0; round < 2; round++) {
        assert_ok(volume_reader_open(s->v, "/v/1.log", &r));
        for (size_t at = 0; at < sizeof octets; at += 48611) {
            struct volume_range range = { .offset = at, .out = out, .size = 61000 };
            assert_ok(volume_read(r, &range, 1));
            assert_int_equal(range.got, sizeof octets - at < 61000 ? sizeof octets - at : 61000);
            assert_memory_equal(out, octets + at, range.got);
        }
        volume_reader_free(r);
        store_reopen(s);
    }
}

static void checkpoints_give_segments_back_but_not_those_of_living_logs(void **state)
{
    struct store *s = *state;
    struct volume_figures figures;
    uint8_t part[3000] = { 7 };
    struct volume_file *keep;

    assert_ok(volume_create(s->v, "/v/keep.log", VOLUME_INLINE, &keep));
    assert_ok(volume_append(keep, BYTES_LIT("kept")));
    assert_ok(volume_sync(keep));
    for (int i = 0; i < 200; i++) { /* 800 KiB of frames, twelve segments */
        fixture_write(s->v, "/v/other.log", VOLUME_INLINE, BYTES_OF(part));
    }
    assert_ok(volume_checkpoint(s->v));
    volume_info(s->v, &figures);
    assert_in_range(figures.segment_count, 2, 3); /* the newest, and those with octets of logs */
    fixture_expect(s->v, "/v/keep.log", BYTES_LIT("kept"));
    volume_file_free(keep);
    store_reopen(s);
    fixture_expect(s->v, "/v/keep.log", BYTES_LIT("kept"));
    assert_ok(volume_delete(s->v, "/v/keep.log"));
    assert_ok(volume_checkpoint(s->v)); /* makes the deletion durable and unpins */
    assert_ok(volume_checkpoint(s->v));
    volume_info(s->v, &figures);
    assert_in_range(figures.segment_count, 1, 2);
    store_reopen(s);
    fixture_expect(s->v, "/v/other.log", BYTES_OF(part));
}

static void the_log_is_checkpointed_by_itself(void **state)
{
    struct store *s = *state;
    struct volume_figures figures;
    uint8_t part[3000] = { 7 };

    for (int i = 0; i < 1000; i++) { /* 4 MiB of frames */
        fixture_write(s->v, "/v/some", VOLUME_INLINE, BYTES_OF(part));
    }
    volume_info(s->v, &figures);
    assert_in_range(figures.segment_count, 1, 8);
    assert_in_range(volume_mem_count(s->mem), 3, 12);
}

static void a_frame_larger_than_a_segment_gets_a_larger_segment(void **state)
{
    struct store *s = *state;
    uint8_t *octets = malloc(3000000);

    fill(octets, 3000000, 1);
    fixture_write(s->v, "/v/large.log", VOLUME_INLINE, (struct bytes){ octets, 3000000 });
    fixture_write(s->v, "/v/small.log", VOLUME_INLINE, BYTES_LIT("small"));
    store_reopen(s);
    fixture_expect(s->v, "/v/large.log", (struct bytes){ octets, 3000000 });
    fixture_expect(s->v, "/v/small.log", BYTES_LIT("small"));
    free(octets);
}

static void more_than_a_frame_may_not_wait(void **state)
{
    struct store *s = *state;
    uint8_t *octets = calloc(1, 1 << 20);
    struct volume_file *f;

    assert_ok(volume_create(s->v, "/v/1.log", VOLUME_INLINE, &f));
    for (int i = 0; i < 23; i++) {
        assert_ok(volume_append(f, (struct bytes){ octets, 1 << 20 }));
    }
    assert_err(volume_append(f, (struct bytes){ octets, 1 << 20 }), ERR_LIMIT);
    assert_ok(volume_append(f, (struct bytes){ octets, (1 << 20) - 64 }));
    assert_err(volume_append(f, BYTES_LIT("1")), ERR_LIMIT);
    assert_ok(volume_sync(f));
    assert_ok(volume_append(f, BYTES_LIT("1")));
    volume_file_free(f);
    free(octets);
}

/* --- names ----------------------------------------------------------------------------------- */

static void renaming_replaces_and_keeps_the_content(void **state)
{
    struct store *s = *state;
    struct volume_file_stat stat;

    fixture_write(s->v, "/v/a", VOLUME_INLINE, BYTES_LIT("a"));
    fixture_write(s->v, "/v/b", VOLUME_INLINE, BYTES_LIT("b"));
    assert_ok(volume_rename(s->v, "/v/a", "/v/b"));
    assert_ok(volume_rename(s->v, "/v/b", "/v/b"));
    assert_err(volume_rename(s->v, "/v/a", "/v/c"), ERR_MISSING);
    fixture_expect(s->v, "/v/b", BYTES_LIT("a"));
    store_reopen(s);
    fixture_expect(s->v, "/v/b", BYTES_LIT("a"));
    assert_err(volume_stat(s->v, "/v/a", &stat), ERR_MISSING);
}

static void creating_replaces(void **state)
{
    struct store *s = *state;

    for (int i = 0; i < 3; i++) {
        fixture_write(s->v, "/v/a", VOLUME_INLINE, BYTES_LIT("old"));
        fixture_write(s->v, "/v/a", VOLUME_INLINE, BYTES_LIT("new"));
        fixture_write(s->v, "/v/a.sst", VOLUME_TABLE, BYTES_LIT("old"));
        fixture_write(s->v, "/v/a.sst", VOLUME_TABLE, BYTES_LIT("new"));
    }
    store_reopen(s);
    fixture_expect(s->v, "/v/a", BYTES_LIT("new"));
    fixture_expect(s->v, "/v/a.sst", BYTES_LIT("new"));
    assert_int_equal(objects(s), 2); /* and the checkpoint */
}

static void names_joined(void *arg, const char *name, bool is_dir)
{
    char *text = arg;

    strncat(text, name, 60);
    strncat(text, is_dir ? "/ " : " ", 3);
}

static void a_list_has_files_and_directories_once_and_in_order(void **state)
{
    struct store *s = *state;
    char text[256] = "";

    fixture_write(s->v, "/v/b", VOLUME_INLINE, BYTES_LIT("1"));
    fixture_write(s->v, "/v/a", VOLUME_INLINE, BYTES_LIT("1"));
    fixture_write(s->v, "/v/d/1.sst", VOLUME_TABLE, BYTES_LIT("1"));
    fixture_write(s->v, "/v/d/2.sst", VOLUME_TABLE, BYTES_LIT("1"));
    fixture_write(s->v, "/vv/x", VOLUME_INLINE, BYTES_LIT("1"));
    assert_ok(volume_list(s->v, "/v", names_joined, text));
    assert_string_equal(text, "a b d/ ");
    text[0] = '\0';
    assert_ok(volume_list(s->v, "/v/d/", names_joined, text));
    assert_string_equal(text, "1.sst 2.sst ");
    text[0] = '\0';
    assert_ok(volume_list(s->v, "/nothing", names_joined, text));
    assert_string_equal(text, "");
}

static void paths_have_bounds(void **state)
{
    struct store *s = *state;
    struct volume_file *f;
    char path[300];

    memset(path, 'p', sizeof path);
    path[0] = '/';
    path[256] = '\0';
    assert_err(volume_create(s->v, path, VOLUME_INLINE, &f), ERR_LIMIT);
    path[255] = '\0';
    fixture_write(s->v, path, VOLUME_INLINE, BYTES_LIT("x"));
    assert_err(volume_create(s->v, "relative", VOLUME_INLINE, &f), ERR_LIMIT);
    assert_err(volume_create(s->v, "", VOLUME_INLINE, &f), ERR_LIMIT);
    assert_err(volume_create(s->v, "/v/", VOLUME_INLINE, &f), ERR_LIMIT);
    assert_err(volume_rename(s->v, path, "/v/"), ERR_LIMIT);
    assert_err(volume_delete(s->v, "/absent"), ERR_MISSING);
}

/* --- spaces ---------------------------------------------------------------------------------- */

static void the_files_of_a_dropped_space_cannot_be_read(void **state)
{
    struct store *s = *state;
    struct volume_reader *r;

    fixture_write(s->v, "/v/s0000002a.0/1.sst", VOLUME_TABLE, BYTES_LIT("theirs"));
    fixture_write(s->v, "/v/s0000002b.0/1.sst", VOLUME_TABLE, BYTES_LIT("others"));
    store_reopen(s);
    fixture_expect(s->v, "/v/s0000002a.0/1.sst", BYTES_LIT("theirs"));
    assert_ok(volume_space_drop(s->v, 0x2a));
    assert_ok(volume_space_drop(s->v, 0x99));
    assert_err(volume_reader_open(s->v, "/v/s0000002a.0/1.sst", &r), ERR_MISSING);
    store_reopen(s);
    assert_err(volume_reader_open(s->v, "/v/s0000002a.0/1.sst", &r), ERR_MISSING);
    fixture_expect(s->v, "/v/s0000002b.0/1.sst", BYTES_LIT("others"));
}

/* --- failing --------------------------------------------------------------------------------- */

static void when_nothing_can_be_written_the_volume_says_so_and_reads_on(void **state)
{
    struct store *s = *state;
    struct volume_figures figures;
    struct volume_file *f;

    fixture_write(s->v, "/v/a.sst", VOLUME_TABLE, BYTES_LIT("kept"));
    assert_ok(volume_create(s->v, "/v/1.log", VOLUME_INLINE, &f));
    assert_ok(volume_append(f, BYTES_LIT("lost")));
    volume_mem_fault_at(s->mem, 0, VOLUME_MEM_FAIL, true);
    assert_err(volume_sync(f), ERR_IO);
    assert_err(volume_sync(f), ERR_CLOSED);
    assert_err(volume_append(f, BYTES_LIT("more")), ERR_CLOSED);
    assert_err(volume_delete(s->v, "/v/a.sst"), ERR_CLOSED);
    volume_file_free(f);
    fixture_expect(s->v, "/v/a.sst", BYTES_LIT("kept"));
    volume_info(s->v, &figures);
    assert_true(figures.failed);
}

static void each_failed_allocation_is_an_error_and_the_volume_goes_on(void **state)
{
    struct store *s = *state;
    char name[32];

    EACH_FAILURE(i) {
        struct volume_file *f = NULL;
        snprintf(name, sizeof name, "/v/%ld.sst", i);
        err e = volume_create(s->v, name, VOLUME_TABLE, &f);
        if (!e.code) {
            e = volume_append(f, BYTES_LIT("data"));
        }
        if (!e.code) {
            e = volume_seal(f);
        }
        if (!e.code) {
            e = volume_commit(s->v);
        }
        volume_file_free(f);
        if (!e.code) {
            mem_fail_after(-1);
            assert_true(i > 3);
            fixture_expect(s->v, name, BYTES_LIT("data"));
            break;
        }
        assert_int_equal(e.code, ERR_LIMIT);
    }
    mem_fail_after(-1);
    store_reopen(s);
    fixture_expect(s->v, name, BYTES_LIT("data"));
}

static void a_hundred_crashes_in_a_row_do_not_fill_the_log(void **state)
{
    const struct volume_config c = config();
    struct store *s = *state;
    struct volume_figures figures;

    fixture_write(s->v, "/v/a", VOLUME_INLINE, BYTES_LIT("kept"));
    fixture_write(s->v, "/v/a.sst", VOLUME_TABLE, BYTES_LIT("kept"));
    for (int i = 0; i < 100; i++) {
        volume_abandon(s->v);
        volume_mem_restart(s->mem);
        assert_ok(volume_open(&c, volume_mem_io(s->mem), &s->v));
    }
    volume_info(s->v, &figures);
    assert_in_range(figures.segment_count, 1, 33);
    fixture_expect(s->v, "/v/a", BYTES_LIT("kept"));
    fixture_expect(s->v, "/v/a.sst", BYTES_LIT("kept"));
}

static void an_open_without_memory_is_an_error(void **state)
{
    const struct volume_config c = config();
    struct store *s = *state;

    fixture_write(s->v, "/v/a.sst", VOLUME_TABLE, BYTES_LIT("data"));
    fixture_write(s->v, "/v/a.log", VOLUME_INLINE, BYTES_LIT("data"));
    assert_ok(volume_close(s->v));
    s->v = NULL;
    EACH_FAILURE(i) {
        err e = volume_open(&c, volume_mem_io(s->mem), &s->v);
        if (!e.code) {
            assert_true(i > 10);
            break;
        }
        assert_true(e.code == ERR_LIMIT || e.code == ERR_CORRUPT);
    }
    mem_fail_after(-1);
    assert_non_null(s->v);
    fixture_expect(s->v, "/v/a.sst", BYTES_LIT("data"));
}

/* --- threads --------------------------------------------------------------------------------- */

#define THREADS 8
#define SYNCS 60

struct worker {
    struct volume *v;
    unsigned number;
};

static void *worker_run(void *arg)
{
    const struct worker *w = arg;
    struct volume_file *log;
    char name[32];

    snprintf(name, sizeof name, "/v/%u.log", w->number);
    assert_ok(volume_create(w->v, name, VOLUME_INLINE, &log));
    for (unsigned i = 0; i < SYNCS; i++) {
        uint8_t record[8];
        store_u64(record, i);
        assert_ok(volume_append(log, BYTES_OF(record)));
        assert_ok(volume_sync(log));
        if (i % 10 == 0) {
            snprintf(name, sizeof name, "/v/%u-%u.sst", w->number, i);
            fixture_write(w->v, name, VOLUME_TABLE, bytes_of_string(name));
            fixture_expect(w->v, name, bytes_of_string(name));
            if (i % 20 == 0) {
                assert_ok(volume_delete(w->v, name));
            }
        }
    }
    volume_file_free(log);
    return NULL;
}

static void many_threads_share_frames_and_lose_nothing(void **state)
{
    struct store *s = *state;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct volume_figures figures;
    char name[32];

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ s->v, i };
        assert_int_equal(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    volume_info(s->v, &figures);
    assert_true(figures.frames <= THREADS * (SYNCS + 2 * SYNCS / 10));
    store_reopen(s);
    for (unsigned i = 0; i < THREADS; i++) {
        uint8_t want[8 * SYNCS];
        for (unsigned j = 0; j < SYNCS; j++) {
            store_u64(want + (size_t)8 * j, j);
        }
        snprintf(name, sizeof name, "/v/%u.log", i);
        fixture_expect(s->v, name, BYTES_OF(want));
        snprintf(name, sizeof name, "/v/%u-10.sst", i);
        fixture_expect(s->v, name, bytes_of_string(name));
    }
}

/* --- a real directory ------------------------------------------------------------------------ */

static void a_directory_is_made_filled_closed_and_opened(void **state)
{
    const struct volume_config c = fixture_config();
    struct fixture_dir at;
    struct volume_dir *d;
    struct volume *v;
    struct volume_figures figures;

    (void)state;
    fixture_dir_make(&at);
    for (int round = 0; round < 3; round++) {
        assert_ok(fixture_dir_open(at.data, at.anchor, &d));
        assert_ok(volume_open(&c, volume_dir_io(d), &v));
        volume_info(v, &figures);
        assert_int_equal(figures.epoch, round + 1);
        assert_int_equal(figures.anchor, VOLUME_ANCHOR_LOCAL);
        assert_true(figures.disk_free_bytes > 0);
        if (round > 0) {
            fixture_expect(v, "/v/a.sst", BYTES_LIT("table"));
            fixture_expect(v, "/v/a.log", BYTES_LIT("log"));
            assert_ok(volume_delete(v, "/v/a.sst"));
        }
        fixture_write(v, "/v/a.sst", VOLUME_TABLE, BYTES_LIT("table"));
        fixture_write(v, "/v/a.log", VOLUME_INLINE, BYTES_LIT("log"));
        if (round == 1) {
            volume_abandon(v);
        } else {
            assert_ok(volume_close(v));
        }
        volume_dir_close(d);
    }
    file_remove_all(at.base);
}

static void a_second_process_is_refused_with_the_pid_of_the_first(void **state)
{
    struct fixture_dir at;
    struct volume_dir *d, *again;
    char pid[32];

    (void)state;
    fixture_dir_make(&at);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_ok(fixture_dir_open(at.data, NULL, &d));
    assert_err(fixture_dir_open(at.data, NULL, &again), ERR_CONFLICT);
    assert_non_null(strstr(err_text(), pid));
    volume_dir_close(d);
    assert_ok(fixture_dir_open(at.data, NULL, &d));
    volume_dir_close(d);
    file_remove_all(at.base);
}

static void an_anchor_inside_the_directory_is_refused(void **state)
{
    struct fixture_dir at;
    struct volume_dir *d;
    char inside[320];

    (void)state;
    fixture_dir_make(&at);
    snprintf(inside, sizeof inside, "%s/anchor", at.data);
    assert_err(fixture_dir_open(at.data, inside, &d), ERR_CONFLICT);
    file_remove_all(at.base);
}

static void a_volume_is_only_made_where_it_is_asked_for(void **state)
{
    struct volume_config c = fixture_config();
    struct fixture_dir at;
    struct volume_dir *d;
    struct volume *v;

    (void)state;
    fixture_dir_make(&at);
    c.create = false;
    assert_ok(fixture_dir_open(at.data, NULL, &d));
    assert_err(volume_open(&c, volume_dir_io(d), &v), ERR_MISSING);
    c.create = true;
    c.segment_bytes = 4097;
    assert_err(volume_open(&c, volume_dir_io(d), &v), ERR_LIMIT);
    c = fixture_config();
    c.root_key.size = 16;
    assert_err(volume_open(&c, volume_dir_io(d), &v), ERR_LIMIT);
    volume_dir_close(d);
    file_remove_all(at.base);
}

static size_t files_in(const char *base, const char *dir)
{
    char path[320];
    size_t count = 0;

    snprintf(path, sizeof path, "%s/%s", base, dir);
    DIR *stream = opendir(path);
    assert_non_null(stream);
    for (const struct dirent *e = readdir(stream); e != NULL; e = readdir(stream)) {
        count += e->d_name[0] != '.' ? 1 : 0;
    }
    closedir(stream);
    return count;
}

static void segments_come_from_the_pool_and_return_to_it(void **state)
{
    const struct volume_config c = fixture_config();
    struct fixture_dir at;
    struct volume_dir *d;
    struct volume *v;
    uint8_t part[60000] = { 1 };

    (void)state;
    fixture_dir_make(&at);
    const struct volume_dir_config dc = { .path = at.data, .segment_bytes = FIXTURE_SEGMENT_BYTES,
                                          .pool_count = 3 };
    assert_ok(volume_dir_open(&dc, &d));
    for (int i = 0; i < 2000 && files_in(at.data, "pool") < 3; i++) {
        usleep(1000);
    }
    assert_int_equal(files_in(at.data, "pool"), 3);
    assert_ok(volume_open(&c, volume_dir_io(d), &v));
    for (int i = 0; i < 40; i++) { /* ten segments of octets nobody keeps */
        fixture_write(v, "/v/a", VOLUME_INLINE, BYTES_OF(part));
    }
    assert_ok(volume_checkpoint(v));
    assert_in_range(files_in(at.data, "log"), 1, 2);
    assert_in_range(files_in(at.data, "pool"), 1, 4); /* the thread may be making one more */
    fixture_write(v, "/v/a", VOLUME_INLINE, BYTES_LIT("end"));
    volume_abandon(v);
    volume_dir_close(d);

    assert_ok(volume_dir_open(&dc, &d)); /* old frames in recycled segments end the scan */
    assert_ok(volume_open(&c, volume_dir_io(d), &v));
    fixture_expect(v, "/v/a", BYTES_LIT("end"));
    assert_ok(volume_close(v));
    volume_dir_close(d);
    file_remove_all(at.base);
}

static void orphans_are_set_aside(void **state)
{
    const struct volume_config c = fixture_config();
    struct fixture_dir at;
    struct volume_dir *d;
    struct volume *v;
    struct volume_file *f;

    (void)state;
    fixture_dir_make(&at);
    assert_ok(fixture_dir_open(at.data, NULL, &d));
    assert_ok(volume_open(&c, volume_dir_io(d), &v));
    assert_ok(volume_create(v, "/v/a.sst", VOLUME_TABLE, &f));
    assert_ok(volume_append(f, BYTES_LIT("sealed, but never committed")));
    assert_ok(volume_seal(f));
    volume_file_free(f);
    volume_abandon(v);
    volume_dir_close(d);
    assert_int_equal(files_in(at.data, "bad"), 0);
    assert_ok(fixture_dir_open(at.data, NULL, &d));
    assert_ok(volume_open(&c, volume_dir_io(d), &v));
    assert_int_equal(files_in(at.data, "bad"), 1);
    assert_ok(volume_close(v));
    volume_dir_close(d);
    file_remove_all(at.base);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(tables_of_each_size_around_a_block_come_back),
        T(a_table_written_in_odd_pieces_is_the_same),
        T(ranges_are_read_at_any_place_and_stop_at_the_end),
        T(an_unsealed_table_is_dropped),
        T(a_deleted_table_goes_when_that_is_durable_and_nobody_reads_it),
        T(a_table_deleted_while_it_is_written_leaves_nothing),
        T(an_inline_file_is_readable_before_and_durable_after_its_sync),
        T(a_frame_takes_the_octets_of_synced_files_and_of_no_other),
        T(a_log_over_many_frames_and_segments_is_read_at_any_place),
        T(checkpoints_give_segments_back_but_not_those_of_living_logs),
        T(the_log_is_checkpointed_by_itself),
        T(a_frame_larger_than_a_segment_gets_a_larger_segment),
        T(more_than_a_frame_may_not_wait),
        T(renaming_replaces_and_keeps_the_content),
        T(creating_replaces),
        T(a_list_has_files_and_directories_once_and_in_order),
        T(paths_have_bounds),
        T(the_files_of_a_dropped_space_cannot_be_read),
        T(when_nothing_can_be_written_the_volume_says_so_and_reads_on),
        T(each_failed_allocation_is_an_error_and_the_volume_goes_on),
        T(a_hundred_crashes_in_a_row_do_not_fill_the_log),
        T(an_open_without_memory_is_an_error),
        T(many_threads_share_frames_and_lose_nothing),
        cmocka_unit_test(a_directory_is_made_filled_closed_and_opened),
        cmocka_unit_test(a_second_process_is_refused_with_the_pid_of_the_first),
        cmocka_unit_test(an_anchor_inside_the_directory_is_refused),
        cmocka_unit_test(a_volume_is_only_made_where_it_is_asked_for),
        cmocka_unit_test(segments_come_from_the_pool_and_return_to_it),
        cmocka_unit_test(orphans_are_set_aside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
