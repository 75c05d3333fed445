/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/sign.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/test.h"

static struct private_key *own[4];  /* one of each algorithm, by its number */
static struct public_key *known[4]; /* their public keys */

static const enum sign_alg algs[] = { SIGN_RSA2048, SIGN_P256, SIGN_RSA3072 };
#define EACH_ALG(a) for (size_t a##_i = 0, a = algs[0]; a##_i < 3; a##_i++, a = algs[a##_i % 3])

static int make_keys(void **state)
{
    (void)state;
    EACH_ALG(a)
    {
        if (private_key_new((enum sign_alg)a, &own[a]).code ||
            public_key_of(own[a], &known[a]).code) {
            return -1;
        }
    }
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    EACH_ALG(a)
    {
        private_key_free(own[a]);
        public_key_free(known[a]);
    }
    return 0;
}

static struct bytes view(const struct signature *s)
{
    return (struct bytes){ s->octets, s->size };
}

static void a_signature_verifies_and_has_its_fixed_size(void **state)
{
    (void)state;
    EACH_ALG(a)
    {
        for (int i = 0; i < 40; i++) { /* of r and s about every 128th has a leading zero octet */
            struct signature s;
            assert_ok(sign(own[a], BYTES_LIT("text"), &s));
            assert_int_equal(s.size, signature_bytes((enum sign_alg)a));
            assert_ok(verify(known[a], BYTES_LIT("text"), view(&s)));
            if (a != SIGN_P256 && i > 2) {
                break;
            }
        }
    }
}

static void sizes_are_256_64_384_and_nothing_for_others(void **state)
{
    (void)state;
    assert_int_equal(signature_bytes(SIGN_RSA2048), 256);
    assert_int_equal(signature_bytes(SIGN_P256), 64);
    assert_int_equal(signature_bytes(SIGN_RSA3072), 384);
    assert_int_equal(signature_bytes((enum sign_alg)0), 0);
    assert_int_equal(signature_bytes((enum sign_alg)4), 0);
}

static void a_changed_signature_is_refused(void **state)
{
    (void)state;
    EACH_ALG(a)
    {
        struct signature s;
        assert_ok(sign(own[a], BYTES_LIT("text"), &s));
        for (size_t i = 0; i < s.size; i += 7) {
            s.octets[i] ^= 0x10;
            assert_err(verify(known[a], BYTES_LIT("text"), view(&s)), ERR_AUTH);
            s.octets[i] ^= 0x10;
        }
        assert_ok(verify(known[a], BYTES_LIT("text"), view(&s)));
    }
}

static void another_text_or_an_empty_one_is_refused(void **state)
{
    (void)state;
    EACH_ALG(a)
    {
        struct signature s;
        assert_ok(sign(own[a], BYTES_LIT("text"), &s));
        assert_err(verify(known[a], BYTES_LIT("Text"), view(&s)), ERR_AUTH);
        assert_err(verify(known[a], (struct bytes){ 0 }, view(&s)), ERR_AUTH);
    }
}

static void another_size_is_refused(void **state)
{
    (void)state;
    EACH_ALG(a)
    {
        struct signature s;
        assert_ok(sign(own[a], BYTES_LIT("text"), &s));
        assert_err(verify(known[a], BYTES_LIT("text"), (struct bytes){ s.octets, s.size - 1 }),
                   ERR_AUTH);
        assert_err(verify(known[a], BYTES_LIT("text"), (struct bytes){ s.octets, 0 }), ERR_AUTH);
        assert_err(verify(known[a], BYTES_LIT("text"), (struct bytes){ s.octets, s.size + 1 }),
                   ERR_AUTH);
    }
}

static void a_signature_of_another_key_is_refused(void **state)
{
    AUTO(private_key_freep) struct private_key *other = NULL;
    struct signature s;

    (void)state;
    assert_ok(private_key_new(SIGN_P256, &other));
    assert_ok(sign(other, BYTES_LIT("text"), &s));
    assert_err(verify(known[SIGN_P256], BYTES_LIT("text"), view(&s)), ERR_AUTH);
}

static void extreme_ecdsa_numbers_are_refused(void **state)
{
    uint8_t raw[64];

    (void)state;
    memset(raw, 0, sizeof raw);
    assert_err(verify(known[SIGN_P256], BYTES_LIT("text"), BYTES_OF(raw)), ERR_AUTH);
    raw[31] = 1;
    assert_err(verify(known[SIGN_P256], BYTES_LIT("text"), BYTES_OF(raw)), ERR_AUTH);
    memset(raw, 0xff, sizeof raw);
    assert_err(verify(known[SIGN_P256], BYTES_LIT("text"), BYTES_OF(raw)), ERR_AUTH);
}

/* RFC 6979 A.2.5: the key, and the signature of "sample". */
static void a_foreign_p256_signature_verifies(void **state)
{
    AUTO(public_key_freep) struct public_key *k = NULL;
    struct bytes spki = UNHEX("3059301306072a8648ce3d020106082a8648ce3d03010703420004"
                              "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                              "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    struct bytes signature =
        UNHEX("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
              "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");

    (void)state;
    assert_ok(public_key_from_spki(spki, &k));
    assert_ok(verify(k, BYTES_LIT("sample"), signature));
    assert_err(verify(k, BYTES_LIT("test"), signature), ERR_AUTH);
}

static void a_public_key_survives_its_encoding(void **state)
{
    (void)state;
    EACH_ALG(a)
    {
        AUTO(buf_done) struct buf der = { .max = SPKI_BYTES_MAX };
        AUTO(public_key_freep) struct public_key *back = NULL;
        assert_ok(public_key_to_spki(known[a], &der));
        assert_ok(public_key_from_spki(buf_bytes(&der), &back));
        assert_int_equal(public_key_alg(back), a);
        assert_true(public_key_id(back) == public_key_id(known[a]));
        assert_true(public_key_id(back) == load_u64(sha256(buf_bytes(&der)).octets));
    }
}

static void a_key_cut_or_with_octets_behind_is_refused(void **state)
{
    (void)state;
    EACH_ALG(a)
    {
        AUTO(buf_done) struct buf der = { .max = SPKI_BYTES_MAX };
        struct public_key *k = NULL;
        assert_ok(public_key_to_spki(known[a], &der));
        for (size_t n = 0; n < der.len; n++) {
            assert_err(public_key_from_spki((struct bytes){ der.ptr, n }, &k), ERR_PROTO);
        }
        assert_ok(buf_u8(&der, 0));
        assert_err(public_key_from_spki(buf_bytes(&der), &k), ERR_PROTO);
        assert_null(k);
    }
}

static void keys_of_other_kinds_are_refused(void **state)
{
    struct public_key *k = NULL;

    (void)state;
    /* Ed25519 of RFC 8410; P-256 of RFC 6979 as a compressed point. */
    assert_err(public_key_from_spki(UNHEX("302a300506032b657003210019bf44096984cdfe8541bac167dc3b96"
                                          "c85086aa30b6b6cb0c5c38ad703166e1"),
                                    &k),
               ERR_PROTO);
    assert_err(public_key_from_spki(UNHEX("3039301306072a8648ce3d020106082a8648ce3d030107032200"
                                          "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce6"
                                          "69622e60f29fb6"),
                                    &k),
               ERR_PROTO);
    assert_err(public_key_from_spki(BYTES_LIT("not a key"), &k), ERR_PROTO);
    assert_null(k);
}

static void a_point_off_the_curve_is_refused(void **state)
{
    struct public_key *k = NULL;

    (void)state;
    assert_err(public_key_from_spki(
                   UNHEX("3059301306072a8648ce3d020106082a8648ce3d03010703420004"
                         "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                         "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462298"),
                   &k),
               ERR_PROTO);
    assert_null(k);
}

static void a_private_key_survives_its_file(void **state)
{
    (void)state;
    EACH_ALG(a)
    {
        AUTO(buf_done) struct buf pem = { .max = 8192 };
        AUTO(private_key_freep) struct private_key *back = NULL;
        struct signature s;
        assert_ok(private_key_to_pem(own[a], &pem));
        assert_true(bytes_have_prefix(buf_bytes(&pem), BYTES_LIT("-----BEGIN PRIVATE KEY-----")));
        assert_ok(buf_string(&pem, "\n \r\n"));
        assert_ok(private_key_from_pem(buf_bytes(&pem), &back));
        assert_ok(sign(back, BYTES_LIT("text"), &s));
        assert_ok(verify(known[a], BYTES_LIT("text"), view(&s)));
    }
}

static void a_damaged_key_file_is_refused(void **state)
{
    AUTO(buf_done) struct buf pem = { .max = 9000 };
    struct private_key *k = NULL;

    (void)state;
    assert_err(private_key_from_pem((struct bytes){ 0 }, &k), ERR_PROTO);
    assert_err(private_key_from_pem(BYTES_LIT("hello"), &k), ERR_PROTO);
    assert_ok(private_key_to_pem(own[SIGN_P256], &pem));
    for (size_t n = 0; n < pem.len - 1; n++) { /* the last line end may be absent */
        assert_err(private_key_from_pem((struct bytes){ pem.ptr, n }, &k), ERR_PROTO);
    }
    assert_ok(private_key_to_pem(own[SIGN_P256], &pem));
    assert_err(private_key_from_pem(buf_bytes(&pem), &k), ERR_PROTO); /* two of them */
    buf_clear(&pem);
    for (int i = 0; i < 8193; i++) {
        assert_ok(buf_u8(&pem, ' '));
    }
    assert_err(private_key_from_pem(buf_bytes(&pem), &k), ERR_LIMIT);
    assert_null(k);
}

static void encrypted_and_public_pem_blocks_are_refused(void **state)
{
    struct private_key *k = NULL;

    (void)state;
    assert_err(private_key_from_pem(BYTES_LIT("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
                                              "-----END ENCRYPTED PRIVATE KEY-----\n"),
                                    &k),
               ERR_PROTO);
    assert_non_null(strstr(err_text(), "unencrypted"));
    assert_err(private_key_from_pem(
                   BYTES_LIT("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), &k),
               ERR_PROTO);
    assert_err(private_key_from_pem(
                   BYTES_LIT("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), &k),
               ERR_PROTO);
    assert_null(k);
}

static void *sign_and_verify(void *bad_count)
{
    for (int i = 0; i < 50; i++) {
        struct signature s;
        if (sign(own[SIGN_P256], BYTES_LIT("text"), &s).code ||
            verify(known[SIGN_P256], BYTES_LIT("text"), view(&s)).code) {
            ++*(int *)bad_count;
        }
    }
    return NULL;
}

static void one_key_serves_several_threads(void **state)
{
    pthread_t threads[4];
    int bad[4] = { 0 };

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sign_and_verify, &bad[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(bad[i], 0);
    }
}

static void a_key_without_memory_is_an_error(void **state)
{
    AUTO(buf_done) struct buf pem = { .max = 8192 };
    struct public_key *p = NULL;
    struct private_key *k = NULL;

    (void)state;
    assert_ok(private_key_to_pem(own[SIGN_P256], &pem));
    mem_fail_after(0);
    assert_err(private_key_from_pem(buf_bytes(&pem), &k), ERR_LIMIT);
    assert_err(public_key_of(own[SIGN_P256], &p), ERR_LIMIT);
    mem_fail_after(-1);
    assert_null(k);
    assert_null(p);
    private_key_free(NULL);
    public_key_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_verifies_and_has_its_fixed_size),
        cmocka_unit_test(sizes_are_256_64_384_and_nothing_for_others),
        cmocka_unit_test(a_changed_signature_is_refused),
        cmocka_unit_test(another_text_or_an_empty_one_is_refused),
        cmocka_unit_test(another_size_is_refused),
        cmocka_unit_test(a_signature_of_another_key_is_refused),
        cmocka_unit_test(extreme_ecdsa_numbers_are_refused),
        cmocka_unit_test(a_foreign_p256_signature_verifies),
        cmocka_unit_test(a_public_key_survives_its_encoding),
        cmocka_unit_test(a_key_cut_or_with_octets_behind_is_refused),
        cmocka_unit_test(keys_of_other_kinds_are_refused),
        cmocka_unit_test(a_point_off_the_curve_is_refused),
        cmocka_unit_test(a_private_key_survives_its_file),
        cmocka_unit_test(a_damaged_key_file_is_refused),
        cmocka_unit_test(encrypted_and_public_pem_blocks_are_refused),
        cmocka_unit_test(one_key_serves_several_threads),
        cmocka_unit_test(a_key_without_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
