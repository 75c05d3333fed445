/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/cert.h"

#include <string.h>

#include "lib/base/test.h"

#define YEAR_2025_S INT64_C(1735689600)
#define YEAR_2026_S INT64_C(1767225600)
#define YEAR_2060_S INT64_C(2840140800) /* past 2050 the notation of times changes */
#define METER_ID "00000000000003e9"

static struct private_key *ca_key;
static struct private_key *meter_key;
static struct public_key *ca_public;
static struct public_key *meter_public;
static struct buf ca_pem = { .max = CERT_PEM_BYTES_MAX };
static struct cert *ca;

static struct cert_request request_of(enum cert_use use, const char *name)
{
    return (struct cert_request){ use, name, YEAR_2025_S, YEAR_2026_S };
}

static err issue_below_ca(enum cert_use use, const char *name, struct buf *pem)
{
    struct cert_request r = request_of(use, name);

    return cert_issue(&r, meter_public, ca_key, buf_bytes(&ca_pem), pem);
}

static err make_ca(void)
{
    struct cert_request r = { CERT_CA, "Meterseal test CA", YEAR_2025_S, YEAR_2060_S };

    TRY(private_key_new(SIGN_RSA2048, &ca_key));
    TRY(private_key_new(SIGN_P256, &meter_key));
    TRY(public_key_of(ca_key, &ca_public));
    TRY(public_key_of(meter_key, &meter_public));
    TRY(cert_issue(&r, ca_public, ca_key, (struct bytes){ 0 }, &ca_pem));
    return cert_from_pem(buf_bytes(&ca_pem), &ca);
}

static int start(void **state)
{
    (void)state;
    return make_ca().code ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    private_key_free(ca_key);
    private_key_free(meter_key);
    public_key_free(ca_public);
    public_key_free(meter_public);
    buf_done(&ca_pem);
    cert_free(ca);
    return 0;
}

/* A certificate below the CA, parsed. */
static struct cert *made(enum cert_use use, const char *name)
{
    AUTO(buf_done) struct buf pem = { .max = CERT_PEM_BYTES_MAX };
    struct cert *c = NULL;

    assert_ok(issue_below_ca(use, name, &pem));
    assert_ok(cert_from_pem(buf_bytes(&pem), &c));
    return c;
}

static void a_meter_certificate_says_who_which_key_and_when(void **state)
{
    AUTO(cert_freep) struct cert *c = made(CERT_METER, METER_ID);
    AUTO(public_key_freep) struct public_key *k = NULL;
    char name[17];
    int64_t from;
    int64_t to;

    (void)state;
    assert_ok(cert_common_name(c, name, sizeof name));
    assert_string_equal(name, METER_ID);
    assert_ok(cert_public_key(c, &k));
    assert_true(public_key_id(k) == public_key_id(meter_public));
    cert_validity(c, &from, &to);
    assert_true(from == YEAR_2025_S && to == YEAR_2026_S);
}

static void times_past_2050_are_kept(void **state)
{
    int64_t from;
    int64_t to;

    (void)state;
    cert_validity(ca, &from, &to);
    assert_true(from == YEAR_2025_S && to == YEAR_2060_S);
}

static void a_certificate_is_good_from_its_first_to_its_last_second(void **state)
{
    AUTO(cert_freep) struct cert *c = made(CERT_METER, METER_ID);

    (void)state;
    assert_ok(cert_check(c, ca, YEAR_2025_S));
    assert_ok(cert_check(c, ca, YEAR_2026_S));
    assert_err(cert_check(c, ca, YEAR_2025_S - 1), ERR_AUTH);
    assert_err(cert_check(c, ca, YEAR_2026_S + 1), ERR_AUTH);
    assert_non_null(strstr(err_text(), "2025-01-01T00:00:00Z"));
}

static void a_root_is_its_own_issuer(void **state)
{
    (void)state;
    assert_ok(cert_check(ca, ca, YEAR_2025_S));
}

static void a_service_certificate_is_issued_and_checked(void **state)
{
    AUTO(cert_freep) struct cert *c = made(CERT_SERVICE, "kvs");

    (void)state;
    assert_ok(cert_check(c, ca, YEAR_2025_S));
}

static void another_ca_of_the_same_name_has_not_signed(void **state)
{
    AUTO(private_key_freep) struct private_key *k = NULL;
    AUTO(public_key_freep) struct public_key *p = NULL;
    AUTO(buf_done) struct buf pem = { .max = CERT_PEM_BYTES_MAX };
    AUTO(cert_freep) struct cert *other = NULL;
    AUTO(cert_freep) struct cert *c = made(CERT_METER, METER_ID);
    struct cert_request r = request_of(CERT_CA, "Meterseal test CA");

    (void)state;
    assert_ok(private_key_new(SIGN_P256, &k));
    assert_ok(public_key_of(k, &p));
    assert_ok(cert_issue(&r, p, k, (struct bytes){ 0 }, &pem));
    assert_ok(cert_from_pem(buf_bytes(&pem), &other));
    assert_err(cert_check(c, other, YEAR_2025_S), ERR_AUTH);
}

static void who_is_no_ca_issues_nothing(void **state)
{
    AUTO(buf_done) struct buf pem = { .max = CERT_PEM_BYTES_MAX };
    AUTO(buf_done) struct buf below = { .max = CERT_PEM_BYTES_MAX };
    AUTO(cert_freep) struct cert *meter = NULL;
    AUTO(cert_freep) struct cert *c = made(CERT_METER, METER_ID);
    struct cert_request r = request_of(CERT_METER, METER_ID);

    (void)state;
    assert_ok(issue_below_ca(CERT_METER, METER_ID, &pem));
    assert_err(cert_issue(&r, meter_public, meter_key, buf_bytes(&pem), &below), ERR_AUTH);
    assert_int_equal(below.len, 0);
    assert_ok(cert_from_pem(buf_bytes(&pem), &meter));
    assert_err(cert_check(c, meter, YEAR_2025_S), ERR_AUTH);
}

static void a_ca_below_the_root_is_refused(void **state)
{
    AUTO(cert_freep) struct cert *c = made(CERT_CA, "between");

    (void)state;
    assert_err(cert_check(c, ca, YEAR_2025_S), ERR_AUTH);
}

static void the_key_of_another_issues_nothing(void **state)
{
    AUTO(buf_done) struct buf pem = { .max = CERT_PEM_BYTES_MAX };
    struct cert_request r = request_of(CERT_METER, METER_ID);
    struct cert_request root = request_of(CERT_CA, "root");

    (void)state;
    assert_err(cert_issue(&r, meter_public, meter_key, buf_bytes(&ca_pem), &pem), ERR_AUTH);
    assert_err(cert_issue(&root, meter_public, ca_key, (struct bytes){ 0 }, &pem), ERR_AUTH);
}

static void names_that_cannot_be_are_refused(void **state)
{
    static const char *const bad_meters[] = { "", "1001", "00000000000003E9", "00000000000003g9",
                                              "00000000000003e90" };
    static const char *const bad_roles[] = { "", "a,DNS:bank.example", "KVS", "a b", "a\n" };
    AUTO(buf_done) struct buf pem = { .max = CERT_PEM_BYTES_MAX };

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        assert_err(issue_below_ca(CERT_METER, bad_meters[i], &pem), i == 0 ? ERR_LIMIT : ERR_PROTO);
        assert_err(issue_below_ca(CERT_SERVICE, bad_roles[i], &pem),
                   i == 0 ? ERR_LIMIT : ERR_PROTO);
    }
    assert_int_equal(pem.len, 0);
}

static void a_name_of_64_octets_fits_and_65_do_not(void **state)
{
    AUTO(buf_done) struct buf pem = { .max = CERT_PEM_BYTES_MAX };
    char name[CERT_NAME_BYTES_MAX + 2];
    char back[CERT_NAME_BYTES_MAX + 1];

    (void)state;
    memset(name, 'a', sizeof name);
    name[CERT_NAME_BYTES_MAX + 1] = '\0';
    assert_err(issue_below_ca(CERT_SERVICE, name, &pem), ERR_LIMIT);
    name[CERT_NAME_BYTES_MAX] = '\0';
    AUTO(cert_freep) struct cert *c = made(CERT_SERVICE, name);
    assert_ok(cert_common_name(c, back, sizeof back));
    assert_string_equal(back, name);
    assert_err(cert_common_name(c, back, sizeof back - 1), ERR_LIMIT);
}

static void times_in_the_wrong_order_are_refused(void **state)
{
    const int64_t bad[][2] = { { YEAR_2026_S, YEAR_2025_S },
                               { YEAR_2025_S, YEAR_2025_S },
                               { -1, YEAR_2025_S },
                               { YEAR_2025_S, INT64_C(253402300800) } };
    AUTO(buf_done) struct buf pem = { .max = CERT_PEM_BYTES_MAX };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct cert_request r = { CERT_SERVICE, "kvs", bad[i][0], bad[i][1] };
        assert_err(cert_issue(&r, meter_public, ca_key, buf_bytes(&ca_pem), &pem), ERR_PROTO);
    }
}

static void the_hash_tells_certificates_apart(void **state)
{
    AUTO(cert_freep) struct cert *a = made(CERT_METER, METER_ID);
    AUTO(cert_freep) struct cert *b = made(CERT_METER, METER_ID); /* another serial number */
    struct digest ha = cert_hash(a);
    struct digest hb = cert_hash(b);

    (void)state;
    assert_false(digest_is_zero(&ha));
    assert_false(digest_equal(&ha, &hb));
}

static void a_cut_or_doubled_file_is_refused(void **state)
{
    AUTO(buf_done) struct buf two = { .max = 2 * CERT_PEM_BYTES_MAX };
    struct cert *c = NULL;

    (void)state;
    for (size_t n = 0; n < ca_pem.len - 1; n += 5) {
        assert_err(cert_from_pem((struct bytes){ ca_pem.ptr, n }, &c), ERR_PROTO);
    }
    assert_ok(buf_append(&two, buf_bytes(&ca_pem)));
    assert_ok(buf_append(&two, buf_bytes(&ca_pem)));
    assert_err(cert_from_pem(buf_bytes(&two), &c), ERR_PROTO);
    assert_err(cert_from_pem((struct bytes){ ca_pem.ptr, CERT_PEM_BYTES_MAX + 1 }, &c), ERR_LIMIT);
    assert_null(c);
}

static void a_changed_certificate_is_refused(void **state)
{
    AUTO(buf_done) struct buf pem = { .max = CERT_PEM_BYTES_MAX };
    size_t refused = 0;
    size_t tried = 0;

    (void)state;
    assert_ok(issue_below_ca(CERT_METER, METER_ID, &pem));
    for (size_t i = 28; i < pem.len - 27; i += 3) {
        AUTO(cert_freep) struct cert *c = NULL;
        uint8_t kept = pem.ptr[i];
        if (kept == '\n' || kept == '=') {
            continue;
        }
        pem.ptr[i] = kept == 'A' ? 'B' : 'A';
        err e = cert_from_pem(buf_bytes(&pem), &c);
        tried++;
        refused += e.code || cert_check(c, ca, YEAR_2025_S).code;
        pem.ptr[i] = kept;
    }
    assert_true(tried > 100);
    assert_int_equal(refused, tried);
}

static void other_pem_blocks_are_refused(void **state)
{
    AUTO(buf_done) struct buf pem = { .max = 8192 };
    struct cert *c = NULL;

    (void)state;
    assert_ok(private_key_to_pem(meter_key, &pem));
    assert_err(cert_from_pem(buf_bytes(&pem), &c), ERR_PROTO);
    assert_non_null(strstr(err_text(), "BEGIN CERTIFICATE"));
    assert_null(c);
}

static void full_memory_is_an_error(void **state)
{
    struct cert *c = NULL;

    (void)state;
    mem_fail_after(0);
    assert_err(cert_from_pem(buf_bytes(&ca_pem), &c), ERR_LIMIT);
    mem_fail_after(-1);
    assert_null(c);
    cert_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_certificate_says_who_which_key_and_when),
        cmocka_unit_test(times_past_2050_are_kept),
        cmocka_unit_test(a_certificate_is_good_from_its_first_to_its_last_second),
        cmocka_unit_test(a_root_is_its_own_issuer),
        cmocka_unit_test(a_service_certificate_is_issued_and_checked),
        cmocka_unit_test(another_ca_of_the_same_name_has_not_signed),
        cmocka_unit_test(who_is_no_ca_issues_nothing),
        cmocka_unit_test(a_ca_below_the_root_is_refused),
        cmocka_unit_test(the_key_of_another_issues_nothing),
        cmocka_unit_test(names_that_cannot_be_are_refused),
        cmocka_unit_test(a_name_of_64_octets_fits_and_65_do_not),
        cmocka_unit_test(times_in_the_wrong_order_are_refused),
        cmocka_unit_test(the_hash_tells_certificates_apart),
        cmocka_unit_test(a_cut_or_doubled_file_is_refused),
        cmocka_unit_test(a_changed_certificate_is_refused),
        cmocka_unit_test(other_pem_blocks_are_refused),
        cmocka_unit_test(full_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
