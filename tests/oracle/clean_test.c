/* SPDX-License-Identifier: Apache-2.0 */
/* Clean bills are clean, by an audit that shares no arithmetic with billing. */
#include "lib/base/test.h"
#include "sample.h"

#define CLEAN_COUNT 600

/* More for a soak: METERSEAL_ROUNDS=110 makes over ten thousand. */
static uint64_t count_wanted(void)
{
    const char *text = getenv("METERSEAL_ROUNDS");
    uint64_t rounds = 0;

    if (text != NULL) {
        assert_ok(decimal_parse(bytes_of_string(text), 100000, &rounds));
    }
    return CLEAN_COUNT + 100 * rounds;
}

static void no_clean_bill_has_a_finding(void **state)
{
    static struct world w;
    struct sample *s = malloc(sizeof *s);
    size_t gaps = 0;
    size_t joined = 0;
    size_t new_meters = 0;

    (void)state;
    uint64_t count = count_wanted();
    world_new(&w);
    for (uint64_t seed = 1; seed <= count; seed++) {
        struct findings f = { 0 };
        struct audit_options options = { .level = AUDIT_L1 };
        sample_new(&w, seed, s);
        struct audit_files files = sample_files(s);
        assert_ok(audit_bundle(&files, &options, &f));
        if (f.count > 0) {
            fail_msg("seed %llu: code %u: %s (%s, %s)", (unsigned long long)seed, f.list[0].code,
                     f.list[0].text, f.list[0].expected, f.list[0].found);
        }
        options.level = AUDIT_L0;
        assert_ok(audit_bundle(&files, &options, &f));
        assert_int_equal(f.count, 0);
        gaps += s->bill.meter.gap_count > 0;
        joined += s->has_previous;
        new_meters += !s->bill.meter.opening.sealed;
        findings_done(&f);
        sample_done(s);
    }
    /* The seeds do reach what is hard. */
    assert_true(gaps > 50 && joined > 50 && new_meters > 50);
    world_done(&w);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_clean_bill_has_a_finding),
    };
    return cmocka_run_group_tests_name("clean bills", tests, NULL, NULL);
}
