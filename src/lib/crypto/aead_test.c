/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crypto/aead.h"

#include <malloc.h>
#include <string.h>

#include "lib/base/test.h"

/* Test cases 4 and 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega). */
#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define GCM_NONCE "cafebabefacedbaddecaf888"
#define GCM_AAD "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define GCM_PLAIN                                                      \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_SEALED_128                                                 \
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e" \
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"         \
    "5bc94fbc3221a5db94fae95ae7121a47"
#define GCM_SEALED_256                                                 \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" \
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"         \
    "76fc6ece0f4e1768cddf8853bb2d551b"

static struct key key_of(const char *hex)
{
    struct key k = { .size = 0 };

    k.size = test_unhex(hex, k.octets, sizeof k.octets).len;
    return k;
}

static void each_key_size_gives_its_vector(void **state)
{
    const struct {
        const char *key;
        const char *sealed;
    } cases[] = { { GCM_KEY, GCM_SEALED_128 }, { GCM_KEY GCM_KEY, GCM_SEALED_256 } };
    AUTO(aead_freep) struct aead *a = NULL;
    struct bytes plain = UNHEX(GCM_PLAIN);
    struct bytes nonce = UNHEX(GCM_NONCE);
    uint8_t out[60 + AEAD_TAG_BYTES];
    uint8_t back[60];

    (void)state;
    assert_ok(aead_new(&a));
    for (int round = 0; round < 2; round++) { /* the second time with the key kept */
        for (size_t i = 0; i < 2; i++) {
            struct key k = key_of(cases[i].key);
            assert_ok(aead_seal(a, &k, nonce.ptr, UNHEX(GCM_AAD), plain, out));
            assert_hex(BYTES_OF(out), cases[i].sealed);
            assert_ok(aead_open(a, &k, nonce.ptr, UNHEX(GCM_AAD), BYTES_OF(out), back));
            assert_hex(BYTES_OF(back), GCM_PLAIN);
        }
    }
}

struct sealed_text {
    struct key key;
    uint8_t nonce[AEAD_NONCE_BYTES];
    uint8_t aad[5];
    uint8_t octets[20 + AEAD_TAG_BYTES];
};

static void make_sealed(struct aead *a, struct sealed_text *s)
{
    *s = (struct sealed_text){ .key = key_of(GCM_KEY), .aad = "aad" };
    assert_ok(aead_seal(a, &s->key, s->nonce, BYTES_OF(s->aad), BYTES_LIT("twenty octets of it."),
                        s->octets));
}

static err open_sealed(struct aead *a, const struct sealed_text *s, uint8_t *out)
{
    return aead_open(a, &s->key, s->nonce, BYTES_OF(s->aad), BYTES_OF(s->octets), out);
}

static void any_changed_bit_is_refused_and_gives_no_text(void **state)
{
    static const uint8_t zero[20];
    AUTO(aead_freep) struct aead *a = NULL;
    struct sealed_text good;
    uint8_t out[20];

    (void)state;
    assert_ok(aead_new(&a));
    make_sealed(a, &good);
    for (size_t bit = 0; bit < 8 * sizeof good.octets; bit++) {
        struct sealed_text bad = good;
        bad.octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(out, 0xEE, sizeof out);
        assert_err(open_sealed(a, &bad, out), ERR_AUTH);
        assert_memory_equal(out, zero, sizeof out);
    }
    assert_ok(open_sealed(a, &good, out));
    assert_memory_equal(out, "twenty octets of it.", sizeof out);
}

static void another_key_nonce_or_aad_is_refused(void **state)
{
    AUTO(aead_freep) struct aead *a = NULL;
    struct sealed_text good;
    struct sealed_text bad;
    uint8_t out[20];

    (void)state;
    assert_ok(aead_new(&a));
    make_sealed(a, &good);
    bad = good;
    bad.key.octets[15] ^= 1;
    assert_err(open_sealed(a, &bad, out), ERR_AUTH);
    bad = good;
    bad.nonce[11] ^= 1;
    assert_err(open_sealed(a, &bad, out), ERR_AUTH);
    bad = good;
    bad.aad[4] ^= 1;
    assert_err(open_sealed(a, &bad, out), ERR_AUTH);
    bad = good;
    bad.key.size = 32; /* the same 16 octets and zeros behind them */
    assert_err(open_sealed(a, &bad, out), ERR_AUTH);
}

static void an_input_shorter_than_a_tag_is_refused(void **state)
{
    AUTO(aead_freep) struct aead *a = NULL;
    struct sealed_text good;
    uint8_t out[36];

    (void)state;
    assert_ok(aead_new(&a));
    make_sealed(a, &good);
    for (size_t n = 0; n < sizeof good.octets; n++) {
        assert_err(aead_open(a, &good.key, good.nonce, BYTES_OF(good.aad),
                             (struct bytes){ good.octets, n }, out),
                   ERR_AUTH);
    }
}

static void sealing_and_opening_work_in_place(void **state)
{
    AUTO(aead_freep) struct aead *a = NULL;
    struct key k = key_of(GCM_KEY);
    uint8_t nonce[AEAD_NONCE_BYTES] = { 0 };
    uint8_t text[5 + AEAD_TAG_BYTES] = "hello";

    (void)state;
    assert_ok(aead_new(&a));
    assert_ok(aead_seal(a, &k, nonce, (struct bytes){ 0 }, (struct bytes){ text, 5 }, text));
    assert_memory_not_equal(text, "hello", 5);
    assert_ok(aead_open(a, &k, nonce, (struct bytes){ 0 }, BYTES_OF(text), text));
    assert_memory_equal(text, "hello", 5);
}

static void an_empty_text_has_only_a_tag(void **state)
{
    AUTO(aead_freep) struct aead *a = NULL;
    struct key k = { .size = 16 };
    uint8_t nonce[AEAD_NONCE_BYTES] = { 0 };
    uint8_t tag[AEAD_TAG_BYTES];
    struct bytes none = { 0 };

    (void)state;
    assert_ok(aead_new(&a));
    assert_ok(aead_seal(a, &k, nonce, none, none, tag));
    assert_hex(BYTES_OF(tag), "58e2fccefa7e3061367f1d57a4e7455a"); /* test case 1 */
    assert_ok(aead_open(a, &k, nonce, none, BYTES_OF(tag), NULL));
    tag[0] ^= 1;
    assert_err(aead_open(a, &k, nonce, none, BYTES_OF(tag), NULL), ERR_AUTH);
}

static void keys_may_alternate_in_one_context(void **state)
{
    AUTO(aead_freep) struct aead *a = NULL;
    struct key keys[3] = { key_of(GCM_KEY), key_of(GCM_KEY GCM_KEY), { .size = 16 } };
    uint8_t nonce[AEAD_NONCE_BYTES] = { 0 };
    uint8_t sealed[3][4 + AEAD_TAG_BYTES];
    uint8_t out[4];

    (void)state;
    assert_ok(aead_new(&a));
    for (size_t i = 0; i < 3; i++) {
        assert_ok(aead_seal(a, &keys[i], nonce, (struct bytes){ 0 }, BYTES_LIT("text"), sealed[i]));
    }
    for (size_t i = 0; i < 9; i++) {
        err e =
            aead_open(a, &keys[i / 3], nonce, (struct bytes){ 0 }, BYTES_OF(sealed[i % 3]), out);
        assert_err(e, i / 3 == i % 3 ? ERR_NONE : ERR_AUTH);
    }
}

static void a_text_past_the_limit_is_refused_unread(void **state)
{
    AUTO(aead_freep) struct aead *a = NULL;
    struct key k = { .size = 16 };
    uint8_t nonce[AEAD_NONCE_BYTES] = { 0 };
    uint8_t out[1];
    struct bytes large = { out, (size_t)AEAD_TEXT_BYTES_MAX + 1 };
    struct bytes large_sealed = { out, (size_t)AEAD_TEXT_BYTES_MAX + 1 };

    (void)state;
    assert_ok(aead_new(&a));
    assert_err(aead_seal(a, &k, nonce, (struct bytes){ 0 }, large, out), ERR_LIMIT);
    assert_err(aead_seal(a, &k, nonce, large, (struct bytes){ 0 }, out), ERR_LIMIT);
    large_sealed.len += AEAD_TAG_BYTES;
    assert_err(aead_open(a, &k, nonce, (struct bytes){ 0 }, large_sealed, out), ERR_LIMIT);
}

#if !defined(__SANITIZE_ADDRESS__) && defined(__GLIBC__)
static void the_steady_state_allocates_nothing(void **state)
{
    AUTO(aead_freep) struct aead *a = NULL;
    struct sealed_text s;
    uint8_t out[20];

    (void)state;
    assert_ok(aead_new(&a));
    make_sealed(a, &s);
    assert_ok(open_sealed(a, &s, out));
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 100; i++) {
        s.key.octets[0] ^= 1; /* another key each time, as with many sessions */
        assert_ok(aead_seal(a, &s.key, s.nonce, BYTES_OF(s.aad), BYTES_LIT("20 octets of text.."),
                            s.octets));
        assert_int_equal(mallinfo2().uordblks, before);
    }
}
#else
static void the_steady_state_allocates_nothing(void **state)
{
    (void)state;
    skip(); /* the sanitizer has an allocator of its own */
}
#endif

static void a_context_without_memory_is_an_error(void **state)
{
    struct aead *a = NULL;

    (void)state;
    mem_fail_after(0);
    assert_err(aead_new(&a), ERR_LIMIT);
    mem_fail_after(-1);
    assert_null(a);
    aead_free(NULL);
}

/* --- key wrap --- */

#define KEK "37c0a9c01fb9c1ce2d81728d193242a0d782d525d72431cf4666d9cdafbf0c7f"
#define VEK "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"

static void wrapping_gives_the_vector_of_rfc_3394(void **state)
{
    struct key kek = key_of("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    struct key k = key_of("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
    uint8_t out[KEY_WRAPPED_BYTES];

    (void)state;
    assert_ok(key_wrap(&kek, &k, out));
    assert_hex(BYTES_OF(out),
               "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21");
}

static void wrapping_gives_the_vector_of_the_store(void **state)
{
    struct key kek = key_of(KEK);
    struct key vek = key_of(VEK);
    struct key back = { .size = 0 };
    uint8_t out[KEY_WRAPPED_BYTES];

    (void)state;
    assert_ok(key_wrap(&kek, &vek, out));
    assert_hex(BYTES_OF(out),
               "ddfc26cf2296dc7305cdacd94e9e1e0bd65e1346cc238a6247277cf097bae58ec7260e83ce2a7d2d");
    assert_ok(key_unwrap(&kek, BYTES_OF(out), &back));
    assert_int_equal(back.size, 32);
    assert_hex(((struct bytes){ back.octets, 32 }), VEK);
}

static void a_key_wraps_under_a_short_kek_too(void **state)
{
    struct key kek = key_of(GCM_KEY);
    struct key vek = key_of(VEK);
    struct key back;
    uint8_t out[KEY_WRAPPED_BYTES];

    (void)state;
    assert_ok(key_wrap(&kek, &vek, out));
    assert_ok(key_unwrap(&kek, BYTES_OF(out), &back));
    assert_memory_equal(back.octets, vek.octets, 32);
}

static void a_changed_or_foreign_wrapped_key_does_not_open(void **state)
{
    struct key kek = key_of(KEK);
    struct key vek = key_of(VEK);
    struct key back = { .size = 7 };
    uint8_t out[KEY_WRAPPED_BYTES];

    (void)state;
    assert_ok(key_wrap(&kek, &vek, out));
    for (size_t bit = 0; bit < 8 * sizeof out; bit++) {
        uint8_t bad[KEY_WRAPPED_BYTES];
        memcpy(bad, out, sizeof bad);
        bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_err(key_unwrap(&kek, BYTES_OF(bad), &back), ERR_AUTH);
    }
    kek.octets[0] ^= 1;
    assert_err(key_unwrap(&kek, BYTES_OF(out), &back), ERR_AUTH);
    assert_int_equal(back.size, 7);
}

static void a_wrapped_key_of_another_length_is_refused(void **state)
{
    struct key kek = key_of(KEK);
    struct key back;
    uint8_t out[KEY_WRAPPED_BYTES + 8] = { 0 };

    (void)state;
    for (size_t n = 0; n <= sizeof out; n++) {
        err e = key_unwrap(&kek, (struct bytes){ out, n }, &back);
        assert_err(e, n == KEY_WRAPPED_BYTES ? ERR_AUTH : ERR_PROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_size_gives_its_vector),
        cmocka_unit_test(any_changed_bit_is_refused_and_gives_no_text),
        cmocka_unit_test(another_key_nonce_or_aad_is_refused),
        cmocka_unit_test(an_input_shorter_than_a_tag_is_refused),
        cmocka_unit_test(sealing_and_opening_work_in_place),
        cmocka_unit_test(an_empty_text_has_only_a_tag),
        cmocka_unit_test(keys_may_alternate_in_one_context),
        cmocka_unit_test(a_text_past_the_limit_is_refused_unread),
        cmocka_unit_test(the_steady_state_allocates_nothing),
        cmocka_unit_test(a_context_without_memory_is_an_error),
        cmocka_unit_test(wrapping_gives_the_vector_of_rfc_3394),
        cmocka_unit_test(wrapping_gives_the_vector_of_the_store),
        cmocka_unit_test(a_key_wraps_under_a_short_kek_too),
        cmocka_unit_test(a_changed_or_foreign_wrapped_key_does_not_open),
        cmocka_unit_test(a_wrapped_key_of_another_length_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
