/* SPDX-License-Identifier: Apache-2.0 */
/* meterseal audit: the metrology institute's own tool. Files in, verdict out. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/options.h"
#include "report/audit/load.h"
#include "report/audit/verdict.h"

#define EXIT_UNFINISHED 1
#define EXIT_USAGE 2
#define CERTIFICATE_BYTES_MAX (16u << 10)
#define OUT_BYTES_MAX (512u << 20)
#define METER_DIGITS 16
#define NAMES_BYTES_MAX (64u << 20)

static const char usage[] =
    "usage: meterseal audit [--level L0|L1] [--institute CERT] [--utility CERT] [--hash HEX]\n"
    "           [--json] BUNDLE... | --all DIR\n\n"
    "Proves offline that a bill rests on every signed reading, each once, unchanged, and that "
    "every\n"
    "amount follows from them. A bundle is a folder as `meterseal bill run` writes it.\n"
    "  --all DIR    all bundles in DIR, or in its folders\n"
    "  --level      L0: arithmetic only; L1: everything (default)\n"
    "  --institute  the root you trust, PEM; without it the bundle's own is taken, which proves "
    "less\n"
    "  --utility    the utility's certificate you trust, PEM; likewise\n"
    "  --hash       the bill hash on the customer's paper, 64 hex digits; one bundle\n"
    "Exit status: 0 clean, 1 could not finish, 2 wrong usage, else the class of the worst "
    "finding:\n"
    "10 form, 20 keys, 30 completeness, 40 integrity, 50 estimates, 60 amounts, 80 code.\n";

struct arguments {
    const char *level, *institute, *utility, *hash, *all;
    bool json, help;
};

struct work {
    struct audit_options options;
    struct buf institute, utility;
    struct loaded loaded;
    struct verdict verdict;
};

static void work_done(struct work *w)
{
    buf_done(&w->institute);
    buf_done(&w->utility);
    bundle_loaded_done(&w->loaded);
    verdict_done(&w->verdict);
}

static err audit_one(struct work *w, const char *dir)
{
    AUTO(findings_done) struct findings f = { 0 };

    if (bundle_load(dir, &w->loaded).code) {
        return verdict_unfinished(&w->verdict, dir);
    }
    TRY(audit_bundle(&w->loaded.files, &w->options, &f));
    return verdict_add(&w->verdict, dir, &f);
}

/* --- all bundles of a folder --- */

struct names {
    struct arena text;
    char **list;
    size_t count, room;
};

static void names_done(struct names *n)
{
    arena_done(&n->text);
    mem_give(n->list);
}

static err names_add(struct names *n, const char *name)
{
    if (n->count == n->room) {
        size_t room = n->room == 0 ? 64 : 2 * n->room;
        char **grown = mem_resize(n->list, room * sizeof grown[0]);
        if (grown == NULL) {
            FAIL(ERR_LIMIT, "no memory for %zu names", room);
        }
        n->list = grown;
        n->room = room;
    }
    n->list[n->count] = arena_string(&n->text, bytes_of_string(name));
    if (n->list[n->count] == NULL) {
        FAIL(ERR_LIMIT, "too many names");
    }
    n->count++;
    return OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static err names_read(const char *dir, struct names *n)
{
    DIR *d = opendir(dir);
    err e = OK;

    if (d == NULL) {
        FAIL(ERR_MISSING, "%s: no such folder", dir);
    }
    for (struct dirent *entry = readdir(d); entry != NULL && !e.code; entry = readdir(d)) {
        e = entry->d_name[0] == '.' ? OK : names_add(n, entry->d_name);
    }
    closedir(d);
    if (!e.code && n->count > 0) {
        qsort(n->list, n->count, sizeof n->list[0], by_name);
    }
    return e;
}

static bool is_bundle_name(const char *name)
{
    return strlen(name) == METER_DIGITS && strspn(name, "0123456789abcdef") == METER_DIGITS;
}

/* Bundles in `dir`; folders in it that are none are looked into, `depth` levels down. */
static err audit_folder(struct work *w, const char *dir, int depth)
{
    AUTO(names_done) struct names n = { .text = { .max = NAMES_BYTES_MAX } };
    char path[PATH_MAX];

    TRY(names_read(dir, &n));
    for (size_t i = 0; i < n.count; i++) {
        if (snprintf(path, sizeof path, "%s/%s", dir, n.list[i]) >= (int)sizeof path) {
            FAIL(ERR_LIMIT, "%s/%s: path too long", dir, n.list[i]);
        }
        if (is_bundle_name(n.list[i])) {
            TRY(audit_one(w, path));
        } else if (depth > 0 && audit_folder(w, path, depth - 1).code == ERR_LIMIT) {
            return (err){ ERR_LIMIT };
        }
    }
    return OK;
}

/* --- arguments --- */

static err certificate_read(const char *path, struct buf *out, struct bytes *view)
{
    out->max = CERTIFICATE_BYTES_MAX;
    if (path == NULL) {
        return OK;
    }
    TRY(file_read(path, out));
    *view = buf_bytes(out);
    return OK;
}

static err options_take(const struct arguments *a, struct work *w)
{
    w->options.level = AUDIT_L1;
    if (a->level != NULL) {
        if (strcmp(a->level, "L0") != 0 && strcmp(a->level, "L1") != 0) {
            FAIL(ERR_PROTO, "--level: %s is neither L0 nor L1", a->level);
        }
        w->options.level = a->level[1] == '0' ? AUDIT_L0 : AUDIT_L1;
    }
    if (a->hash != NULL) {
        w->options.has_hash = true;
        TRY(err_context(hex_decode(bytes_of_string(a->hash), w->options.hash.octets, DIGEST_BYTES),
                        "--hash"));
    }
    TRY(certificate_read(a->institute, &w->institute, &w->options.institute));
    return certificate_read(a->utility, &w->utility, &w->options.utility);
}

static err audit_them(struct work *w, const struct arguments *a, int count, char **bundles)
{
    AUTO(buf_done) struct buf out = { .max = OUT_BYTES_MAX };

    for (int i = 0; i < count; i++) {
        TRY(audit_one(w, bundles[i]));
    }
    if (a->all != NULL) {
        TRY(audit_folder(w, a->all, 1));
        if (w->verdict.bundles == 0) {
            FAIL(ERR_MISSING, "%s has no bundles", a->all);
        }
    }
    TRY(verdict_finish(&w->verdict, &out));
    fwrite(out.ptr, 1, out.len, stdout);
    return OK;
}

static int usage_error(void)
{
    fprintf(stderr, "meterseal audit: %s\n%s", err_text(), usage);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    AUTO(work_done) struct work w = { .institute = { .max = CERTIFICATE_BYTES_MAX } };
    struct arguments a = { .json = false };
    int bundles = 0;
    const struct option_spec specs[] = {
        { "level", NULL, &a.level },     { "institute", NULL, &a.institute },
        { "utility", NULL, &a.utility }, { "hash", NULL, &a.hash },
        { "all", NULL, &a.all },         { "json", &a.json, NULL },
        { "help", &a.help, NULL },
    };

    if (options_parse(argc - 1, argv + 1, specs, OPTION_COUNT(specs), &bundles).code) {
        return usage_error();
    }
    if (a.help) {
        printf("%s", usage);
        return 0;
    }
    if ((bundles == 0) == (a.all == NULL) || (a.hash != NULL && bundles != 1)) {
        err_set(__FILE__, __LINE__, "which bundles: BUNDLE..., or --all DIR; --hash goes with one");
        return usage_error();
    }
    verdict_init(&w.verdict, a.json);
    err e = options_take(&a, &w);
    if (e.code == ERR_PROTO) {
        return usage_error();
    }
    if (e.code || audit_them(&w, &a, bundles, argv + 1).code) {
        fprintf(stderr, "meterseal audit: %s\n", err_text());
        return EXIT_UNFINISHED;
    }
    return verdict_exit(&w.verdict);
}
