/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/agree.h"

#include <string.h>

#include "lib/base/test.h"

#define SECRET BYTES_LIT("thirty-two octets of a secret!!!")
#define LABEL BYTES_LIT("label")

static struct private_key *own;
static struct public_key *known;
static struct private_key *curve;

static int make_keys(void **state)
{
    (void)state;
    return private_key_new(SIGN_RSA2048, &own).code || public_key_of(own, &known).code ||
                   private_key_new(SIGN_P256, &curve).code
               ? -1
               : 0;
}

static int free_keys(void **state)
{
    (void)state;
    private_key_free(own);
    private_key_free(curve);
    public_key_free(known);
    return 0;
}

static void the_holder_of_the_key_gets_the_secret(void **state)
{
    uint8_t sealed[256];
    uint8_t out[32];

    (void)state;
    assert_ok(oaep_seal(known, LABEL, SECRET, sealed, sizeof sealed));
    assert_ok(oaep_open(own, LABEL, BYTES_OF(sealed), out, sizeof out));
    assert_true(bytes_equal(BYTES_OF(out), SECRET));
}

static void an_empty_label_is_a_label(void **state)
{
    struct bytes none = { 0 };
    uint8_t sealed[256];
    uint8_t out[32];

    (void)state;
    assert_ok(oaep_seal(known, none, SECRET, sealed, sizeof sealed));
    assert_ok(oaep_open(own, none, BYTES_OF(sealed), out, sizeof out));
    assert_err(oaep_open(own, LABEL, BYTES_OF(sealed), out, sizeof out), ERR_AUTH);
}

static void a_foreign_label_key_or_ciphertext_is_refused(void **state)
{
    AUTO(private_key_freep) struct private_key *other = NULL;
    uint8_t sealed[256];
    uint8_t out[32] = { 7 };

    (void)state;
    assert_ok(private_key_new(SIGN_RSA2048, &other));
    assert_ok(oaep_seal(known, LABEL, SECRET, sealed, sizeof sealed));
    assert_err(oaep_open(own, BYTES_LIT("Label"), BYTES_OF(sealed), out, sizeof out), ERR_AUTH);
    assert_err(oaep_open(other, LABEL, BYTES_OF(sealed), out, sizeof out), ERR_AUTH);
    sealed[100] ^= 1;
    assert_err(oaep_open(own, LABEL, BYTES_OF(sealed), out, sizeof out), ERR_AUTH);
    assert_int_equal(out[0], 7);
}

static void a_secret_or_ciphertext_of_another_size_is_refused(void **state)
{
    uint8_t sealed[257];
    uint8_t out[33];

    (void)state;
    assert_ok(oaep_seal(known, LABEL, SECRET, sealed, 256));
    assert_err(oaep_open(own, LABEL, (struct bytes){ sealed, 256 }, out, 31), ERR_AUTH);
    assert_err(oaep_open(own, LABEL, (struct bytes){ sealed, 256 }, out, 33), ERR_AUTH);
    assert_err(oaep_open(own, LABEL, (struct bytes){ sealed, 255 }, out, 32), ERR_AUTH);
    assert_err(oaep_open(own, LABEL, (struct bytes){ sealed, 257 }, out, 32), ERR_AUTH);
    assert_err(oaep_open(own, LABEL, (struct bytes){ sealed, 0 }, out, 32), ERR_AUTH);
    assert_err(oaep_seal(known, LABEL, SECRET, sealed, 255), ERR_LIMIT);
    assert_err(oaep_seal(known, LABEL, SECRET, sealed, 257), ERR_LIMIT);
}

static void a_secret_too_large_for_the_key_is_refused(void **state)
{
    const uint8_t large[191] = { 0 }; /* 256 - 2 * 32 - 2 = 190 octets fit */
    uint8_t sealed[256];

    (void)state;
    assert_ok(oaep_seal(known, LABEL, (struct bytes){ large, 190 }, sealed, sizeof sealed));
    assert_err(oaep_seal(known, LABEL, BYTES_OF(large), sealed, sizeof sealed), ERR_LIMIT);
}

static void a_label_past_its_limit_is_refused(void **state)
{
    const uint8_t label[OAEP_LABEL_BYTES_MAX + 1] = { 0 };
    uint8_t sealed[256];

    (void)state;
    assert_ok(oaep_seal(known, (struct bytes){ label, OAEP_LABEL_BYTES_MAX }, SECRET, sealed,
                        sizeof sealed));
    assert_err(oaep_seal(known, BYTES_OF(label), SECRET, sealed, sizeof sealed), ERR_LIMIT);
}

static void a_key_that_is_not_rsa_is_refused(void **state)
{
    AUTO(public_key_freep) struct public_key *p = NULL;
    uint8_t sealed[256] = { 0 };
    uint8_t out[32];

    (void)state;
    assert_ok(public_key_of(curve, &p));
    assert_err(oaep_seal(p, LABEL, SECRET, sealed, 64), ERR_PROTO);
    assert_err(oaep_open(curve, LABEL, BYTES_OF(sealed), out, sizeof out), ERR_PROTO);
}

static void both_sides_agree(void **state)
{
    struct x25519_pair a;
    struct x25519_pair b;
    uint8_t ab[X25519_BYTES];
    uint8_t ba[X25519_BYTES];

    (void)state;
    assert_ok(x25519_new(&a));
    assert_ok(x25519_new(&b));
    assert_memory_not_equal(a.secret, b.secret, sizeof a.secret);
    assert_ok(x25519_agree(&a, b.shared_part, ab));
    assert_ok(x25519_agree(&b, a.shared_part, ba));
    assert_memory_equal(ab, ba, sizeof ab);
}

static void agreement_gives_the_vector_of_rfc_7748(void **state)
{
    struct x25519_pair bob;
    uint8_t out[X25519_BYTES];

    (void)state;
    test_unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", bob.secret,
               sizeof bob.secret);
    assert_ok(x25519_agree(
        &bob, UNHEX("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a").ptr, out));
    assert_hex(BYTES_OF(out), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

static void a_value_of_small_order_is_refused(void **state)
{
    static const char *const small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct x25519_pair a;

    (void)state;
    assert_ok(x25519_new(&a));
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        uint8_t peer[X25519_BYTES];
        uint8_t out[X25519_BYTES] = { 7 };
        test_unhex(small[i], peer, sizeof peer);
        assert_err(x25519_agree(&a, peer, out), ERR_AUTH);
        assert_int_equal(out[0], 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_holder_of_the_key_gets_the_secret),
        cmocka_unit_test(an_empty_label_is_a_label),
        cmocka_unit_test(a_foreign_label_key_or_ciphertext_is_refused),
        cmocka_unit_test(a_secret_or_ciphertext_of_another_size_is_refused),
        cmocka_unit_test(a_secret_too_large_for_the_key_is_refused),
        cmocka_unit_test(a_label_past_its_limit_is_refused),
        cmocka_unit_test(a_key_that_is_not_rsa_is_refused),
        cmocka_unit_test(both_sides_agree),
        cmocka_unit_test(agreement_gives_the_vector_of_rfc_7748),
        cmocka_unit_test(a_value_of_small_order_is_refused),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
