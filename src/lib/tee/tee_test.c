/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tee/tee.h"

#include <string.h>

#include "lib/base/file.h"
#include "lib/base/test.h"

static const struct tee_provider *sim;
static const struct digest claim = { .octets = { 1, 2, 3 } };

static int start(void **state)
{
    (void)state;
    return tee_open("sim", &sim).code ? -1 : 0;
}

static void the_simulation_says_that_it_is_not_secure(void **state)
{
    AUTO(buf_done) struct buf evidence = { .max = 4096 };
    struct digest measurement;
    bool secure = true;

    (void)state;
    assert_false(sim->secure);
    assert_ok(sim->quote(&claim, &evidence));
    assert_true(bytes_have_prefix(buf_bytes(&evidence), BYTES_LIT("INSECURE SIM EVIDENCE")));
    assert_ok(tee_verify(buf_bytes(&evidence), &claim, &measurement, &secure));
    assert_false(secure);
}

static void the_measurement_is_the_hash_of_the_program(void **state)
{
    AUTO(buf_done) struct buf program = { .max = 1 << 28 };
    struct digest got;

    (void)state;
    assert_ok(file_read("/proc/self/exe", &program));
    assert_ok(sim->measure(&got));
    struct digest want = sha256(buf_bytes(&program));
    assert_true(digest_equal(&got, &want));
}

static void evidence_carries_the_measurement(void **state)
{
    AUTO(buf_done) struct buf evidence = { .max = 4096 };
    struct digest want;
    struct digest got;
    bool secure;

    (void)state;
    assert_ok(sim->measure(&want));
    assert_ok(sim->quote(&claim, &evidence));
    assert_ok(tee_verify(buf_bytes(&evidence), &claim, &got, &secure));
    assert_true(digest_equal(&got, &want));
}

static void evidence_is_added_behind_what_is_there(void **state)
{
    AUTO(buf_done) struct buf evidence = { .max = 4096 };
    struct digest got;
    bool secure;

    (void)state;
    assert_ok(buf_string(&evidence, "before"));
    assert_ok(sim->quote(&claim, &evidence));
    assert_ok(
        tee_verify((struct bytes){ evidence.ptr + 6, evidence.len - 6 }, &claim, &got, &secure));
}

static void evidence_for_another_claim_is_refused(void **state)
{
    AUTO(buf_done) struct buf evidence = { .max = 4096 };
    struct digest other = claim;
    struct digest got = { { 7 } };
    bool secure = true;

    (void)state;
    other.octets[31] ^= 1;
    assert_ok(sim->quote(&claim, &evidence));
    assert_err(tee_verify(buf_bytes(&evidence), &other, &got, &secure), ERR_AUTH);
    assert_int_equal(got.octets[0], 7);
    assert_true(secure);
}

static void changed_cut_or_longer_evidence_is_refused(void **state)
{
    AUTO(buf_done) struct buf evidence = { .max = 4096 };
    struct digest got;
    bool secure;

    (void)state;
    assert_ok(sim->quote(&claim, &evidence));
    for (size_t i = 0; i < evidence.len; i++) {
        evidence.ptr[i] ^= 1;
        assert_err(tee_verify(buf_bytes(&evidence), &claim, &got, &secure), ERR_AUTH);
        evidence.ptr[i] ^= 1;
        assert_err(tee_verify((struct bytes){ evidence.ptr, i }, &claim, &got, &secure), ERR_AUTH);
    }
    assert_ok(buf_u8(&evidence, '\n'));
    assert_err(tee_verify(buf_bytes(&evidence), &claim, &got, &secure), ERR_AUTH);
}

static void hex_in_capitals_is_a_second_spelling_and_refused(void **state)
{
    AUTO(buf_done) struct buf evidence = { .max = 4096 };
    struct digest got;
    bool secure;
    size_t raised = 0;

    (void)state;
    assert_ok(sim->quote(&claim, &evidence));
    for (size_t i = evidence.len - 65; i < evidence.len; i++) {
        if (evidence.ptr[i] >= 'a' && evidence.ptr[i] <= 'f') {
            evidence.ptr[i] = (uint8_t)(evidence.ptr[i] - 'a' + 'A');
            raised++;
        }
    }
    assert_true(raised > 0);
    assert_err(tee_verify(buf_bytes(&evidence), &claim, &got, &secure), ERR_AUTH);
}

static void an_unknown_provider_is_refused_with_the_known_ones(void **state)
{
    const struct tee_provider *none = NULL;

    (void)state;
    assert_err(tee_open("sgx", &none), ERR_MISSING);
    assert_non_null(strstr(err_text(), "\"sgx\""));
    assert_non_null(strstr(err_text(), "known: sim"));
    assert_err(tee_open("", &none), ERR_MISSING);
    assert_null(none);
}

static void a_buffer_too_small_stays_as_it_was(void **state)
{
    AUTO(buf_done) struct buf small = { .max = 100 };

    (void)state;
    assert_err(sim->quote(&claim, &small), ERR_LIMIT);
    assert_int_equal(small.len, 0);
}

static void a_quote_without_memory_is_an_error(void **state)
{
    AUTO(buf_done) struct buf evidence = { .max = 4096 };

    (void)state;
    EACH_FAILURE (i) {
        err e = sim->quote(&claim, &evidence);
        if (!e.code) {
            assert_true(i > 0);
            break;
        }
        assert_err(e, ERR_LIMIT);
        assert_int_equal(evidence.len, 0);
    }
    mem_fail_after(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_simulation_says_that_it_is_not_secure),
        cmocka_unit_test(the_measurement_is_the_hash_of_the_program),
        cmocka_unit_test(evidence_carries_the_measurement),
        cmocka_unit_test(evidence_is_added_behind_what_is_there),
        cmocka_unit_test(evidence_for_another_claim_is_refused),
        cmocka_unit_test(changed_cut_or_longer_evidence_is_refused),
        cmocka_unit_test(hex_in_capitals_is_a_second_spelling_and_refused),
        cmocka_unit_test(an_unknown_provider_is_refused_with_the_known_ones),
        cmocka_unit_test(a_buffer_too_small_stays_as_it_was),
        cmocka_unit_test(a_quote_without_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
