/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/service/config.h"

struct sample {
    const char *listen;
    const char *data;
    const char *store;
    const char *note;
    uint64_t cache_bytes;
    uint64_t retries;
    bool quiet;
};

static const struct setting table[] = {
    { "listen", SETTING_ADDRESS, offsetof(struct sample, listen), NULL, 0, 0, NULL,
      "where it listens" },
    { "data_dir", SETTING_PATH, offsetof(struct sample, data), "data", 0, 0, NULL, "its files" },
    { "store_url", SETTING_URL, offsetof(struct sample, store), "", 0, 0, NULL, "the store" },
    { "note", SETTING_TEXT, offsetof(struct sample, note), "none", 0, 0, NULL, "a remark" },
    { "cache_bytes", SETTING_UINT, offsetof(struct sample, cache_bytes), "1024", 16, 4096,
      "octets", "memory it keeps" },
    { "retries", SETTING_UINT, offsetof(struct sample, retries), "0", 0, 0, NULL, "how often" },
    { "quiet", SETTING_BOOL, offsetof(struct sample, quiet), "false", 0, 0, NULL, "says less" },
};
static const struct settings settings = { table, sizeof table / sizeof table[0],
                                          sizeof(struct sample) };

static char path[128];

static err load(const char *yaml, const char *option, struct sample *out)
{
    char *argv[] = { (char *)(uintptr_t)option };

    assert_ok(file_write(path, bytes_of_string(yaml), 0600));
    return settings_load(&settings, path, option != NULL ? 1 : 0, argv, out);
}

static void refused(const char *yaml, const char *option, enum err_code code, const char *words)
{
    struct sample c = { .retries = 77 };
    err e = load(yaml, option, &c);

    if (e.code != code || strstr(err_text(), words) == NULL) {
        fail_msg("want %s '%s' for:\n%s%s\ngot %s: %s", err_name(code), words, yaml,
                 option != NULL ? option : "", err_name(e.code), err_text());
    }
    assert_int_equal(c.retries, 77); /* untouched */
    assert_null(c.listen);
}

static void absent_settings_have_their_defaults(void **state)
{
    struct sample c;

    (void)state;
    assert_ok(load("# a comment\nlisten: 127.0.0.1:0\n", NULL, &c));
    assert_string_equal(c.listen, "127.0.0.1:0");
    assert_string_equal(c.store, "");
    assert_string_equal(c.note, "none");
    assert_int_equal(c.cache_bytes, 1024);
    assert_int_equal(c.retries, 0);
    assert_false(c.quiet);
    settings_done(&settings, &c);
    assert_null(c.listen);
    settings_done(&settings, &c);
}

static void the_file_replaces_defaults_and_options_replace_the_file(void **state)
{
    struct sample c;
    const char *yaml = "---\nlisten: \"[::1]:80\"\ncache_bytes: 4096\nquiet: true\nnote: 'a b'\n"
                       "store_url: https://127.0.0.1:8443\nretries: 18446744073709551615\n";

    (void)state;
    assert_ok(load(yaml, NULL, &c));
    assert_string_equal(c.listen, "[::1]:80");
    assert_int_equal(c.cache_bytes, 4096);
    assert_true(c.quiet);
    assert_string_equal(c.note, "a b");
    assert_true(c.retries == UINT64_MAX);
    settings_done(&settings, &c);
    assert_ok(load(yaml, "--cache-bytes=16", &c));
    assert_int_equal(c.cache_bytes, 16);
    settings_done(&settings, &c);
    assert_ok(load(yaml, "--cache_bytes=17", &c));
    assert_int_equal(c.cache_bytes, 17);
    settings_done(&settings, &c);
}

static void options_alone_are_enough(void **state)
{
    struct sample c;
    char listen[] = "--listen=a:1", note[] = "--note=x=y", data[] = "--data-dir=here";
    char *argv[] = { listen, note, data };

    (void)state;
    assert_ok(settings_load(&settings, NULL, 3, argv, &c));
    assert_string_equal(c.listen, "a:1");
    assert_string_equal(c.note, "x=y");
    assert_string_equal(c.data, "here");
    settings_done(&settings, &c);
}

static void paths_are_seen_from_the_file(void **state)
{
    struct sample c;
    char want[256];

    (void)state;
    const char *slash = strrchr(path, '/');
    snprintf(want, sizeof want, "%.*s/sub/dir", (int)(slash - path), path);
    assert_ok(load("listen: a:1\ndata_dir: sub/dir\n", NULL, &c));
    assert_string_equal(c.data, want);
    settings_done(&settings, &c);
    snprintf(want, sizeof want, "%.*s/data", (int)(slash - path), path);
    assert_ok(load("listen: a:1\n", NULL, &c));
    assert_string_equal(c.data, want);
    settings_done(&settings, &c);
    assert_ok(load("listen: a:1\ndata_dir: /abs\n", NULL, &c));
    assert_string_equal(c.data, "/abs");
    settings_done(&settings, &c);
    assert_ok(load("listen: a:1\n", "--data-dir=typed", &c));
    assert_string_equal(c.data, "typed");
    settings_done(&settings, &c);
}

static void unknown_settings_are_named_with_line_and_the_known_ones(void **state)
{
    (void)state;
    refused("listen: a:1\n\ncolour: red\n", NULL, ERR_PROTO, "line 3: unknown setting 'colour'");
    refused("colour: red\n", NULL, ERR_PROTO, "known are listen, data_dir, store_url");
    refused("Listen: a:1\n", NULL, ERR_PROTO, "unknown setting 'Listen'");
    refused("listen: a:1\n", "--colour=red", ERR_PROTO, "option '--colour=red' is not known");
    refused("listen: a:1\n", "--listenx=1", ERR_PROTO, "is not known");
    refused("listen: a:1\n", "listen=b:1", ERR_PROTO, "is not known");
}

static void a_missing_setting_is_named_with_its_meaning(void **state)
{
    (void)state;
    refused("", NULL, ERR_MISSING, "setting 'listen' must be given: where it listens");
    refused("# nothing\n", NULL, ERR_MISSING, "listen");
    struct sample c;
    assert_err(settings_load(&settings, "/nonexistent/x.yaml", 0, NULL, &c), ERR_MISSING);
    assert_non_null(strstr(err_text(), "/nonexistent/x.yaml"));
}

static void numbers_have_one_spelling_and_a_range(void **state)
{
    (void)state;
    refused("listen: a:1\ncache_bytes: 15\n", NULL, ERR_LIMIT,
            "setting 'cache_bytes' must be a number from 16 to 4096 octets");
    refused("listen: a:1\ncache_bytes: 4097\n", NULL, ERR_LIMIT, "cache_bytes");
    refused("listen: a:1\ncache_bytes: 1k\n", NULL, ERR_PROTO, "cache_bytes");
    refused("listen: a:1\ncache_bytes: -1\n", NULL, ERR_PROTO, "cache_bytes");
    refused("listen: a:1\ncache_bytes: 0x20\n", NULL, ERR_PROTO, "cache_bytes");
    refused("listen: a:1\ncache_bytes:\n", NULL, ERR_PROTO, "cache_bytes");
    refused("listen: a:1\nretries: 18446744073709551616\n", NULL, ERR_LIMIT, "retries");
    refused("listen: a:1\n", "--cache-bytes=5", ERR_LIMIT, "option --cache-bytes must be");
}

static void truth_is_true_or_false(void **state)
{
    (void)state;
    refused("listen: a:1\nquiet: yes\n", NULL, ERR_PROTO, "'quiet' must be true or false");
    refused("listen: a:1\nquiet: 1\n", NULL, ERR_PROTO, "quiet");
}

static void addresses_and_urls_are_checked(void **state)
{
    (void)state;
    refused("listen: here\n", NULL, ERR_PROTO, "'listen' must be host:port");
    refused("listen: a:70000\n", NULL, ERR_PROTO, "listen");
    refused("listen: ':1'\n", NULL, ERR_PROTO, "listen");
    refused("listen: ''\n", NULL, ERR_PROTO, "'listen' must not be empty");
    refused("listen: a:1\nstore_url: http://example.org:1\n", NULL, ERR_PROTO, "https://host:port");
    refused("listen: a:1\nstore_url: https://a:1/path\n", NULL, ERR_PROTO, "https://host:port");
    refused("listen: a:1\nstore_url: https://a\n", NULL, ERR_PROTO, "https://host:port");
}

static void other_yaml_is_refused_with_its_line(void **state)
{
    (void)state;
    refused("listen: &x a:1\nnote: *x\n", NULL, ERR_PROTO, "line 2: aliases");
    refused("listen: [a:1]\n", NULL, ERR_PROTO, "'listen' must be one value");
    refused("listen: {a: b}\n", NULL, ERR_PROTO, "'listen' must be one value");
    refused("listen: a:1\nnote: b\nlisten: b:2\n", NULL, ERR_PROTO,
            "line 3: setting 'listen' is given twice");
    refused("- listen\n", NULL, ERR_PROTO, "lines of the form");
    refused("just text\n", NULL, ERR_PROTO, "lines of the form");
    refused("listen: \"a:1\n", NULL, ERR_PROTO, "not YAML");
    refused("listen: a:1\n---\nnote: b\n", NULL, ERR_PROTO, "line 2: only one document");
    refused("listen: a:1\n...\nnote: b\n", NULL, ERR_PROTO, "line 2: only one document");
    refused("? [a]\n: b\n", NULL, ERR_PROTO, "not YAML");
    refused("listen: a:1\nnote: |\n  two\n  lines\n", NULL, ERR_PROTO, "control characters");
}

static void a_file_may_have_64_kib_and_no_more(void **state)
{
    struct sample c;
    size_t size = 64u << 10;
    char *yaml = malloc(size + 2);

    (void)state;
    memset(yaml, '#', size + 1);
    memcpy(yaml, "listen: a:1\n", 12);
    yaml[size] = '\0';
    assert_ok(load(yaml, NULL, &c));
    settings_done(&settings, &c);
    yaml[size] = '#';
    yaml[size + 1] = '\0';
    refused(yaml, NULL, ERR_LIMIT, path);
    free(yaml);
}

static void help_tells_name_default_range_and_meaning(void **state)
{
    struct buf b = { .max = 8192 };

    (void)state;
    assert_ok(settings_help(&settings, &b));
    assert_ok(buf_u8(&b, 0));
    const char *text = (const char *)b.ptr;
    assert_non_null(strstr(text, "--listen=HOST:PORT"));
    assert_non_null(strstr(text, "where it listens (must be given)\n"));
    assert_non_null(strstr(text, "--cache-bytes=NUMBER"));
    assert_non_null(strstr(text, "memory it keeps (16 to 4096 octets; default 1024)\n"));
    assert_non_null(strstr(text, "the store (default none)\n"));
    buf_clear(&b);
    assert_ok(settings_markdown(&settings, &b));
    assert_ok(buf_u8(&b, 0));
    text = (const char *)b.ptr;
    assert_non_null(
        strstr(text, "| `cache_bytes` | `1024` | 16 to 4096 octets | memory it keeps |\n"));
    assert_non_null(strstr(text, "| `listen` | must be given |  | where it listens |\n"));
    buf_done(&b);
}

static void full_memory_is_an_error_not_a_crash(void **state)
{
    (void)state;
    EACH_FAILURE(i) {
        struct sample c;
        err e = settings_load(&settings, path, 0, NULL, &c);
        if (!e.code) {
            assert_true(i > 5);
            mem_fail_after(-1);
            settings_done(&settings, &c);
            break;
        }
        assert_err(e, ERR_LIMIT);
    }
    mem_fail_after(-1);
}

static int begin(void **state)
{
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(path, sizeof path, "%s/meterseal-config-%ld.yaml", base != NULL ? base : P_tmpdir,
             (long)getpid());
    assert_ok(file_write(path, BYTES_LIT("listen: a:1\nnote: x\n"), 0600));
    return 0;
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

static int rewrite(void **state)
{
    (void)state;
    assert_ok(file_write(path, BYTES_LIT("listen: a:1\nnote: x\n"), 0600));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_settings_have_their_defaults),
        cmocka_unit_test(the_file_replaces_defaults_and_options_replace_the_file),
        cmocka_unit_test(options_alone_are_enough),
        cmocka_unit_test(paths_are_seen_from_the_file),
        cmocka_unit_test(unknown_settings_are_named_with_line_and_the_known_ones),
        cmocka_unit_test(a_missing_setting_is_named_with_its_meaning),
        cmocka_unit_test(numbers_have_one_spelling_and_a_range),
        cmocka_unit_test(truth_is_true_or_false),
        cmocka_unit_test(addresses_and_urls_are_checked),
        cmocka_unit_test(other_yaml_is_refused_with_its_line),
        cmocka_unit_test(a_file_may_have_64_kib_and_no_more),
        cmocka_unit_test(help_tells_name_default_range_and_meaning),
        cmocka_unit_test_setup(full_memory_is_an_error_not_a_crash, rewrite),
    };
    return cmocka_run_group_tests_name("config", tests, begin, end);
}
