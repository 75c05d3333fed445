/* SPDX-License-Identifier: Apache-2.0 */
/* RocksDB on the sealed volume for a long time, in little: hundreds of segments, checkpoints and
 * write-ahead logs in seconds. The store is stopped in good order, killed, and cut off from power
 * in the middle of writing; each opening must find what was acknowledged, and nothing else.
 *
 * Every step follows from the seed and its number, so the model of what is there is made anew from
 * the count of steps that were acknowledged. METERSEAL_SOAK_STEPS makes it longer,
 * METERSEAL_SOAK_SEED another one. */
#include <unistd.h>

#include "lib/base/rand.h"
#include "store/kvs/kvs_options.h"
#include "store/kvs/volume_audit.h"
#include "store/kvs/volume_fixture.h"
#include "store/kvs/volume_mem.h"

#define STEPS 2500 /* of each seed */
#define SEGMENT_BYTES (128u << 10)
#define WAL_BYTES (2u << 20)
#define MEMTABLE_BYTES (2u << 20)
#define KEYS 800    /* of a family */
#define PUTS_MAX 40 /* of a step */
#define OBJECTS 6
#define OBJECT_BYTES 100000
#define AUDIT_MAX (1u << 16)

/* One is hardly ever written, so that its octets hold old segments back; one has values in blob
 * files; one is dropped and made anew again and again. */
enum family { RARE, LEVEL, SERIES, BLOBS, PASSING, FAMILIES };

struct model {
    uint32_t version[FAMILIES][KEYS]; /* 0: absent */
    uint32_t object[OBJECTS];         /* the step that wrote it; 0: none */
    uint32_t passing;                 /* which one it is */
};

enum kind { STEP_PUTS, STEP_FLUSH, STEP_OBJECT, STEP_PASS, STEP_CHECKPOINT };

struct step {
    enum kind kind;
    uint32_t number; /* from 1 */
    enum family family;
    uint32_t count;
    struct {
        enum family family;
        uint32_t key;
        bool delete;
    } puts[PUTS_MAX];
    uint32_t object;
};

struct soak {
    uint64_t seed;
    struct volume_mem *mem;
    struct volume *volume;
    struct kvs_db *db;
    struct model model; /* of all that was acknowledged */
    uint32_t step;      /* the newest acknowledged one */
    unsigned opens, kills, cuts, stops;
    uint64_t segments;
};

/* --- what a step does ------------------------------------------------------------------------ */

static enum family family_drawn(struct rand64 *r)
{
    static const enum family often[] = { LEVEL, LEVEL, SERIES, SERIES, BLOBS, PASSING };

    return rand64_below(r, 400) == 0 ? RARE : often[rand64_below(r, 6)];
}

static void step_make(uint64_t seed, uint32_t number, struct step *out)
{
    struct rand64 r = { rand64_mix(seed, number, 7) };
    uint64_t dice = rand64_below(&r, 1000);

    *out = (struct step){ .number = number };
    out->kind = dice < 10   ? STEP_FLUSH
                : dice < 30 ? STEP_OBJECT
                : dice < 36 ? STEP_PASS
                : dice < 40 ? STEP_CHECKPOINT
                            : STEP_PUTS;
    out->family = (enum family)rand64_below(&r, FAMILIES);
    out->object = (uint32_t)rand64_below(&r, OBJECTS);
    out->count = out->kind == STEP_PUTS ? 1 + (uint32_t)rand64_below(&r, PUTS_MAX) : 0;
    for (uint32_t i = 0; i < out->count; i++) {
        out->puts[i].family = family_drawn(&r);
        out->puts[i].key = (uint32_t)rand64_below(&r, out->puts[i].family == BLOBS ? 60 : KEYS);
        out->puts[i].delete = rand64_below(&r, 8) == 0;
    }
}

static void step_apply(const struct step *s, struct model *m)
{
    for (uint32_t i = 0; i < s->count; i++) {
        m->version[s->puts[i].family][s->puts[i].key] = s->puts[i].delete ? 0 : s->number;
    }
    if (s->kind == STEP_OBJECT) {
        m->object[s->object] = s->number;
    } else if (s->kind == STEP_PASS) {
        m->passing++;
        memset(m->version[PASSING], 0, sizeof m->version[PASSING]);
    }
}

/* Octets that follow from where they stand and when they were written. */
static void octets_fill(uint64_t a, uint64_t b, uint8_t *out, size_t size)
{
    struct rand64 r = { rand64_mix(a, b, 11) };

    for (size_t i = 0; i < size; i += 8) {
        uint64_t next = rand64_next(&r);
        memcpy(out + i, &next, size - i < 8 ? size - i : 8);
    }
}

static size_t value_fill(enum family f, uint32_t key, uint32_t version, uint8_t out[20000])
{
    uint64_t h = rand64_mix(f, key, version);
    size_t size = f == BLOBS ? 4000 + h % 16000 : 20 + h % 300;

    octets_fill(h, version, out, size);
    return size;
}

static void family_name(enum family f, uint32_t passing, char out[32])
{
    static const char *const names[] = { "default", "s00000001.0.gce", "s00000002.0.sce",
                                         "s00000003.0.gce" };

    if (f == PASSING) {
        snprintf(out, 32, "s%08x.0.gce", 100 + passing);
    } else {
        snprintf(out, 32, "%s", names[f]);
    }
}

static rocksdb_column_family_handle_t *family_of(const struct soak *k, enum family f)
{
    char name[32];

    family_name(f, k->model.passing, name);
    return kvs_db_family(k->db, name);
}

/* --- opening and looking --------------------------------------------------------------------- */

static err family_options(void *arg, const char *name, struct kvs_family_options *out)
{
    (void)arg;
    *out = (struct kvs_family_options){ .compress = true,
                                        .series = strcmp(name, "s00000002.0.sce") == 0,
                                        .blobs = strcmp(name, "s00000003.0.gce") == 0 };
    return OK;
}

static err family_make(struct soak *k, enum family f, uint32_t passing)
{
    struct kvs_family_options o;
    rocksdb_column_family_handle_t *made;
    char name[32];

    family_name(f, passing, name);
    TRY(family_options(NULL, name, &o));
    return kvs_db_family(k->db, name) != NULL ? OK : kvs_db_family_create(k->db, name, &o, &made);
}

static err families_make(struct soak *k)
{
    for (int f = LEVEL; f < FAMILIES; f++) {
        TRY(family_make(k, (enum family)f, k->model.passing));
    }
    return OK;
}

static err soak_open(struct soak *k)
{
    struct volume_config vc = fixture_config();
    const struct kvs_db_config dc = { .memtable_bytes = MEMTABLE_BYTES, .wal_bytes = WAL_BYTES,
                                      .block_cache_bytes = 8u << 20, .family = family_options };

    vc.segment_bytes = SEGMENT_BYTES;
    TRY(volume_open(&vc, volume_mem_io(k->mem), &k->volume));
    TRY(kvs_db_open(k->volume, &dc, &k->db));
    k->opens++;
    return OK;
}

static void family_check(struct soak *k, enum family f)
{
    rocksdb_column_family_handle_t *handle = family_of(k, f);
    rocksdb_readoptions_t *how = rocksdb_readoptions_create();
    rocksdb_iterator_t *it;
    static uint8_t want[20000];
    uint32_t seen = 0, due = 0;
    char *why = NULL;

    if (handle == NULL) { /* the stop came before it was made */
        rocksdb_readoptions_destroy(how);
        return;
    }
    it = rocksdb_create_iterator_cf(kvs_db_rocks(k->db), how, handle);
    for (rocksdb_iter_seek_to_first(it); rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        size_t key_len, len;
        const uint8_t *key = (const uint8_t *)rocksdb_iter_key(it, &key_len);
        const uint8_t *value = (const uint8_t *)rocksdb_iter_value(it, &len);
        assert_int_equal(key_len, 4);
        uint32_t i = load_u32(key);
        assert_in_range(i, 0, KEYS - 1);
        uint32_t version = k->model.version[f][i];
        assert_int_not_equal(version, 0);
        assert_int_equal(len, value_fill(f, i, version, want));
        assert_memory_equal(value, want, len);
        seen++;
    }
    rocksdb_iter_get_error(it, &why);
    assert_ok(kvs_rocks_err(why));
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(how);
    for (uint32_t i = 0; i < KEYS; i++) {
        due += k->model.version[f][i] != 0;
    }
    assert_int_equal(seen, due);
}

static void object_path(uint32_t i, char out[32])
{
    snprintf(out, 32, "/o/%u", i);
}

static void object_check(struct soak *k, uint32_t i)
{
    static uint8_t want[OBJECT_BYTES];
    char path[32];

    if (k->model.object[i] != 0) {
        object_path(i, path);
        octets_fill(i, k->model.object[i], want, sizeof want);
        fixture_expect(k->volume, path, BYTES_OF(want));
    }
}

/* Whether the step after the newest acknowledged one has come about, too: nobody heard of it. */
static bool step_seen(struct soak *k, const struct step *s)
{
    rocksdb_readoptions_t *how = rocksdb_readoptions_create();
    bool seen = false;
    char name[32];

    if (s->kind == STEP_OBJECT) {
        static uint8_t want[OBJECT_BYTES];
        uint8_t *got = NULL;
        size_t len = 0;
        object_path(s->object, name);
        octets_fill(s->object, s->number, want, sizeof want);
        seen = !fixture_read(k->volume, name, &got, &len).code && len == sizeof want &&
               memcmp(got, want, len) == 0;
        free(got);
    } else if (s->kind == STEP_PASS) {
        family_name(PASSING, k->model.passing, name);
        seen = kvs_db_family(k->db, name) == NULL;
    }
    for (uint32_t i = 0; i < s->count && !seen; i++) {
        enum family f = s->puts[i].family;
        static uint8_t want[20000];
        uint8_t key[4];
        char *why = NULL;
        size_t len = 0;
        if (family_of(k, f) == NULL) {
            continue;
        }
        store_u32(key, s->puts[i].key);
        char *got = rocksdb_get_cf(kvs_db_rocks(k->db), how, family_of(k, f), (const char *)key, 4,
                                   &len, &why);
        assert_ok(kvs_rocks_err(why));
        seen = got == NULL ? k->model.version[f][s->puts[i].key] != 0
                           : len == value_fill(f, s->puts[i].key, s->number, want) &&
                                 memcmp(got, want, len) == 0;
        rocksdb_free(got);
    }
    rocksdb_readoptions_destroy(how);
    return seen;
}

static void soak_check(struct soak *k, bool maybe)
{
    struct step next;

    step_make(k->seed, k->step + 1, &next);
    if (maybe && step_seen(k, &next)) {
        step_apply(&next, &k->model);
        k->step++;
    }
    for (int f = 0; f < FAMILIES; f++) {
        family_check(k, (enum family)f);
    }
    for (uint32_t i = 0; i < OBJECTS; i++) {
        object_check(k, i);
    }
}

/* --- one step -------------------------------------------------------------------------------- */

static err puts_run(struct soak *k, const struct step *s)
{
    rocksdb_writeoptions_t *w = rocksdb_writeoptions_create();
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    static uint8_t value[20000];
    char *why = NULL;

    for (uint32_t i = 0; i < s->count; i++) {
        rocksdb_column_family_handle_t *f = family_of(k, s->puts[i].family);
        uint8_t key[4];
        store_u32(key, s->puts[i].key);
        if (s->puts[i].delete) {
            rocksdb_writebatch_delete_cf(batch, f, (const char *)key, 4);
            continue;
        }
        size_t len = value_fill(s->puts[i].family, s->puts[i].key, s->number, value);
        rocksdb_writebatch_put_cf(batch, f, (const char *)key, 4, (const char *)value, len);
    }
    rocksdb_writeoptions_set_sync(w, 1);
    rocksdb_write(kvs_db_rocks(k->db), w, batch, &why);
    rocksdb_writebatch_destroy(batch);
    rocksdb_writeoptions_destroy(w);
    return kvs_rocks_err(why);
}

static err flush_run(struct soak *k, enum family f)
{
    rocksdb_flushoptions_t *how = rocksdb_flushoptions_create();
    char *why = NULL;

    rocksdb_flush_cf(kvs_db_rocks(k->db), how, family_of(k, f), &why);
    rocksdb_flushoptions_destroy(how);
    return kvs_rocks_err(why);
}

static err object_run(struct soak *k, const struct step *s)
{
    AUTO(volume_file_freep) struct volume_file *f = NULL;
    static uint8_t octets[OBJECT_BYTES];
    char path[32], making[32];

    object_path(s->object, path);
    snprintf(making, sizeof making, "/o/%u.new", s->object);
    octets_fill(s->object, s->number, octets, sizeof octets);
    TRY(volume_create(k->volume, making, VOLUME_OBJECT, &f));
    TRY(volume_append(f, BYTES_OF(octets)));
    TRY(volume_seal(f));
    TRY(volume_rename(k->volume, making, path));
    return volume_commit(k->volume);
}

static err pass_run(struct soak *k)
{
    uint32_t before = k->model.passing;
    char name[32];

    family_name(PASSING, before, name);
    TRY(kvs_db_family_drop(k->db, name));
    return family_make(k, PASSING, before + 1);
}

static err step_run(struct soak *k, const struct step *s)
{
    switch (s->kind) {
    case STEP_PUTS:
        return puts_run(k, s);
    case STEP_FLUSH:
        return flush_run(k, s->family);
    case STEP_OBJECT:
        return object_run(k, s);
    case STEP_PASS:
        return pass_run(k);
    default:
        return volume_checkpoint(k->volume);
    }
}

static err steps_run(struct soak *k, uint32_t until)
{
    TRY(families_make(k));
    while (k->step < until) {
        struct step s;
        step_make(k->seed, k->step + 1, &s);
        TRY(step_run(k, &s));
        step_apply(&s, &k->model);
        k->step++;
    }
    return OK;
}

/* --- stops ----------------------------------------------------------------------------------- */

static void figures_note(struct soak *k)
{
    struct volume_figures f = { 0 };

    volume_info(k->volume, &f);
    k->segments = f.segment_count > k->segments ? f.segment_count : k->segments;
}

static void stop_kill(struct soak *k)
{
    kvs_db_close(TAKE(k->db));
    volume_abandon(TAKE(k->volume));
    volume_mem_forget(k->mem);
    k->kills++;
}

static void stop_clean(struct soak *k)
{
    kvs_db_close(TAKE(k->db));
    assert_ok(volume_close(TAKE(k->volume)));
    volume_mem_forget(k->mem);
    k->stops++;
}

/* The machine stops somewhere in the next steps, or in the opening that follows. */
static void stop_cut(struct soak *k, struct rand64 *r)
{
    static const enum volume_mem_fault faults[] = { VOLUME_MEM_STOP_BEFORE, VOLUME_MEM_STOP_TORN,
                                                    VOLUME_MEM_STOP_AFTER };

    volume_mem_fault_at(k->mem, (long)rand64_below(r, 300), faults[rand64_below(r, 3)], true);
    (void)steps_run(k, k->step + 100).code;
    kvs_db_close(TAKE(k->db));
    volume_abandon(TAKE(k->volume));
    if (rand64_below(r, 2) == 0) {
        volume_mem_forget(k->mem); /* else deletions were not durable and are undone */
    }
    volume_mem_restart(k->mem);
    k->cuts++;
}

static void cut_while_opening(struct soak *k, struct rand64 *r)
{
    volume_mem_fault_at(k->mem, (long)rand64_below(r, 30), VOLUME_MEM_STOP_TORN, true);
    (void)soak_open(k).code;
    kvs_db_close(TAKE(k->db));
    volume_abandon(TAKE(k->volume));
    volume_mem_restart(k->mem);
    k->cuts++;
}

/* True when a step may have come about that nobody heard of. */
static bool stop_somehow(struct soak *k, struct rand64 *r)
{
    uint64_t dice = rand64_below(r, 8);

    if (dice < 3) {
        stop_kill(k);
        return false;
    }
    if (dice < 6) {
        stop_clean(k);
        return false;
    }
    stop_cut(k, r);
    if (dice == 7) {
        cut_while_opening(k, r);
    }
    return true;
}

static void soak_run(uint64_t seed, uint32_t steps)
{
    struct rand64 r = { rand64_mix(seed, 0, 3) };
    struct soak k = { .seed = seed, .mem = volume_mem_new() };

    volume_audit_reset();
    assert_ok(soak_open(&k));
    while (k.step < steps) {
        assert_ok(steps_run(&k, k.step + 1 + (uint32_t)rand64_below(&r, 300)));
        figures_note(&k);
        bool maybe = stop_somehow(&k, &r);
        if (volume_audit_count() > AUDIT_MAX) {
            volume_audit_reset();
        }
        assert_ok(soak_open(&k));
        soak_check(&k, maybe);
    }
    stop_clean(&k);
    print_message("# seed %llu: %u opens, %u kills, %u cuts, %u stops, up to %llu segments\n",
                  (unsigned long long)seed, k.opens, k.kills, k.cuts, k.stops,
                  (unsigned long long)k.segments);
    volume_mem_free(k.mem);
}

static uint64_t wanted(const char *name, uint64_t number)
{
    const char *text = getenv(name);

    if (text != NULL) {
        assert_ok(decimal_parse(bytes_of_string(text), 100000000, &number));
    }
    return number;
}

static void whatever_way_it_stops_the_store_has_what_was_acknowledged(void **state)
{
    (void)state;
    uint64_t first = wanted("METERSEAL_SOAK_SEED", 1);

    for (uint64_t seed = first; seed < first + 2; seed++) {
        soak_run(seed, (uint32_t)wanted("METERSEAL_SOAK_STEPS", STEPS));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_way_it_stops_the_store_has_what_was_acknowledged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
