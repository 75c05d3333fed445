/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/bill.h"

#include <string.h>

#include "lib/base/test.h"

static struct bill bill_good(void)
{
    struct bill b = {
        .utility = "00000000000191",
        .start_s = 1514772000,
        .end_s = 1517450400,
        .parameters = { .class = "industrial",
                        .modality = "green",
                        .subgroup = "A4",
                        .contracted_w = 35000,
                        .interval_s = 900 },
        .act = "REH 1/2018",
        .taxes = { 170000, 80200, 48000, 12000 },
        .line_count = 2,
        .lines = { { LINE_DEMAND, 65140700, 1809000, 154355, 26240, 10275, 117840 },
                   { LINE_TE_PEAK, 40947000, 63351, 2594, 0, 0, 2594 } },
        .withheld_c = 14975,
        .total_c = -5,
        .app = { .version = "0.1.0" },
        .issued_s = 1517500000,
    };

    b.meter.id = 0x0011223344556677;
    b.meter.opening = (struct bill_end){ .sealed = true, .e_act = 1000000 };
    b.meter.closing = (struct bill_end){ .sealed = true, .e_act = CANON_INT_MAX };
    b.meter.gap_count = 1;
    b.meter.gaps[0] = (struct bill_gap){ 1514772900, 1514775600 };
    b.estimate_count = 1;
    b.estimates[0] = (struct bill_estimate){ "EST-1", 17, 12 };
    for (size_t i = 0; i < DET_COUNT; i++) {
        b.determinants[i] = (int64_t)i * 1000;
    }
    return b;
}

static void a_bill_comes_back_from_its_text(void **state)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    AUTO(buf_done) struct buf again = { .max = CANON_BYTES_MAX };
    struct bill b = bill_good();
    struct bill back;

    (void)state;
    assert_ok(bill_write(&b, &text));
    assert_ok(bill_parse(buf_bytes(&text), &back));
    assert_ok(bill_write(&back, &again));
    assert_true(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
    assert_int_equal(back.lines[0].quantity_milli, 65140700);
    assert_int_equal(back.total_c, -5);
    assert_int_equal(back.meter.id, 0x0011223344556677);
    assert_int_equal(back.determinants[DET_REACTIVE_INDUCTIVE], 20000);
    assert_false(back.has_previous);
}

static void a_bill_shows_money_and_quantities_as_people_write_them(void **state)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    struct bill b = bill_good();

    (void)state;
    assert_ok(bill_write(&b, &text));
    assert_ok(buf_u8(&text, 0));
    const char *s = (const char *)text.ptr;
    assert_non_null(strstr(s, "\"gross\":\"1543.55\",\"icms\":\"262.40\",\"id\":\"demand\","
                              "\"net\":\"1178.40\",\"pis_cofins\":\"102.75\","
                              "\"price\":\"18.09000\",\"quantity\":\"65.1407\",\"unit\":\"kW\""));
    assert_non_null(strstr(s, "\"quantity\":\"40.947\",\"unit\":\"kWh\""));
    assert_non_null(strstr(s, "\"id\":\"0011223344556677\""));
    assert_non_null(strstr(s, "\"total\":\"-0.05\""));
    assert_non_null(strstr(s, "\"previous\":null"));
}

static void names_of_determinants_and_lines_are_distinct_and_sorted(void **state)
{
    (void)state;
    for (enum bill_determinant i = 1; i < DET_COUNT; i++) {
        assert_true(strcmp(bill_determinant_name(i - 1), bill_determinant_name(i)) < 0);
    }
    for (enum bill_line_id i = 0; i < LINE_COUNT; i++) {
        for (enum bill_line_id j = 0; j < i; j++) {
            assert_string_not_equal(bill_line_name(i), bill_line_name(j));
        }
    }
}

static void bill_refused(const struct bill *b)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    struct bill back;

    assert_ok(bill_write(b, &text));
    assert_err(bill_parse(buf_bytes(&text), &back), ERR_PROTO);
}

static void a_bill_out_of_range_is_refused(void **state)
{
    struct bill b = bill_good();

    (void)state;
    b.lines[1].id = LINE_DEMAND;
    bill_refused(&b);
    b = bill_good();
    b.end_s = b.start_s;
    bill_refused(&b);
    b = bill_good();
    b.meter.closing.sealed = false;
    bill_refused(&b);
    b = bill_good();
    b.meter.gaps[0].to_s = b.meter.gaps[0].from_s;
    bill_refused(&b);
    b = bill_good();
    b.parameters.interval_s = 59;
    bill_refused(&b);
    b = bill_good();
    b.determinants[DET_HOURS] = -1;
    bill_refused(&b);
    b = bill_good();
    b.total_c = BILL_MONEY_MAX + 1;
    bill_refused(&b);
    b = bill_good();
    b.taxes.icms_ppm = -1;
    bill_refused(&b);
    b = bill_good();
    b.app.version[0] = '\0';
    bill_refused(&b);
}

/* Replaces one piece of the text; what comes out is still canonical in form. */
static void edited_refused(const char *from, const char *to)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    AUTO(buf_done) struct buf edited = { .max = CANON_BYTES_MAX };
    struct bill b = bill_good();
    struct bill back;

    assert_ok(bill_write(&b, &text));
    assert_ok(buf_u8(&text, 0));
    char *at = strstr((char *)text.ptr, from);
    assert_non_null(at);
    size_t before = (size_t)(at - (char *)text.ptr);
    assert_ok(buf_append(&edited, (struct bytes){ text.ptr, before }));
    assert_ok(buf_string(&edited, to));
    assert_ok(buf_string(&edited, at + strlen(from)));
    err e = bill_parse(buf_bytes(&edited), &back);
    if (e.code != ERR_PROTO && e.code != ERR_CORRUPT) {
        fail_msg("%s: %s", to, err_name(e.code));
    }
}

static void unknown_missing_and_foreign_fields_are_refused(void **state)
{
    (void)state;
    edited_refused("\"rounding\":\"half-even/1\"", "\"rounding\":\"half-up/1\"");
    edited_refused("meterseal.bill/1", "meterseal.bill/2");
    edited_refused("\"issued\":1517500000,", "");
    edited_refused("\"issued\":1517500000", "\"issued\":1517500000,\"issued2\":1");
    edited_refused("\"issued\":1517500000", "\"issued\":1517500000.0");
    edited_refused("\"issued\":1517500000", "\"issued\":\"1517500000\"");
    edited_refused("\"issued\":1517500000", "\"issued\": 1517500000");
    edited_refused("\"unit\":\"kW\"", "\"unit\":\"kWh\"");
    edited_refused("\"id\":\"te_peak\"", "\"id\":\"te_peek\"");
    edited_refused("\"id\":\"0011223344556677\"", "\"id\":\"001122334455667\"");
    edited_refused("\"total\":\"-0.05\"", "\"total\":\"-0.050\"");
    edited_refused("\"public_body\":false", "\"public_body\":0");
    edited_refused("\"previous\":null", "\"previous\":\"00\"");
    edited_refused("\"quantity\":\"65.1407\"", "\"quantity\":\"65.14070\"");
}

static void a_bill_cut_at_any_octet_is_refused(void **state)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    struct bill b = bill_good();
    struct bill back = { .issued_s = 4711 };

    (void)state;
    assert_ok(bill_write(&b, &text));
    for (size_t n = 0; n < text.len; n++) {
        assert_err(bill_parse((struct bytes){ text.ptr, n }, &back), ERR_PROTO);
    }
    assert_int_equal(back.issued_s, 4711);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bill_comes_back_from_its_text),
        cmocka_unit_test(a_bill_shows_money_and_quantities_as_people_write_them),
        cmocka_unit_test(names_of_determinants_and_lines_are_distinct_and_sorted),
        cmocka_unit_test(a_bill_out_of_range_is_refused),
        cmocka_unit_test(unknown_missing_and_foreign_fields_are_refused),
        cmocka_unit_test(a_bill_cut_at_any_octet_is_refused),
    };
    return cmocka_run_group_tests_name("bill", tests, NULL, NULL);
}
