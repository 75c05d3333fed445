/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wire/seal.h"

#include <string.h>

#include "lib/base/test.h"
#include "lib/wire/nbr.h"
#include "lib/wire/record.h"

#define DAY_START 1514775600 /* 2018-01-01T03:00Z */

static const char body_hex[] =
    "010200010000000100112233445566775a49a4305a4af5b00000000100000060"
    "000000600000000000000000000f42400000000000030d400000000000000bb8"
    "d878b726df5a9e7361e5653356bff7e50bf99bf639bbe8c30ca50eda322857ee"
    "0000000000000000000000000000000000000000000000000000000000000000";

/* Root over the made-up records R(from) to R(from + count - 1). */
static struct digest root_of(unsigned from, unsigned count)
{
    struct merkle tree = { 0 };

    for (unsigned i = from; i < from + count; i++) {
        uint8_t record[RECORD_BYTES];
        for (unsigned j = 0; j < sizeof record; j++) {
            record[j] = (uint8_t)(i + j);
        }
        struct digest leaf = merkle_leaf(BYTES_OF(record));
        assert_ok(merkle_add(&tree, &leaf));
    }
    return merkle_root(&tree);
}

static struct seal first_day(void)
{
    return (struct seal){
        .alg = SIGN_P256, .flags = SEAL_FIRST, .key_epoch = 1, .meter = 0x0011223344556677,
        .start_s = DAY_START, .end_s = DAY_START + 86400, .first = 1, .last = 96, .count = 96,
        .e_act = 1000000, .e_ind = 200000, .e_cap = 3000, .root = root_of(0, 96),
    };
}

static struct seal second_day(void)
{
    struct seal first = first_day();

    return (struct seal){
        .alg = SIGN_P256, .key_epoch = 1, .meter = 0x0011223344556677,
        .start_s = DAY_START + 86400, .end_s = DAY_START + 2 * 86400, .first = 97, .last = 192,
        .count = 96, .e_act = 2100000, .e_ind = 390000, .e_cap = 6500, .root = root_of(96, 96),
        .previous = seal_hash(&first),
    };
}

static void the_vector_encodes_and_hashes_as_published(void **state)
{
    struct seal s = first_day();
    uint8_t body[SEAL_BODY_BYTES];

    (void)state;
    seal_encode(&s, body);
    assert_hex(BYTES_OF(body), body_hex);
    struct digest hash = seal_hash(&s);
    assert_hex(DIGEST_VIEW(&hash),
               "ed907bb6e30ed90aebf52d0dd7f16638feca2ca06e3c96055d2f083d5f564f7d");
}

static void the_next_day_chains_to_the_first(void **state)
{
    struct seal s = second_day();
    struct digest hash = seal_hash(&s);

    (void)state;
    assert_hex(DIGEST_VIEW(&hash),
               "6a64f7385f63ea0e1764f1156778b65b38277d917654760e1751fb62d4885982");
}

static void the_readings_root_of_two_days_is_the_published_one(void **state)
{
    struct seal days[] = { first_day(), second_day() };
    struct digest root = seals_root(days, 2);

    (void)state;
    assert_hex(DIGEST_VIEW(&root),
               "22de9893c3ad6ce4b425b35c4328e02d5ca37bd43196bed7cfff3b371568b923");
    root = seals_root(days, 0);
    assert_hex(DIGEST_VIEW(&root),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void a_body_parses_to_what_was_encoded(void **state)
{
    struct seal s = second_day();
    struct seal back;
    uint8_t body[SEAL_BODY_BYTES];
    uint8_t again[SEAL_BODY_BYTES];

    (void)state;
    seal_encode(&s, body);
    assert_ok(seal_parse(BYTES_OF(body), &back));
    seal_encode(&back, again);
    assert_memory_equal(body, again, sizeof body);
    assert_err(seal_parse((struct bytes){ body, sizeof body - 1 }, &back), ERR_PROTO);
}

static err parse_seal(const struct seal *s)
{
    uint8_t body[SEAL_BODY_BYTES];
    struct seal back;

    seal_encode(s, body);
    return seal_parse(BYTES_OF(body), &back);
}

static void an_empty_day_ends_before_it_begins(void **state)
{
    struct seal s = second_day();

    (void)state;
    s.count = 0;
    s.last = s.first - 1;
    assert_ok(parse_seal(&s));
    s.last = s.first - 2;
    assert_err(parse_seal(&s), ERR_PROTO);
}

static void a_day_may_admit_a_hole_but_not_hold_too_many(void **state)
{
    struct seal s = second_day();

    (void)state;
    s.count = 95;
    assert_ok(parse_seal(&s));
    s.count = 97;
    assert_err(parse_seal(&s), ERR_PROTO);
}

static void unknown_and_contradicting_fields_are_refused(void **state)
{
    uint8_t body[SEAL_BODY_BYTES];
    struct seal s = first_day();
    struct seal out;

    (void)state;
    s.alg = 4;
    assert_err(parse_seal(&s), ERR_PROTO);
    s = first_day();
    s.flags = 8;
    assert_err(parse_seal(&s), ERR_PROTO);
    s = first_day();
    s.end_s = s.start_s;
    assert_err(parse_seal(&s), ERR_PROTO);
    s = first_day();
    s.previous.octets[0] = 1;
    assert_err(parse_seal(&s), ERR_PROTO);
    s = first_day();
    seal_encode(&s, body);
    body[0] = 2;
    assert_err(seal_parse(BYTES_OF(body), &out), ERR_PROTO);
    body[0] = 1;
    body[39] = 1;
    assert_err(seal_parse(BYTES_OF(body), &out), ERR_PROTO);
}

static void sign_day(enum sign_alg alg, struct sealed_day *out)
{
    AUTO(private_key_freep) struct private_key *k = NULL;
    AUTO(public_key_freep) struct public_key *pub = NULL;
    struct seal s = second_day();

    assert_ok(private_key_new(alg, &k));
    assert_ok(public_key_of(k, &pub));
    s.alg = (uint8_t)alg;
    assert_ok(seal_sign(&s, k, out));
    assert_ok(seal_verify(out, pub));
}

static void a_changed_seal_does_not_verify(void **state)
{
    AUTO(private_key_freep) struct private_key *k = NULL;
    AUTO(public_key_freep) struct public_key *pub = NULL;
    struct seal s = first_day();
    struct sealed_day d;

    (void)state;
    assert_ok(private_key_new(SIGN_P256, &k));
    assert_ok(public_key_of(k, &pub));
    assert_ok(seal_sign(&s, k, &d));
    assert_ok(seal_verify(&d, pub));
    d.seal.e_act++;
    assert_err(seal_verify(&d, pub), ERR_AUTH);
    d.seal.e_act--;
    d.signature.octets[5] ^= 1;
    assert_err(seal_verify(&d, pub), ERR_AUTH);
    d.signature.octets[5] ^= 1;
    d.seal.alg = SIGN_RSA2048;
    assert_err(seal_verify(&d, pub), ERR_AUTH);
}

static void the_algorithm_of_the_body_is_the_one_of_the_key(void **state)
{
    AUTO(private_key_freep) struct private_key *k = NULL;
    struct seal s = first_day();
    struct sealed_day d;

    (void)state;
    assert_ok(private_key_new(SIGN_P256, &k));
    s.alg = SIGN_RSA2048;
    assert_err(seal_sign(&s, k, &d), ERR_PROTO);
}

static void the_stored_form_is_taken_from_the_front(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct sealed_day d;
    struct sealed_day back;

    (void)state;
    sign_day(SIGN_P256, &d);
    assert_ok(sealed_day_encode(&d, &b));
    assert_int_equal(b.len, 128 + 2 + 64);
    assert_ok(buf_string(&b, "rest"));
    for (size_t n = 0; n < 128 + 2 + 64; n++) {
        struct bytes in = { b.ptr, n };
        assert_err(sealed_day_parse(&in, &back), ERR_PROTO);
        assert_ptr_equal(in.ptr, b.ptr);
    }
    struct bytes in = buf_bytes(&b);
    assert_ok(sealed_day_parse(&in, &back));
    assert_int_equal(in.len, 4);
    assert_memory_equal(back.signature.octets, d.signature.octets, 64);
}

static void a_signature_of_another_size_is_refused(void **state)
{
    AUTO(buf_done) struct buf b = { .max = 4096 };
    struct sealed_day d;
    struct sealed_day back;

    (void)state;
    sign_day(SIGN_P256, &d);
    d.signature.size = 63;
    assert_ok(sealed_day_encode(&d, &b));
    struct bytes in = buf_bytes(&b);
    assert_err(sealed_day_parse(&in, &back), ERR_PROTO);
}

/* Sends the parts in the order given and tells whether the seal came out whole at the last. */
static void travel(enum sign_alg alg, const size_t *order, size_t count, size_t parts)
{
    struct seal_parts p = { 0 };
    struct sealed_day d;
    struct sealed_day back;
    bool whole = false;

    sign_day(alg, &d);
    assert_int_equal(seal_part_count(&d), parts);
    for (size_t i = 0; i < count; i++) {
        uint8_t block[NBR_RESPONSE_BYTES];
        assert_false(whole);
        seal_part_encode(&d, order[i], block);
        assert_ok(seal_parts_add(&p, BYTES_OF(block), &whole, &back));
    }
    assert_true(whole);
    assert_int_equal(back.signature.size, d.signature.size);
    assert_memory_equal(back.signature.octets, d.signature.octets, d.signature.size);
    struct digest a = seal_hash(&d.seal);
    struct digest b = seal_hash(&back.seal);
    assert_true(digest_equal(&a, &b));
    assert_int_equal(p.have, 0);
}

static void parts_come_in_any_order_and_repeat(void **state)
{
    (void)state;
    travel(SIGN_P256, (const size_t[]){ 0 }, 1, 1);
    travel(SIGN_RSA2048, (const size_t[]){ 0, 1 }, 2, 2);
    travel(SIGN_RSA2048, (const size_t[]){ 1, 1, 0 }, 3, 2);
    travel(SIGN_RSA3072, (const size_t[]){ 2, 0, 0, 1 }, 4, 3);
}

static void a_first_part_of_another_seal_starts_anew(void **state)
{
    struct seal_parts p = { 0 };
    struct sealed_day d;
    struct sealed_day other;
    struct sealed_day back;
    uint8_t block[NBR_RESPONSE_BYTES];
    bool whole = true;

    (void)state;
    sign_day(SIGN_RSA3072, &d);
    other = d;
    other.seal.e_act++;
    seal_part_encode(&d, 0, block);
    assert_ok(seal_parts_add(&p, BYTES_OF(block), &whole, &back));
    seal_part_encode(&d, 1, block);
    assert_ok(seal_parts_add(&p, BYTES_OF(block), &whole, &back));
    seal_part_encode(&other, 0, block);
    assert_ok(seal_parts_add(&p, BYTES_OF(block), &whole, &back));
    seal_part_encode(&other, 2, block);
    assert_ok(seal_parts_add(&p, BYTES_OF(block), &whole, &back));
    assert_false(whole);
    seal_part_encode(&other, 1, block);
    assert_ok(seal_parts_add(&p, BYTES_OF(block), &whole, &back));
    assert_true(whole);
    assert_int_equal(back.seal.e_act, other.seal.e_act);
}

static void part_blocks_that_are_none_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = { { 0, 0x14 }, { 5, 0xA1 }, { 6, 3 }, { 7, 9 }, { 136, 63 }, { 4, 0x78 } };
    struct sealed_day d;
    struct sealed_day back;

    (void)state;
    sign_day(SIGN_P256, &d);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t block[NBR_RESPONSE_BYTES];
        struct seal_parts p = { 0 };
        bool whole = false;
        seal_part_encode(&d, 0, block);
        block[cases[i].at] = cases[i].value;
        nbr_crc_set(block, sizeof block);
        assert_err(seal_parts_add(&p, BYTES_OF(block), &whole, &back), ERR_PROTO);
        assert_int_equal(p.have, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_encodes_and_hashes_as_published),
        cmocka_unit_test(the_next_day_chains_to_the_first),
        cmocka_unit_test(the_readings_root_of_two_days_is_the_published_one),
        cmocka_unit_test(a_body_parses_to_what_was_encoded),
        cmocka_unit_test(an_empty_day_ends_before_it_begins),
        cmocka_unit_test(a_day_may_admit_a_hole_but_not_hold_too_many),
        cmocka_unit_test(unknown_and_contradicting_fields_are_refused),
        cmocka_unit_test(a_changed_seal_does_not_verify),
        cmocka_unit_test(the_algorithm_of_the_body_is_the_one_of_the_key),
        cmocka_unit_test(the_stored_form_is_taken_from_the_front),
        cmocka_unit_test(a_signature_of_another_size_is_refused),
        cmocka_unit_test(parts_come_in_any_order_and_repeat),
        cmocka_unit_test(a_first_part_of_another_seal_starts_anew),
        cmocka_unit_test(part_blocks_that_are_none_are_refused),
    };
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
