/* SPDX-License-Identifier: Apache-2.0 */
/* What feeds a fleet, the keys of its meters, and what is kept between runs. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/meter/keyring.h"
#include "edge/meter/past.h"
#include "edge/meter/simulate.h"
#include "lib/base/clock.h"
#include "lib/base/test_dir.h"

#define DAY1 1763348400 /* 2025-11-17 03:00 UTC */

static struct customer customer_at(uint64_t meter, enum theft attack, uint32_t from_day)
{
    return (struct customer){
        .site = profile_site(1, meter, PROFILE_MIXED),
        .theft = { meter, attack, from_day },
        .first_day_s = DAY1,
        .end_s = DAY1 + 4 * 86400,
        .zone_offset_s = METER_ZONE_OFFSET_S,
        .next_end_s = DAY1 + 900,
    };
}

static void a_customer_gives_each_interval_once_and_ends(void **state)
{
    struct customer c = customer_at(5, THEFT_NONE, 0);
    struct drive_feed f;

    (void)state;
    for (uint32_t i = 1; i <= 4 * 96; i++) {
        assert_int_equal(customer_next(&c, DAY1 + 900 * i - 1, &f), DRIVE_NOT_YET);
        assert_int_equal(customer_next(&c, DAY1 + 900 * i, &f), DRIVE_TAKEN);
        assert_int_equal(f.end_s, DAY1 + 900 * i);
    }
    assert_int_equal(customer_next(&c, UINT32_MAX, &f), DRIVE_ENDED);
}

static void a_customer_that_starts_later_gives_the_same_intervals(void **state)
{
    struct customer a = customer_at(5, THEFT_FDI3, 2);
    struct customer b = customer_at(5, THEFT_FDI3, 2);
    struct drive_feed f;
    struct drive_feed g;

    (void)state;
    b.next_end_s += 250 * 900;
    for (int i = 0; i <= 250; i++) {
        assert_int_equal(customer_next(&a, UINT32_MAX, &f), DRIVE_TAKEN);
    }
    assert_int_equal(customer_next(&b, UINT32_MAX, &g), DRIVE_TAKEN);
    assert_memory_equal(&f.sample, &g.sample, sizeof f.sample);
}

static void a_thief_is_honest_before_the_day_of_the_theft(void **state)
{
    struct customer honest = customer_at(5, THEFT_NONE, 0);
    struct customer thief = customer_at(5, THEFT_PHASE, 3);
    struct drive_feed f;
    struct drive_feed g;

    (void)state;
    for (int i = 0; i < 4 * 96; i++) {
        assert_int_equal(customer_next(&honest, UINT32_MAX, &f), DRIVE_TAKEN);
        assert_int_equal(customer_next(&thief, UINT32_MAX, &g), DRIVE_TAKEN);
        if (i < 2 * 96) {
            assert_int_equal(f.sample.wh, g.sample.wh);
        } else {
            assert_true(g.sample.wh < f.sample.wh);
        }
    }
}

static void thieves_are_as_many_as_asked_for_and_always_the_same(void **state)
{
    struct thief a[20];
    struct thief b[20];

    (void)state;
    fleet_choose_thieves(1, FLEET_FIRST_SERIAL, 100, 11, a, 20);
    fleet_choose_thieves(1, FLEET_FIRST_SERIAL, 100, 11, b, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(a[i].meter, b[i].meter);
        assert_int_equal(a[i].attack, THEFT_FDI1 + i % 9);
        assert_int_equal(a[i].from_day, 11);
        assert_true(i == 0 || a[i].meter > a[i - 1].meter);
        assert_in_range(a[i].meter, 0x10000001, 0x10000100);
    }
    fleet_choose_thieves(1, FLEET_FIRST_SERIAL, 20, 1, b, 20);
    assert_int_equal(b[19].meter, 0x10000020);
}

static void a_list_of_thieves_is_read_or_refused_by_entry(void **state)
{
    struct thief t[2];
    size_t n = 0;

    (void)state;
    assert_ok(fleet_parse_thieves("10000003:FDI1:11,10000010:PEAK", t, 2, &n));
    assert_int_equal(n, 2);
    assert_int_equal(t[0].meter, 0x10000003);
    assert_int_equal(t[0].from_day, 11);
    assert_int_equal(t[1].meter, 0x10000010);
    assert_int_equal(t[1].attack, THEFT_PEAK);
    assert_int_equal(t[1].from_day, 1);
    assert_err(fleet_parse_thieves("1:FDI1,2:XX:3", t, 2, &n), ERR_PROTO);
    assert_non_null(strstr(err_text(), "entry 2"));
    assert_err(fleet_parse_thieves("x:FDI1", t, 2, &n), ERR_PROTO);
    assert_err(fleet_parse_thieves("1:FDI1:day", t, 2, &n), ERR_PROTO);
    assert_err(fleet_parse_thieves("1:FDI1,2:FDI1,3:FDI1", t, 2, &n), ERR_LIMIT);
}

static void serial_numbers_and_ids_go_both_ways(void **state)
{
    (void)state;
    assert_int_equal(meter_id_of_serial(12345678), 0x12345678);
    assert_int_equal(meter_id_of_serial(10000001), 0x10000001);
    assert_int_equal(meter_serial_of_id(0x99999999), 99999999);
    assert_int_equal(meter_serial_of_id(meter_id_of_serial(7)), 7);
}

/* --- files --- */

struct fixture {
    struct place place; /* first, so that tests see it alone */
    struct test_dir dir;
};

static int make_place(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    test_dir_begin(&f->dir);
    snprintf(f->place.dir, sizeof f->place.dir, "%s", f->dir.path);
    assert_ok(file_make_dirs(place_path(&f->place, "meters").text, 0700));
    assert_ok(file_make_dirs(place_path(&f->place, "pki").text, 0700));
    *state = f;
    return 0;
}

static int remove_place(void **state)
{
    struct fixture *f = *state;

    test_dir_end(&f->dir);
    free(f);
    return 0;
}

static void where_meters_stand_is_kept_between_runs(void **state)
{
    const struct place *p = *state;
    AUTO(past_done) struct past_table t = { 0 };
    AUTO(past_done) struct past_table back = { 0 };

    assert_ok(past_load(p, &t));
    assert_int_equal(t.count, 0);
    for (uint64_t id = 200; id > 0; id--) {
        const struct past_entry e = { .meter = id * 7, .seed = UINT64_MAX,
                                      .past = { .sequence = (uint32_t)id, .end_s = DAY1,
                                                .registers = { id * 1000, id, 0 },
                                                .previous = sha256(BYTES_LIT("x")) } };
        assert_ok(past_set(&t, &e));
    }
    assert_ok(past_save(p, &t));
    assert_ok(past_load(p, &back));
    assert_int_equal(back.count, 200);
    const struct past_entry *e = past_find(&back, 70);
    assert_non_null(e);
    assert_int_equal(e->past.sequence, 10);
    assert_int_equal(e->past.registers.e_act, 10000);
    assert_true(e->seed == UINT64_MAX);
    struct digest x = sha256(BYTES_LIT("x"));
    assert_memory_equal(&e->past.previous, &x, sizeof x);
    assert_null(past_find(&back, 71));
}

static void a_broken_line_of_the_past_is_named(void **state)
{
    static const char *const bad[] = { "x\n", "0000000000000001 1 2 3 4 5 6\n",
                                       "0000000000000001 1 4294967296 3 4 5 6 00\n",
                                       "0000000000000001 1 2 3 4 5 -6 00\n" };
    const struct place *p = *state;
    struct past_table t = { 0 };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_ok(file_write(place_path(p, "meters/past").text, bytes_of_string(bad[i]), 0600));
        err e = past_load(p, &t);
        assert_true(e.code == ERR_PROTO || e.code == ERR_LIMIT);
        assert_non_null(strstr(err_text(), "line 1"));
        assert_int_equal(t.count, 0);
    }
}

static void make_institute(const struct place *p, struct private_key **out_key)
{
    AUTO(public_key_freep) struct public_key *pub = NULL;
    AUTO(buf_done) struct buf pem = { .max = 8192 };
    AUTO(buf_done) struct buf crt = { .max = 8192 };
    const struct cert_request request = { .use = CERT_CA, .common_name = "institute",
                                          .not_before_s = 1262304000,
                                          .not_after_s = INT64_C(4102444800) };

    assert_ok(private_key_new(SIGN_P256, out_key));
    assert_ok(public_key_of(*out_key, &pub));
    assert_ok(private_key_to_pem(*out_key, &pem));
    assert_ok(cert_issue(&request, pub, *out_key, (struct bytes){ 0 }, &crt));
    assert_ok(file_write(place_path(p, "pki/institute.key").text, buf_bytes(&pem), 0600));
    assert_ok(file_write(place_path(p, "pki/institute.crt").text, buf_bytes(&crt), 0644));
}

static void keys_are_made_once_and_certified_by_the_institute(void **state)
{
    const struct place *p = *state;
    AUTO(private_key_freep) struct private_key *ca = NULL;
    AUTO(institute_done) struct institute by = { 0 };
    AUTO(keyring_done) struct keyring k = { 0 };
    AUTO(keyring_done) struct keyring again = { 0 };
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(cert_freep) struct cert *issuer = NULL;
    struct stat st;
    bool made = false;
    char name[64];

    make_institute(p, &ca);
    assert_ok(institute_load(p, &by));
    assert_err(keyring_load(p, 0x10000001, &k), ERR_MISSING);
    assert_ok(keyring_make(p, &by, 0x10000001, &made));
    assert_true(made);
    assert_int_equal(stat(place_path(p, "meters/0000000010000001.pem").text, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_ok(keyring_load(p, 0x10000001, &k));
    assert_ok(keyring_make(p, &by, 0x10000001, &made));
    assert_false(made);
    assert_ok(keyring_load(p, 0x10000001, &again));
    assert_memory_equal(&k.pseudonym, &again.pseudonym, sizeof k.pseudonym);
    assert_ok(cert_from_pem(buf_bytes(&k.certificate), &cert));
    assert_ok(cert_from_pem(buf_bytes(&by.certificate), &issuer));
    assert_ok(cert_common_name(cert, name, sizeof name));
    assert_string_equal(name, "0000000010000001");
    assert_ok(cert_check(cert, issuer, 1514764800)); /* seals of 2018 */
}

static void a_file_of_keys_that_is_cut_is_named(void **state)
{
    const struct place *p = *state;
    struct keyring k = { 0 };

    assert_ok(file_write(place_path(p, "meters/0000000010000001.pem").text,
                         BYTES_LIT("-----BEGIN PRIVATE KEY-----\n"), 0600));
    assert_err(keyring_load(p, 0x10000001, &k), ERR_PROTO);
    assert_non_null(strstr(err_text(), "0000000010000001.pem"));
    assert_err(collector_key_load(p, &(struct public_key *){ NULL }), ERR_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_customer_gives_each_interval_once_and_ends),
        cmocka_unit_test(a_customer_that_starts_later_gives_the_same_intervals),
        cmocka_unit_test(a_thief_is_honest_before_the_day_of_the_theft),
        cmocka_unit_test(thieves_are_as_many_as_asked_for_and_always_the_same),
        cmocka_unit_test(a_list_of_thieves_is_read_or_refused_by_entry),
        cmocka_unit_test(serial_numbers_and_ids_go_both_ways),
        cmocka_unit_test_setup_teardown(where_meters_stand_is_kept_between_runs, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(a_broken_line_of_the_past_is_named, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(keys_are_made_once_and_certified_by_the_institute,
                                        make_place, remove_place),
        cmocka_unit_test_setup_teardown(a_file_of_keys_that_is_cut_is_named, make_place,
                                        remove_place),
    };
    return cmocka_run_group_tests_name("meter fleet", tests, NULL, NULL);
}
