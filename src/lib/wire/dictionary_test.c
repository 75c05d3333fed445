/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/dictionary.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"

#define GAP_TEXT                                                                                   \
    "{\"columns\":[{\"default\":null,\"dropped\":false,\"id\":1,\"name\":\"meter_id\","            \
    "\"not_null\":true,\"type\":\"int8\",\"typmod\":-1},{\"default\":null,\"dropped\":false,"      \
    "\"id\":2,\"name\":\"kwh\",\"not_null\":false,\"type\":\"numeric\",\"typmod\":786439},"        \
    "{\"default\":null,\"dropped\":false,\"id\":3,\"name\":\"first\",\"not_null\":true,"           \
    "\"type\":\"int8\",\"typmod\":-1}],\"dropped\":false,\"id\":52,\"indexes\":[],"                \
    "\"key_format\":\"tuple\",\"name\":\"gap\",\"owner\":\"collector\",\"pack\":null,"             \
    "\"primary_key\":[{\"column\":1,\"desc\":false},{\"column\":3,\"desc\":false}],"               \
    "\"schema\":\"public\",\"versions\":[{\"slots\":[2],\"version\":1}]}"

static struct table_def *gap_table(void)
{
    struct table_def *t;

    assert_ok(table_def_new(3, &t));
    t->id = 52;
    snprintf(t->name, sizeof t->name, "%s", "gap");
    snprintf(t->owner, sizeof t->owner, "%s", "collector");
    snprintf(t->columns[0].name, sizeof t->columns[0].name, "%s", "meter_id");
    snprintf(t->columns[1].name, sizeof t->columns[1].name, "%s", "kwh");
    snprintf(t->columns[2].name, sizeof t->columns[2].name, "%s", "first");
    t->columns[0].type = COLUMN_INT8;
    t->columns[1].type = COLUMN_NUMERIC;
    t->columns[1].typmod = 786439;
    t->columns[2].type = COLUMN_INT8;
    t->columns[0].not_null = t->columns[2].not_null = true;
    t->key[0] = 0;
    t->key[1] = 2;
    t->key_count = 2;
    table_def_lay_out(t);
    return t;
}

static void a_descriptor_is_sorted_json_without_blanks(void **state)
{
    AUTO(table_def_freep) struct table_def *t = gap_table();
    AUTO(buf_done) struct buf b = { .max = TABLE_TEXT_BYTES_MAX };

    (void)state;
    assert_ok(table_def_encode(t, &b));
    assert_ok(buf_u8(&b, 0));
    assert_string_equal((const char *)b.ptr, GAP_TEXT);
}

static void a_descriptor_reads_back(void **state)
{
    AUTO(table_def_freep) struct table_def *t = NULL;

    (void)state;
    assert_ok(table_def_decode(BYTES_LIT(GAP_TEXT), &t));
    assert_int_equal(t->id, 52);
    assert_string_equal(t->name, "gap");
    assert_string_equal(t->owner, "collector");
    assert_int_equal(t->column_count, 3);
    assert_int_equal(t->key_count, 2);
    assert_int_equal(t->key[1], 2);
    assert_int_equal(t->columns[2].key_index, 1);
    assert_int_equal(t->columns[1].key_index, -1);
    assert_int_equal(t->columns[1].slot, 0);
    assert_int_equal(numeric_precision(t->columns[1].typmod), 12);
    assert_int_equal(numeric_scale(t->columns[1].typmod), 3);
    assert_int_equal(table_slots(t), 1);
    assert_int_equal(table_column_find(t, BYTES_LIT("kwh")), 1);
    assert_int_equal(table_column_find(t, BYTES_LIT("kw")), -1);
    assert_int_equal(table_column_find(t, BYTES_LIT("kwhs")), -1);
    assert_int_equal(table_column_find(t, BYTES_LIT("")), -1);
}

/* The text with the first `from` in it replaced by `to`. */
static void assert_replaced_is_refused(const char *from, const char *to)
{
    char text[2048];
    const char *at = strstr(GAP_TEXT, from);
    struct table_def *t = NULL;

    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - GAP_TEXT), GAP_TEXT, to, at + strlen(from));
    err e = table_def_decode(bytes_of_string(text), &t);
    if (e.code != ERR_CORRUPT || t != NULL) {
        fail_msg("%s -> %s: %s", from, to, err_name(e.code));
    }
}

static void any_other_descriptor_is_refused(void **state)
{
    (void)state;
    assert_replaced_is_refused("{\"columns\"", "{ \"columns\"");
    assert_replaced_is_refused("\"id\":52", "\"id\":0");
    assert_replaced_is_refused("\"id\":52", "\"id\":4294967296");
    assert_replaced_is_refused("\"id\":52", "\"id\":\"52\"");
    assert_replaced_is_refused("\"id\":2", "\"id\":1");
    assert_replaced_is_refused("\"id\":2", "\"id\":4");
    assert_replaced_is_refused("\"type\":\"numeric\"", "\"type\":\"int8\"");
    assert_replaced_is_refused("\"type\":\"numeric\"", "\"type\":\"money\"");
    assert_replaced_is_refused("786439", "1310724"); /* 19 digits and more */
    assert_replaced_is_refused("786439", "-1");
    assert_replaced_is_refused("\"indexes\":[]", "\"indexes\":[16]");
    assert_replaced_is_refused("\"key_format\":\"tuple\"", "\"key_format\":\"text\"");
    assert_replaced_is_refused("\"pack\":null", "\"pack\":\"1 day\"");
    assert_replaced_is_refused("\"column\":3", "\"column\":1");
    assert_replaced_is_refused("\"column\":3", "\"column\":9");
    assert_replaced_is_refused("\"desc\":false", "\"desc\":true");
    assert_replaced_is_refused("\"slots\":[2]", "\"slots\":[]");
    assert_replaced_is_refused("\"slots\":[2]", "\"slots\":[2,2]");
    assert_replaced_is_refused("\"version\":1", "\"version\":2");
    assert_replaced_is_refused("\"default\":null", "\"default\":0");
    assert_replaced_is_refused("\"columns\"", "\"column\"");
    assert_replaced_is_refused("\"name\":\"gap\",", "");
    assert_replaced_is_refused("}]}", "}]}}");
}

static void an_older_schema_version_has_fewer_slots(void **state)
{
    AUTO(table_def_freep) struct table_def *t = NULL;
    AUTO(table_def_freep) struct table_def *again = NULL;
    AUTO(buf_done) struct buf b = { .max = TABLE_TEXT_BYTES_MAX };

    (void)state;
    assert_ok(table_def_new(4, &t));
    t->id = 7;
    for (uint16_t i = 0; i < 4; i++) {
        snprintf(t->columns[i].name, sizeof t->columns[i].name, "c%u", i);
        t->columns[i].type = COLUMN_TEXT;
    }
    t->key_count = 1;
    table_def_lay_out(t);
    t->version_slots[0] = 1;
    t->version_slots[1] = 3;
    t->version = 2;
    assert_ok(table_def_encode(t, &b));
    assert_ok(table_def_decode(buf_bytes(&b), &again));
    assert_int_equal(again->version, 2);
    assert_int_equal(again->version_slots[0], 1);
    assert_int_equal(table_slots(again), 3);
}

static void keys_are_those_of_the_reference(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 64 };

    (void)state;
    assert_ok(dictionary_version_key(&b));
    assert_hex(buf_bytes(&b), "14");
    buf_clear(&b);
    assert_ok(dictionary_table_key(52, &b));
    assert_hex(buf_bytes(&b), "1415011534");
    buf_clear(&b);
    assert_ok(dictionary_tables_prefix(&b));
    assert_hex(buf_bytes(&b), "141501");
    buf_clear(&b);
    assert_ok(table_rows_prefix(300, &b));
    assert_hex(buf_bytes(&b), "16012c1501");
}

static void a_version_has_eight_octets(void **state)
{
    uint8_t octets[DICTIONARY_VERSION_BYTES];
    uint64_t v = 0;

    (void)state;
    dictionary_version_encode(258, octets);
    assert_hex(BYTES_OF(octets), "0201000000000000");
    assert_ok(dictionary_version_parse(BYTES_OF(octets), &v));
    assert_int_equal(v, 258);
    assert_err(dictionary_version_parse((struct bytes){ octets, 7 }, &v), ERR_CORRUPT);
}

static void no_table_has_more_columns_than_the_bound(void **state)
{
    struct table_def *t = NULL;

    (void)state;
    assert_err(table_def_new(TABLE_COLUMNS_MAX + 1, &t), ERR_LIMIT);
    assert_null(t);
}

static void a_failed_allocation_is_an_error_not_a_crash(void **state)
{
    (void)state;
    EACH_FAILURE(i) {
        struct table_def *t = NULL;
        err e = table_def_new(3, &t);
        if (!e.code) {
            table_def_free(t);
            assert_true(i > 0);
            break;
        }
        assert_err(e, ERR_LIMIT);
        assert_null(t);
    }
    mem_fail_after(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_is_sorted_json_without_blanks),
        cmocka_unit_test(a_descriptor_reads_back),
        cmocka_unit_test(any_other_descriptor_is_refused),
        cmocka_unit_test(an_older_schema_version_has_fewer_slots),
        cmocka_unit_test(keys_are_those_of_the_reference),
        cmocka_unit_test(a_version_has_eight_octets),
        cmocka_unit_test(no_table_has_more_columns_than_the_bound),
        cmocka_unit_test(a_failed_allocation_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests_name("dictionary", tests, NULL, NULL);
}
