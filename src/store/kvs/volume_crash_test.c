/* SPDX-License-Identifier: Apache-2.0 */
/* One load, failed or stopped at each of its writing operations in turn, in each way; whatever was
 * acknowledged must be there afterwards, and nothing that was never written. */
#include "store/kvs/volume_fixture.h"
#include "store/kvs/volume_audit.h"
#include "store/kvs/volume_mem.h"

#define ROUNDS 6
#define RECORD_BYTES 100
#define TABLE_BYTES 20000
#define SEGMENT_BYTES (64u << 10) /* so that a run has several */

/* What was tried and what was acknowledged. */
struct model {
    unsigned records_tried, records_acked;
    unsigned current_tried, current_acked; /* generation; 0 = none */
    bool table_tried[ROUNDS], table_acked[ROUNDS];
    bool delete_tried[ROUNDS], delete_acked[ROUNDS];
};

static void record_fill(unsigned i, uint8_t out[RECORD_BYTES])
{
    memset(out, (int)('a' + i % 26), RECORD_BYTES);
    store_u32(out, i);
}

static void table_fill(unsigned i, uint8_t out[TABLE_BYTES])
{
    for (size_t at = 0; at < TABLE_BYTES; at++) {
        out[at] = (uint8_t)(at * 7 + i);
    }
}

static void table_name(unsigned i, char out[32])
{
    snprintf(out, 32, "/v/s00000001.0/%06u.sst", i);
}

static err log_step(struct volume_file *log, struct model *m)
{
    uint8_t record[RECORD_BYTES];

    record_fill(m->records_tried, record);
    TRY(volume_append(log, BYTES_OF(record)));
    m->records_tried++;
    TRY(volume_sync(log));
    m->records_acked = m->records_tried;
    return OK;
}

static err table_step(struct volume *v, struct model *m, unsigned i)
{
    AUTO(volume_file_freep) struct volume_file *f = NULL;
    static uint8_t octets[TABLE_BYTES];
    char name[32];

    table_name(i, name);
    table_fill(i, octets);
    TRY(volume_create(v, name, VOLUME_TABLE, &f));
    TRY(volume_append(f, BYTES_OF(octets)));
    m->table_tried[i] = true;
    TRY(volume_sync(f));
    TRY(volume_commit(v));
    m->table_acked[i] = true;
    return OK;
}

/* As RocksDB replaces CURRENT: a temporary file, synced, renamed, the directory synced. */
static err current_step(struct volume *v, struct model *m)
{
    AUTO(volume_file_freep) struct volume_file *f = NULL;
    uint8_t text[4];

    store_u32(text, m->current_tried + 1);
    TRY(volume_create(v, "/v/000001.dbtmp", VOLUME_INLINE, &f));
    TRY(volume_append(f, BYTES_OF(text)));
    TRY(volume_sync(f));
    m->current_tried++;
    TRY(volume_rename(v, "/v/000001.dbtmp", "/v/CURRENT"));
    TRY(volume_commit(v));
    m->current_acked = m->current_tried;
    return OK;
}

static err delete_step(struct volume *v, struct model *m, unsigned i)
{
    char name[32];

    table_name(i, name);
    m->delete_tried[i] = true;
    TRY(volume_delete(v, name));
    TRY(volume_commit(v));
    m->delete_acked[i] = true;
    return OK;
}

/* Errors are what is injected; the load goes on over them where the volume does. */
static void run(struct volume *v, struct model *m)
{
    struct volume_file *log;

    if (volume_create(v, "/v/000001.log", VOLUME_INLINE, &log).code) {
        return;
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (int j = 0; j < 3; j++) {
            (void)log_step(log, m).code;
        }
        (void)table_step(v, m, i).code;
        (void)current_step(v, m).code;
        if (i >= 2) {
            (void)delete_step(v, m, i - 2).code;
        }
        if (i % 3 == 2) {
            (void)volume_checkpoint(v).code;
        }
    }
    volume_file_free(log);
}

/* --- checks -------------------------------------------------------------------------------- */

static void check_log(struct volume *v, const struct model *m)
{
    uint8_t *octets = NULL, record[RECORD_BYTES];
    size_t len = 0;

    err e = fixture_read(v, "/v/000001.log", &octets, &len);
    if (e.code == ERR_MISSING) {
        assert_int_equal(m->records_acked, 0);
        return;
    }
    assert_ok(e);
    assert_int_equal(len % RECORD_BYTES, 0);
    assert_in_range(len / RECORD_BYTES, m->records_acked, m->records_tried);
    for (unsigned i = 0; i < len / RECORD_BYTES; i++) {
        record_fill(i, record);
        assert_memory_equal(octets + (size_t)i * RECORD_BYTES, record, RECORD_BYTES);
    }
    free(octets);
}

static void check_table(struct volume *v, const struct model *m, unsigned i)
{
    static uint8_t want[TABLE_BYTES];
    uint8_t *octets = NULL;
    size_t len = 0;
    char name[32];

    table_name(i, name);
    err e = fixture_read(v, name, &octets, &len);
    if (e.code == ERR_MISSING) {
        assert_true(!m->table_acked[i] || m->delete_tried[i]);
        return;
    }
    assert_ok(e);
    assert_true(m->table_tried[i] && !m->delete_acked[i]);
    table_fill(i, want);
    assert_int_equal(len, TABLE_BYTES);
    assert_memory_equal(octets, want, TABLE_BYTES);
    free(octets);
}

static void check(struct volume *v, const struct model *m)
{
    uint8_t *octets = NULL;
    size_t len = 0;

    check_log(v, m);
    for (unsigned i = 0; i < ROUNDS; i++) {
        check_table(v, m, i);
    }
    err e = fixture_read(v, "/v/CURRENT", &octets, &len);
    if (e.code == ERR_MISSING) {
        assert_int_equal(m->current_acked, 0);
        return;
    }
    assert_ok(e);
    assert_int_equal(len, 4);
    assert_in_range(load_u32(octets), m->current_acked, m->current_tried);
    free(octets);
}

/* --- runs ---------------------------------------------------------------------------------- */

static struct volume_config config(void)
{
    struct volume_config c = fixture_config();

    c.segment_bytes = SEGMENT_BYTES;
    c.checkpoint_bytes = SEGMENT_BYTES;
    return c;
}

/* True when the fault was met: there are later operations to try. */
static bool run_with(long n, enum volume_mem_fault fault, bool sticky, bool anchor)
{
    const struct volume_config c = config();
    struct volume_mem *mem = volume_mem_new();
    struct model m = { 0 };
    struct volume *v;

    volume_audit_reset();
    volume_mem_anchor(mem, anchor);
    volume_mem_fault_at(mem, n, fault, sticky);
    err e = volume_open(&c, volume_mem_io(mem), &v);
    if (!e.code) {
        run(v, &m);
        volume_abandon(v);
    }
    bool met = volume_mem_ops(mem) > n;
    volume_mem_restart(mem);
    assert_ok(volume_open(&c, volume_mem_io(mem), &v));
    check(v, &m);
    assert_ok(volume_close(v));

    volume_mem_restart(mem);
    assert_ok(volume_open(&c, volume_mem_io(mem), &v)); /* and what recovery wrote holds, too */
    check(v, &m);
    volume_abandon(v);
    volume_mem_free(mem);
    assert_true(volume_audit_count() > 2); /* and no nonce came twice: that ends the process */
    return met;
}

static void run_all(bool sticky, bool anchor)
{
    for (int fault = 0; fault < VOLUME_MEM_FAULTS; fault++) {
        long n = 0;
        while (run_with(n, (enum volume_mem_fault)fault, sticky, anchor)) {
            n++;
        }
        assert_true(n > 50);
    }
}

static void whatever_operation_fails_once_nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    run_all(false, false);
}

static void whatever_operation_fails_for_good_nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    run_all(true, false);
}

static void the_same_holds_with_an_anchor(void **state)
{
    (void)state;
    run_all(false, true);
    run_all(true, true);
}

static void a_stop_during_recovery_loses_nothing_either(void **state)
{
    const struct volume_config c = config();

    (void)state;
    for (long first = 10; first < 90; first += 7) {
        for (long n = 0; n < 40; n++) {
            struct volume_mem *mem = volume_mem_new();
            struct model m = { 0 };
            struct volume *v;
            volume_audit_reset();
            volume_mem_anchor(mem, true);
            volume_mem_fault_at(mem, first, VOLUME_MEM_STOP_TORN, false);
            if (!volume_open(&c, volume_mem_io(mem), &v).code) {
                run(v, &m);
                volume_abandon(v);
            }
            volume_mem_restart(mem);
            volume_mem_fault_at(mem, n, VOLUME_MEM_STOP_TORN, false);
            if (!volume_open(&c, volume_mem_io(mem), &v).code) {
                (void)volume_close(v).code;
            }
            volume_mem_restart(mem);
            assert_ok(volume_open(&c, volume_mem_io(mem), &v));
            check(v, &m);
            volume_abandon(v);
            volume_mem_free(mem);
        }
    }
}

static void a_full_disk_stops_writing_with_a_clear_error_and_not_reading(void **state)
{
    const struct volume_config c = config();
    struct volume_mem *mem = volume_mem_new();
    struct volume_file *f;
    struct volume *v;
    err e = { ERR_NONE };
    uint8_t part[4000] = { 1 };

    (void)state;
    volume_audit_reset();
    assert_ok(volume_open(&c, volume_mem_io(mem), &v));
    fixture_write(v, "/v/a", VOLUME_INLINE, BYTES_LIT("kept"));
    fixture_write(v, "/v/a.sst", VOLUME_TABLE, BYTES_LIT("kept"));
    volume_mem_fault_at(mem, 0, VOLUME_MEM_FULL, true);
    assert_ok(volume_create(v, "/v/b.sst", VOLUME_TABLE, &f));
    assert_ok(volume_append(f, BYTES_OF(part)));
    assert_err(volume_seal(f), ERR_LIMIT);
    assert_non_null(strstr(err_text(), "disk full"));
    volume_file_free(f);
    assert_ok(volume_create(v, "/v/b.log", VOLUME_INLINE, &f));
    for (int i = 0; i < 100 && !e.code; i++) {
        assert_ok(volume_append(f, BYTES_OF(part)));
        e = volume_sync(f);
    }
    assert_err(e, ERR_LIMIT);
    fixture_expect(v, "/v/a", BYTES_LIT("kept"));
    fixture_expect(v, "/v/a.sst", BYTES_LIT("kept"));
    volume_file_free(f);
    volume_abandon(v);
    volume_mem_free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_operation_fails_once_nothing_acknowledged_is_lost),
        cmocka_unit_test(whatever_operation_fails_for_good_nothing_acknowledged_is_lost),
        cmocka_unit_test(the_same_holds_with_an_anchor),
        cmocka_unit_test(a_stop_during_recovery_loses_nothing_either),
        cmocka_unit_test(a_full_disk_stops_writing_with_a_clear_error_and_not_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
