/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/service/api_key.h"

#define NOW 1700000000

/* SHA-256("meterseal apikey v1" 00 secret) of the secret below, by an independent program. */
#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define HASH "c3343c8ef9494ac42b4802becc97abb6220f0d6e021fe4ca4d827d9156a7102f"
#define LINE "k7q2m5aa " HASH " 0 read,scan:sql: read,write,scan,delete:tmp:job-\n"
#define HEADER "Bearer msk_k7q2m5aa_" SECRET

static char path[] = "/tmp/api_key_test.XXXXXX";

static void keys_write(const char *text, unsigned mode)
{
    assert_ok(file_write(path, bytes_of_string(text), mode));
    assert_int_equal(chmod(path, mode), 0);
}

static struct api_keys *keys_of(const char *text)
{
    struct api_keys *k = NULL;

    keys_write(text, 0600);
    assert_ok(api_keys_load(path, &k));
    return k;
}

static enum err_code code_of(const struct api_keys *k, const char *header, int64_t now_s)
{
    const struct api_grant *g = NULL;
    err e = api_keys_check(k, bytes_of_string(header), now_s, &g);

    assert_true((g != NULL) == (e.code == ERR_NONE));
    return e.code;
}

static int setup(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void a_known_key_is_let_in(void **state)
{
    struct api_keys *k = keys_of(LINE);
    const struct api_grant *g = NULL;

    (void)state;
    assert_ok(api_keys_check(k, BYTES_LIT(HEADER), NOW, &g));
    assert_string_equal(api_grant_id(g), "k7q2m5aa");
    api_keys_free(k);
}

static void every_other_header_is_refused_in_the_same_words(void **state)
{
    static const char *const bad[] = {
        "Bearer msk_k7q2m5aa_BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", /* secret */
        "Bearer msk_k7q2m5ab_" SECRET,                                    /* id */
        "Bearer msk_aaaaaaaa_" SECRET,
        "Bearer msk_77777777_" SECRET,
    };
    struct api_keys *k = keys_of(LINE);
    char text[128] = "";

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(code_of(k, bad[i], NOW), ERR_AUTH);
        assert_true(text[0] == 0 || strcmp(text, err_text()) == 0);
        snprintf(text, sizeof text, "%s", err_text());
    }
    api_keys_free(k);
}

static void a_header_of_another_form_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "Bearer ",
        "Bearer",
        "Basic msk_k7q2m5aa_" SECRET,
        HEADER " ",
        HEADER "x",
        "Bearer  msk_k7q2m5aa_" SECRET,
        "Bearer msk_k7q2m5aa." SECRET,
        "Bearer mks_k7q2m5aa_" SECRET,
        "msk_k7q2m5aa_" SECRET,
    };
    struct api_keys *k = keys_of(LINE);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(code_of(k, bad[i], NOW), ERR_AUTH);
    }
    assert_int_equal(code_of(k, "bearer msk_k7q2m5aa_" SECRET, NOW), ERR_NONE);
    api_keys_free(k);
}

static void a_key_ends_at_its_expiry(void **state)
{
    struct api_keys *k = keys_of("k7q2m5aa " HASH " 1700000000 read:sql:\n");

    (void)state;
    assert_int_equal(code_of(k, HEADER, 1699999999), ERR_NONE);
    assert_int_equal(code_of(k, HEADER, 1700000000), ERR_AUTH);
    api_keys_free(k);
}

static void without_keys_nobody_is_let_in(void **state)
{
    struct api_keys *k = keys_of("# none yet\n\n");

    (void)state;
    assert_int_equal(code_of(k, HEADER, NOW), ERR_AUTH);
    api_keys_free(k);
}

static bool covers(const struct api_grant *g, enum api_verb v, const char *space, const char *key)
{
    return api_grant_covers(g, v, bytes_of_string(space), bytes_of_string(key));
}

static void a_scope_is_verbs_space_and_prefix_together(void **state)
{
    struct api_keys *k = keys_of(LINE);
    const struct api_grant *g = NULL;

    (void)state;
    assert_ok(api_keys_check(k, BYTES_LIT(HEADER), NOW, &g));
    assert_true(covers(g, API_READ, "sql", "any"));
    assert_true(covers(g, API_SCAN, "sql", ""));
    assert_false(covers(g, API_WRITE, "sql", "any"));
    assert_false(covers(g, API_READ, "sq", "any"));
    assert_false(covers(g, API_READ, "sqlx", "any"));
    assert_true(covers(g, API_DELETE, "tmp", "job-1"));
    assert_true(covers(g, API_WRITE, "tmp", "job-"));
    assert_false(covers(g, API_WRITE, "tmp", "job"));
    assert_false(covers(g, API_SCAN, "tmp", ""));
    assert_false(covers(g, API_ADMIN, "tmp", "job-1"));
    api_keys_free(k);
}

static void a_star_is_every_space_and_an_escape_any_octet(void **state)
{
    struct api_keys *k = keys_of("k7q2m5aa " HASH " 0 admin:*: read:b:%00%fF-%25\n");
    const struct api_grant *g = NULL;

    (void)state;
    assert_ok(api_keys_check(k, BYTES_LIT(HEADER), NOW, &g));
    assert_true(covers(g, API_ADMIN, "anything", ""));
    assert_true(covers(g, API_ADMIN, "", ""));
    assert_true(api_grant_covers(g, API_READ, BYTES_LIT("b"), BYTES_LIT("\0\xff-%k")));
    assert_false(api_grant_covers(g, API_READ, BYTES_LIT("b"), BYTES_LIT("\0\xff-k")));
    api_keys_free(k);
}

static void two_secrets_serve_one_id_while_they_are_changed(void **state)
{
    static const char other[] =
        "k7q2m5aa 00000000000000000000000000000000000000000000000000000000000000"
        "00 0 read:sql:\n";
    char text[1024];
    struct api_keys *k;

    (void)state;
    snprintf(text, sizeof text, "%s%s", other, LINE);
    k = keys_of(text);
    assert_int_equal(code_of(k, HEADER, NOW), ERR_NONE);
    api_keys_free(k);
    snprintf(text, sizeof text, "%s%s%s", other, LINE, other);
    keys_write(text, 0600);
    assert_err(api_keys_load(path, &k), ERR_LIMIT);
}

static void a_file_that_others_can_read_is_refused(void **state)
{
    struct api_keys *k = NULL;

    (void)state;
    keys_write(LINE, 0640);
    assert_err(api_keys_load(path, &k), ERR_AUTH);
    keys_write(LINE, 0604);
    assert_err(api_keys_load(path, &k), ERR_AUTH);
    assert_err(api_keys_load("/nonexistent/keys", &k), ERR_MISSING);
    assert_null(k);
}

static void a_bad_line_is_refused_and_named(void **state)
{
    static const char *const bad[] = {
        "K7q2m5aa " HASH " 0 read:sql:\n",
        "k7q2m5a1 " HASH " 0 read:sql:\n",
        "k7q2m5a " HASH " 0 read:sql:\n",
        "k7q2m5aa 00 0 read:sql:\n",
        "k7q2m5aa " HASH "0 0 read:sql:\n",
        "k7q2m5aa " HASH " -1 read:sql:\n",
        "k7q2m5aa " HASH " 9223372036854775808 read:sql:\n",
        "k7q2m5aa " HASH " 0\n",
        "k7q2m5aa " HASH " 0 \n",
        "k7q2m5aa " HASH " 0 read\n",
        "k7q2m5aa " HASH " 0 read:sql\n",
        "k7q2m5aa " HASH " 0 reed:sql:\n",
        "k7q2m5aa " HASH " 0 :sql:\n",
        "k7q2m5aa " HASH " 0 read::\n",
        "k7q2m5aa " HASH " 0 read:SQL:\n",
        "k7q2m5aa " HASH " 0 read:**:\n",
        "k7q2m5aa " HASH " 0 read:sql:%\n",
        "k7q2m5aa " HASH " 0 read:sql:%0\n",
        "k7q2m5aa " HASH " 0 read:sql:%zz\n",
        "k7q2m5aa " HASH " 0 read:sql:\x80\n",
        "k7q2m5aa " HASH " 0 read:sql:\t\n",
        "k7q2m5aa " HASH
        " 0 read:a: read:b: read:c: read:d: read:e: read:f: read:g: read:h: read:i:\n",
    };
    struct api_keys *k = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[1024];
        snprintf(text, sizeof text, "# first\n%s", bad[i]);
        keys_write(text, 0600);
        err e = api_keys_load(path, &k);
        if (e.code == ERR_NONE || strstr(err_text(), "line 2") == NULL) {
            fail_msg("case %zu: %s, %s", i, err_name(e.code), err_text());
        }
        assert_null(k);
    }
}

static void a_made_key_is_let_in_and_its_secret_is_not_in_the_file(void **state)
{
    AUTO(buf_done) struct buf text = { .max = 256 };
    AUTO(buf_done) struct buf line = { .max = 1024 };
    AUTO(buf_done) struct buf header = { .max = 256 };
    const struct api_grant *g = NULL;

    (void)state;
    assert_ok(api_key_make("read,write:sql:a%20b scan:sql:", NOW + 10, &text, &line));
    assert_int_equal(text.len, 56);
    assert_ok(buf_u8(&line, 0));
    struct api_keys *k = keys_of((const char *)line.ptr);
    assert_ok(buf_string(&header, "Bearer "));
    assert_ok(buf_append(&header, buf_bytes(&text)));
    assert_ok(api_keys_check(k, buf_bytes(&header), NOW, &g));
    assert_true(covers(g, API_WRITE, "sql", "a bc"));
    assert_int_equal(code_of(k, HEADER, NOW), ERR_AUTH);
    assert_ok(buf_u8(&text, 0));
    assert_null(strstr((const char *)line.ptr, (const char *)text.ptr + 13));
    api_keys_free(k);
}

static void a_key_is_not_made_with_scopes_that_could_not_be_read(void **state)
{
    AUTO(buf_done) struct buf text = { .max = 256 };
    AUTO(buf_done) struct buf line = { .max = 1024 };

    (void)state;
    assert_err(api_key_make("read:sql", 0, &text, &line), ERR_PROTO);
    assert_err(api_key_make("", 0, &text, &line), ERR_PROTO);
    assert_err(api_key_make("read:sql:\nread:all:", 0, &text, &line), ERR_PROTO);
    assert_err(api_key_make("read:sql:", -1, &text, &line), ERR_PROTO);
    assert_int_equal(text.len, 0);
    assert_int_equal(line.len, 0);
}

static void no_two_made_keys_are_the_same(void **state)
{
    AUTO(buf_done) struct buf texts = { .max = 256 };
    AUTO(buf_done) struct buf lines = { .max = 1024 };

    (void)state;
    assert_ok(api_key_make("read:sql:", 0, &texts, &lines));
    assert_ok(api_key_make("read:sql:", 0, &texts, &lines));
    assert_int_equal(texts.len, 112);
    assert_memory_not_equal(texts.ptr + 13, texts.ptr + 56 + 13, 43);
}

static void a_failed_allocation_is_an_error_not_a_crash(void **state)
{
    struct api_keys *k = NULL;

    (void)state;
    keys_write(LINE, 0600);
    EACH_FAILURE(i) {
        err e = api_keys_load(path, &k);
        if (!e.code) {
            assert_true(i > 0);
            break;
        }
        assert_null(k);
    }
    mem_fail_after(-1);
    api_keys_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_key_is_let_in),
        cmocka_unit_test(every_other_header_is_refused_in_the_same_words),
        cmocka_unit_test(a_header_of_another_form_is_refused),
        cmocka_unit_test(a_key_ends_at_its_expiry),
        cmocka_unit_test(without_keys_nobody_is_let_in),
        cmocka_unit_test(a_scope_is_verbs_space_and_prefix_together),
        cmocka_unit_test(a_star_is_every_space_and_an_escape_any_octet),
        cmocka_unit_test(two_secrets_serve_one_id_while_they_are_changed),
        cmocka_unit_test(a_file_that_others_can_read_is_refused),
        cmocka_unit_test(a_bad_line_is_refused_and_named),
        cmocka_unit_test(a_made_key_is_let_in_and_its_secret_is_not_in_the_file),
        cmocka_unit_test(a_key_is_not_made_with_scopes_that_could_not_be_read),
        cmocka_unit_test(no_two_made_keys_are_the_same),
        cmocka_unit_test(a_failed_allocation_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests_name("api_key", tests, setup, teardown);
}
