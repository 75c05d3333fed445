/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/crypto/secret.h"
#include "store/kvs/service.h"

static char path[] = "/tmp/kvs_service_test.XXXXXX";

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

static err key_of(const char *text, unsigned mode, struct key *out)
{
    assert_ok(file_write(path, bytes_of_string(text), mode));
    assert_int_equal(chmod(path, mode), 0);
    return root_key_read(path, out);
}

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void a_root_key_is_64_hex_digits(void **state)
{
    struct key k;

    (void)state;
    assert_ok(key_of(KEY, 0600, &k));
    assert_int_equal(k.size, 32);
    assert_hex(((struct bytes){ k.octets, 32 }), KEY);
    assert_ok(key_of(KEY "\n", 0400, &k));
}

static void a_root_key_of_another_form_is_refused_without_being_told(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        KEY "0",
        KEY "00",
        KEY "\n\n",
        KEY " ",
        "g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    };
    struct key k = { .size = 7 };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_err(key_of(bad[i], 0600, &k), ERR_PROTO);
        assert_null(strstr(err_text(), "0102"));
        assert_int_equal(k.size, 7);
    }
}

static void a_root_key_that_others_can_read_is_refused(void **state)
{
    struct key k;

    (void)state;
    assert_err(key_of(KEY, 0640, &k), ERR_AUTH);
    assert_err(key_of(KEY, 0601, &k), ERR_AUTH);
    assert_err(root_key_read("/nonexistent/root.key", &k), ERR_MISSING);
}

static void settings_of(const char *const *arguments, int count, struct kvs_config *out)
{
    char *argv[16] = { 0 };

    for (int i = 0; i < count; i++) {
        argv[i] = strdup(arguments[i]);
    }
    assert_ok(settings_load(&kvs_service.settings, NULL, count, argv, out));
    for (int i = 0; i < count; i++) {
        free(argv[i]);
    }
}

#define MUST "--tls-certificate=c", "--tls-key=k", "--tls-ca=a", "--data-dir=d", \
             "--root-key-file=r", "--api-keys-file=f"

static void the_defaults_fit_into_their_memory(void **state)
{
    static const char *const arguments[] = { MUST };
    struct kvs_config c;

    (void)state;
    settings_of(arguments, 6, &c);
    assert_ok(kvs_memory_check(&c));
    assert_int_equal(c.memory_max_bytes, 384u << 20);
    assert_string_equal(c.anchor_file, "");
    assert_true(c.create);
    assert_false(c.accept_rollback);
    settings_done(&kvs_service.settings, &c);
}

static void settings_that_need_more_memory_are_refused(void **state)
{
    static const char *const arguments[] = { MUST, "--block-cache-bytes=268435456" };
    struct kvs_config c;

    (void)state;
    settings_of(arguments, 7, &c);
    assert_err(kvs_memory_check(&c), ERR_LIMIT);
    assert_non_null(strstr(err_text(), "memory_max_bytes"));
    settings_done(&kvs_service.settings, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_key_is_64_hex_digits),
        cmocka_unit_test(a_root_key_of_another_form_is_refused_without_being_told),
        cmocka_unit_test(a_root_key_that_others_can_read_is_refused),
        cmocka_unit_test(the_defaults_fit_into_their_memory),
        cmocka_unit_test(settings_that_need_more_memory_are_refused),
    };
    return cmocka_run_group_tests_name("kvs service", tests, setup, teardown);
}
