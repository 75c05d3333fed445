/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/hash.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/test.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define assert_digest(call, hex)             \
    do {                                     \
        struct digest got_ = (call);         \
        assert_hex(DIGEST_VIEW(&got_), hex); \
    } while (0)

static void sha256_gives_the_vectors_of_the_standard(void **state)
{
    (void)state;
    assert_digest(sha256(BYTES_LIT("abc")), ABC);
    assert_digest(sha256((struct bytes){ 0 }), NOTHING);
    assert_digest(sha256(BYTES_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void parts_hash_as_one_text(void **state)
{
    const struct bytes parts[] = { BYTES_LIT("a"), { NULL, 0 }, BYTES_LIT("bc") };

    (void)state;
    assert_digest(sha256_parts(parts, 3), ABC);
    assert_digest(sha256_parts(NULL, 0), NOTHING);
}

static void a_domain_is_label_zero_text(void **state)
{
    struct digest plain = sha256(BYTES_LIT("abc"));
    struct digest domain = sha256_domain("a", BYTES_LIT("bc"));
    struct digest spelled = sha256(BYTES_LIT("a\0bc"));

    (void)state;
    assert_true(digest_equal(&domain, &spelled));
    assert_false(digest_equal(&domain, &plain));
}

static void only_32_zero_octets_are_zero(void **state)
{
    struct digest d = { { 0 } };

    (void)state;
    assert_true(digest_is_zero(&d));
    d.octets[31] = 1;
    assert_false(digest_is_zero(&d));
}

static void a_running_hash_takes_pieces_and_starts_anew(void **state)
{
    AUTO(hash_freep) struct hash *h = NULL;

    (void)state;
    assert_ok(hash_new(&h));
    for (int round = 0; round < 3; round++) {
        hash_add(h, BYTES_LIT("ab"));
        hash_add(h, (struct bytes){ 0 });
        hash_add(h, BYTES_LIT("c"));
        assert_digest(hash_finish(h), ABC);
    }
    assert_digest(hash_finish(h), NOTHING);
}

static void a_running_hash_is_not_disturbed_by_others(void **state)
{
    AUTO(hash_freep) struct hash *h = NULL;

    (void)state;
    assert_ok(hash_new(&h));
    hash_add(h, BYTES_LIT("ab"));
    assert_digest(sha256((struct bytes){ 0 }), NOTHING);
    hash_add(h, BYTES_LIT("c"));
    assert_digest(hash_finish(h), ABC);
}

static void a_hash_without_memory_is_an_error(void **state)
{
    struct hash *h = NULL;

    (void)state;
    mem_fail_after(0);
    assert_err(hash_new(&h), ERR_LIMIT);
    mem_fail_after(-1);
    assert_null(h);
    hash_free(NULL);
}

static void hmac_gives_the_vectors_of_rfc_4231(void **state)
{
    uint8_t key[131];

    (void)state;
    memset(key, 0x0b, sizeof key);
    assert_digest(hmac_sha256((struct bytes){ key, 20 }, BYTES_LIT("Hi There")),
                  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_digest(hmac_sha256(BYTES_LIT("Jefe"), BYTES_LIT("what do ya want for nothing?")),
                  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    assert_digest(hmac_sha256(BYTES_OF(key),
                              BYTES_LIT("Test Using Larger Than Block-Size Key - Hash Key First")),
                  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hmac_with_an_empty_key_forgets_the_key_before(void **state)
{
    struct digest first = hmac_sha256((struct bytes){ 0 }, (struct bytes){ 0 });

    (void)state;
    hmac_sha256(BYTES_LIT("Jefe"), BYTES_LIT("x"));
    assert_digest(first, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    assert_digest(hmac_sha256((struct bytes){ 0 }, (struct bytes){ 0 }),
                  "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void hkdf_gives_the_vectors_of_rfc_5869(void **state)
{
    struct bytes secret = UNHEX("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    struct bytes salt = UNHEX("000102030405060708090a0b0c");
    struct bytes info = UNHEX("f0f1f2f3f4f5f6f7f8f9");
    uint8_t out[42];

    (void)state;
    assert_ok(hkdf_sha256(salt, secret, info, out, sizeof out));
    assert_hex(BYTES_OF(out), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                              "34007208d5b887185865");
    assert_ok(hkdf_sha256((struct bytes){ 0 }, secret, (struct bytes){ 0 }, out, sizeof out));
    assert_hex(BYTES_OF(out), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                              "9d201395faa4b61a96c8");
}

static void the_expand_step_alone_starts_from_the_extracted_key(void **state)
{
    struct key from = { .size = 32 };
    uint8_t out[42];

    (void)state;
    test_unhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", from.octets,
               sizeof from.octets);
    assert_ok(hkdf_expand_sha256(&from, UNHEX("f0f1f2f3f4f5f6f7f8f9"), out, sizeof out));
    assert_hex(BYTES_OF(out), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                              "34007208d5b887185865");
}

static void hkdf_refuses_sizes_past_its_limits(void **state)
{
    static uint8_t out[HKDF_OUT_BYTES_MAX + 1];
    static const uint8_t info[HKDF_INFO_BYTES_MAX + 1];
    struct bytes none = { 0 };
    struct bytes secret = BYTES_LIT("secret");

    (void)state;
    assert_ok(hkdf_sha256(none, secret, none, out, HKDF_OUT_BYTES_MAX));
    assert_err(hkdf_sha256(none, secret, none, out, HKDF_OUT_BYTES_MAX + 1), ERR_LIMIT);
    assert_err(hkdf_sha256(none, secret, none, out, 0), ERR_LIMIT);
    assert_ok(hkdf_sha256(none, secret, (struct bytes){ info, HKDF_INFO_BYTES_MAX }, out, 32));
    assert_err(hkdf_sha256(none, secret, BYTES_OF(info), out, 32), ERR_LIMIT);
    assert_err(hkdf_sha256(none, none, none, out, 32), ERR_LIMIT);
}

static void *hash_abc(void *out)
{
    for (int i = 0; i < 100; i++) {
        *(struct digest *)out = sha256(BYTES_LIT("abc"));
        hmac_sha256(BYTES_LIT("k"), BYTES_LIT("abc"));
    }
    return NULL;
}

static void threads_hash_side_by_side(void **state)
{
    pthread_t threads[4];
    struct digest out[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hash_abc, &out[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_digest(out[i], ABC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_vectors_of_the_standard),
        cmocka_unit_test(parts_hash_as_one_text),
        cmocka_unit_test(a_domain_is_label_zero_text),
        cmocka_unit_test(only_32_zero_octets_are_zero),
        cmocka_unit_test(a_running_hash_takes_pieces_and_starts_anew),
        cmocka_unit_test(a_running_hash_is_not_disturbed_by_others),
        cmocka_unit_test(a_hash_without_memory_is_an_error),
        cmocka_unit_test(hmac_gives_the_vectors_of_rfc_4231),
        cmocka_unit_test(hmac_with_an_empty_key_forgets_the_key_before),
        cmocka_unit_test(hkdf_gives_the_vectors_of_rfc_5869),
        cmocka_unit_test(the_expand_step_alone_starts_from_the_extracted_key),
        cmocka_unit_test(hkdf_refuses_sizes_past_its_limits),
        cmocka_unit_test(threads_hash_side_by_side),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
