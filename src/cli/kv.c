/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/calls.h"
#include "cli/cli.h"

#define VALUE_BYTES_MAX (64u << 20)
#define TARGET_BYTES_MAX 8192

static const char usage[] =
    "usage: meterseal kv put SPACE KEY [VALUE]     VALUE from standard input when not given\n"
    "       meterseal kv get SPACE KEY             the value as it is, on standard output\n"
    "       meterseal kv delete SPACE KEY\n"
    "       meterseal kv list SPACE [--prefix P] [--limit N] [--json]\n"
    "       meterseal kv create SPACE              makes a space\n"
    "       meterseal kv status\n"
    "\nEach takes --dir DIR.\n";

struct kv_args {
    struct options common;
    const char *prefix;
    const char *limit;
    int count;
    char **plain; /* verb, space, key, value */
};

struct kv_verb {
    const char *name;
    int count_min, count_max; /* plain arguments behind the verb */
    err (*run)(struct http_client *c, const struct kv_args *a);
};

static err target_for(const struct kv_args *a, const char *root, struct buf *out)
{
    TRY(buf_string(out, root));
    TRY(http_escape(bytes_of_string(a->plain[1]), out));
    if (a->count > 2) {
        TRY(buf_string(out, "/"));
        TRY(http_escape(bytes_of_string(a->plain[2]), out));
    }
    return buf_u8(out, '\0');
}

/* One call; an answer that is not 2xx becomes an error with the server's own words. */
static err call(struct http_client *c, const char *method, struct buf *target, struct bytes body,
                struct buf *out)
{
    struct http_call request = { .method = method, .target = (const char *)target->ptr };
    unsigned status = 0;

    if (body.ptr != NULL) {
        request.body = body;
        request.content_type = "application/octet-stream";
    }
    TRY(http_call(c, &request, &status, out));
    if (status == 404) {
        FAIL(ERR_MISSING, "%s: no such key or space", request.target);
    }
    if (status / 100 != 2) {
        FAIL(ERR_PROTO, "the store answers %u: %.*s", status,
             (int)(out->len < 400 ? out->len : 400), (const char *)out->ptr);
    }
    return OK;
}

static err read_stdin(struct buf *out)
{
    uint8_t part[65536];

    for (;;) {
        ssize_t n = read(STDIN_FILENO, part, sizeof part);
        if (n < 0) {
            FAIL(ERR_IO, "cannot read standard input");
        }
        if (n == 0) {
            return OK;
        }
        TRY(buf_append(out, (struct bytes){ part, (size_t)n }));
    }
}

static err kv_put(struct http_client *c, const struct kv_args *a)
{
    AUTO(buf_done) struct buf target = { .max = TARGET_BYTES_MAX };
    AUTO(buf_done) struct buf answer = { .max = VALUE_BYTES_MAX };
    AUTO(buf_done) struct buf value = { .max = VALUE_BYTES_MAX };

    if (a->count == 4) {
        TRY(buf_string(&value, a->plain[3]));
    } else {
        TRY(read_stdin(&value));
    }
    TRY(buf_reserve(&value, 1)); /* an empty value is a value, not the lack of a body */
    struct kv_args key = *a;
    key.count = 3;
    TRY(target_for(&key, "/v1/kv/", &target));
    return call(c, "PUT", &target, buf_bytes(&value), &answer);
}

static err kv_get(struct http_client *c, const struct kv_args *a)
{
    AUTO(buf_done) struct buf target = { .max = TARGET_BYTES_MAX };
    AUTO(buf_done) struct buf value = { .max = VALUE_BYTES_MAX };

    TRY(target_for(a, "/v1/kv/", &target));
    TRY(call(c, "GET", &target, (struct bytes){ NULL, 0 }, &value));
    if (fwrite(value.ptr, 1, value.len, stdout) != value.len) {
        FAIL(ERR_IO, "cannot write to standard output");
    }
    return OK;
}

static err kv_delete(struct http_client *c, const struct kv_args *a)
{
    AUTO(buf_done) struct buf target = { .max = TARGET_BYTES_MAX };
    AUTO(buf_done) struct buf answer = { .max = VALUE_BYTES_MAX };

    TRY(target_for(a, "/v1/kv/", &target));
    return call(c, "DELETE", &target, (struct bytes){ NULL, 0 }, &answer);
}

static err kv_create(struct http_client *c, const struct kv_args *a)
{
    AUTO(buf_done) struct buf target = { .max = TARGET_BYTES_MAX };
    AUTO(buf_done) struct buf answer = { .max = VALUE_BYTES_MAX };

    TRY(target_for(a, "/v1/spaces/", &target));
    return call(c, "PUT", &target, BYTES_LIT("{}"), &answer);
}

/* One key a line: control characters would write on the terminal, or end the line. */
static void print_key(const char *key)
{
    for (; *key != '\0'; key++) {
        unsigned char c = (unsigned char)*key;
        if (c < ' ' || c == 0x7f || c == '\\') {
            printf("\\x%02x", c);
        } else {
            putchar(c);
        }
    }
    putchar('\n');
}

static void print_keys(const json_t *page)
{
    const json_t *keys = json_object_get(page, "keys");

    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *entry = json_array_get(keys, i);
        const char *key = json_string_value(json_object_get(entry, "key"));
        const char *key64 = json_string_value(json_object_get(entry, "key64"));
        if (key != NULL) {
            print_key(key);
        } else if (key64 != NULL) {
            printf("base64:%s\n", key64);
        }
    }
}

static err kv_list(struct http_client *c, const struct kv_args *a)
{
    AUTO(buf_done) struct buf target = { .max = TARGET_BYTES_MAX };
    AUTO(buf_done) struct buf page = { .max = VALUE_BYTES_MAX };
    uint64_t limit = 1000;

    if (a->limit != NULL) {
        TRY(option_number("limit", a->limit, 1, 1000, &limit));
    }
    TRY(buf_string(&target, "/v1/kv/"));
    TRY(http_escape(bytes_of_string(a->plain[1]), &target));
    TRY(buf_printf(&target, "?limit=%llu&values=0", (unsigned long long)limit));
    if (a->prefix != NULL) {
        TRY(buf_string(&target, "&prefix="));
        TRY(http_escape(bytes_of_string(a->prefix), &target));
    }
    TRY(buf_u8(&target, '\0'));
    TRY(call(c, "GET", &target, (struct bytes){ NULL, 0 }, &page));
    if (a->common.json) {
        printf("%.*s\n", (int)page.len, (const char *)page.ptr);
        return OK;
    }
    json_t *doc = json_loadb((const char *)page.ptr, page.len, 0, NULL);
    if (doc == NULL) {
        FAIL(ERR_PROTO, "the store's page is no JSON");
    }
    print_keys(doc);
    json_decref(doc);
    return OK;
}

static err kv_status(struct http_client *c, const struct kv_args *a)
{
    AUTO(buf_done) struct buf target = { .max = TARGET_BYTES_MAX };
    AUTO(buf_done) struct buf answer = { .max = VALUE_BYTES_MAX };

    (void)a;
    TRY(buf_string(&target, "/v1/admin/status"));
    TRY(buf_u8(&target, '\0'));
    TRY(call(c, "GET", &target, (struct bytes){ NULL, 0 }, &answer));
    printf("%.*s\n", (int)answer.len, (const char *)answer.ptr);
    return OK;
}

static const struct kv_verb verbs[] = {
    { "put", 2, 3, kv_put },       { "get", 2, 2, kv_get },   { "delete", 2, 2, kv_delete },
    { "create", 1, 1, kv_create }, { "list", 1, 1, kv_list }, { "status", 0, 0, kv_status },
};

static const struct kv_verb *verb_named(const struct kv_args *a)
{
    for (size_t i = 0; a->count > 0 && i < sizeof verbs / sizeof verbs[0]; i++) {
        const struct kv_verb *v = &verbs[i];
        if (strcmp(a->plain[0], v->name) == 0 && a->count - 1 >= v->count_min &&
            a->count - 1 <= v->count_max) {
            return v;
        }
    }
    return NULL;
}

static err run_in_place(const struct kv_verb *v, const struct kv_args *a)
{
    AUTO(http_client_freep) struct http_client *c = NULL;
    struct place p;

    TRY(place_open(a->common.dir, &p));
    TRY(calls_http(&p, "kvs", PLACE_KVS, &c));
    return v->run(c, a);
}

int verb_kv(int argc, char **argv)
{
    struct kv_args a = { .plain = argv };
    const struct option_spec specs[] = {
        { "prefix", NULL, &a.prefix },
        { "limit", NULL, &a.limit },
    };

    err e = cli_options(argc, argv, specs, 2, &a.common, &a.count);
    if (e.code) {
        cli_fail(e);
        return EXIT_USAGE;
    }
    if (a.common.help) {
        printf("%s", usage);
        return EXIT_DONE;
    }
    const struct kv_verb *v = verb_named(&a);
    if (v == NULL) {
        return cli_usage(usage);
    }
    e = run_in_place(v, &a);
    return e.code ? cli_fail(e) : EXIT_DONE;
}
