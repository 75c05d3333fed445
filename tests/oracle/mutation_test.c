/* SPDX-License-Identifier: Apache-2.0 */
/* Every manipulation is caught under its class: random bundles, random mutations. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/test.h"
#include "mutations.h"

#define ROUNDS 16

static bool caught(const struct mutation *m, const struct findings *f)
{
    for (size_t i = 0; i < MUTATION_CODES_MAX && m->codes[i] != 0; i++) {
        if (findings_count_of(f, m->codes[i]) > 0) {
            return true;
        }
    }
    return false;
}

static void print_codes(const struct findings *f)
{
    for (size_t i = 0; i < f->count && i < 8; i++) {
        print_error("  %u %s (%s, %s)\n", f->list[i].code, f->list[i].text, f->list[i].expected,
                    f->list[i].found);
    }
}

/* True when the mutation applied. */
static bool try_one(const struct world *w, const struct mutation *m, uint64_t seed,
                    struct sample *s)
{
    struct findings f = { 0 };
    struct audit_options options = { .level = AUDIT_L1 };

    sample_new(w, seed, s);
    bool applied = m->apply(s);
    if (applied) {
        struct audit_files files = sample_files(s);
        assert_ok(audit_bundle(&files, &options, &f));
        if (!caught(m, &f)) {
            print_codes(&f);
            fail_msg("seed %llu: \"%s\" is not caught under its class, %zu findings",
                     (unsigned long long)seed, m->name, f.count);
        }
        assert_true(findings_exit(&f) > 0);
    }
    findings_done(&f);
    sample_done(s);
    return applied;
}

/* More rounds for a soak: METERSEAL_ROUNDS=110 makes over ten thousand mutations. */
static uint64_t rounds_wanted(void)
{
    const char *text = getenv("METERSEAL_ROUNDS");
    uint64_t rounds = ROUNDS;

    if (text != NULL) {
        assert_ok(decimal_parse(bytes_of_string(text), 100000, &rounds));
    }
    return rounds;
}

static size_t try_all(const struct world *w, const struct mutation *list, uint64_t first_seed,
                      struct sample *s)
{
    uint64_t rounds = rounds_wanted();
    size_t applied = 0;

    for (size_t i = 0; list[i].name != NULL; i++) {
        uint64_t of_this = 0;
        for (uint64_t n = 0; of_this < rounds && n < rounds * 12; n++) {
            of_this += try_one(w, &list[i], first_seed + 1000000 * i + n, s);
        }
        if (of_this == 0) {
            fail_msg("\"%s\" never applied", list[i].name);
        }
        applied += of_this;
    }
    return applied;
}

static void every_mutation_is_caught_under_its_class(void **state)
{
    static struct world w;
    struct sample *s = malloc(sizeof *s);
    size_t applied = 0;

    (void)state;
    world_new(&w);
    applied += try_all(&w, mutations_of_files, 1000, s);
    applied += try_all(&w, mutations_by_utility, UINT64_C(1) << 40, s);
    applied += try_all(&w, mutations_by_meter, UINT64_C(1) << 41, s);
    assert_true(applied >= 1000);
    print_message("# %zu mutations\n", applied);
    world_done(&w);
    free(s);
}

static void a_bill_under_another_hash_is_noticed(void **state)
{
    static struct world w;
    struct sample *s = malloc(sizeof *s);
    struct findings f = { 0 };
    struct audit_options options = { .level = AUDIT_L0, .has_hash = true };

    (void)state;
    world_new(&w);
    sample_new(&w, 5, s);
    struct audit_files files = sample_files(s);
    options.hash = bill_hash(files.octets[AUDIT_BILL]);
    assert_ok(audit_bundle(&files, &options, &f));
    assert_int_equal(findings_exit(&f), 0);
    options.hash.octets[0] ^= 1;
    assert_ok(audit_bundle(&files, &options, &f));
    assert_int_equal(findings_count_of(&f, E102), 1);
    assert_int_equal(findings_exit(&f), 10);
    findings_done(&f);
    sample_done(s);
    world_done(&w);
    free(s);
}

static void trust_in_another_institute_or_utility_fails(void **state)
{
    static struct world w;
    static struct world other;
    struct sample *s = malloc(sizeof *s);
    struct findings f = { 0 };
    struct audit_options options = { .level = AUDIT_L1 };

    (void)state;
    world_new(&w);
    world_new(&other);
    sample_new(&w, 6, s);
    struct audit_files files = sample_files(s);
    options.institute = buf_bytes(&w.institute);
    options.utility = buf_bytes(&w.utility);
    assert_ok(audit_bundle(&files, &options, &f));
    assert_int_equal(findings_exit(&f), 0);
    options.institute = buf_bytes(&other.institute);
    options.utility = buf_bytes(&other.utility);
    assert_ok(audit_bundle(&files, &options, &f));
    assert_true(findings_count_of(&f, E202) > 0);
    assert_true(findings_count_of(&f, E203) > 0);
    findings_done(&f);
    sample_done(s);
    world_done(&w);
    world_done(&other);
    free(s);
}

/* Each of sequence, registers and seals alone finds most cases; without any one of them the
 * manipulation is still found. */
static void a_dropped_reading_is_found_by_three_independent_checks(void **state)
{
    static struct world w;
    struct sample *s = malloc(sizeof *s);
    struct findings f = { 0 };
    struct audit_options options = { .level = AUDIT_L1 };

    (void)state;
    world_new(&w);
    sample_new(&w, 7, s);
    struct buf *readings = &s->files[AUDIT_READINGS];
    const size_t at = (size_t)9 * RECORD_BYTES;
    memmove(readings->ptr + at, readings->ptr + at + RECORD_BYTES,
            readings->len - at - RECORD_BYTES);
    readings->len -= RECORD_BYTES;
    struct audit_files files = sample_files(s);
    assert_ok(audit_bundle(&files, &options, &f));
    assert_true(findings_count_of(&f, E301) > 0);
    assert_true(findings_count_of(&f, E402) > 0);
    assert_true(findings_count_of(&f, E308) > 0);
    findings_done(&f);
    sample_done(s);
    world_done(&w);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mutation_is_caught_under_its_class),
        cmocka_unit_test(a_bill_under_another_hash_is_noticed),
        cmocka_unit_test(trust_in_another_institute_or_utility_fails),
        cmocka_unit_test(a_dropped_reading_is_found_by_three_independent_checks),
    };
    return cmocka_run_group_tests_name("mutations", tests, NULL, NULL);
}
