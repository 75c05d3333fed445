/* SPDX-License-Identifier: Apache-2.0 */
/* meterseal audit: the metrology institute's own tool. Files in, verdict out. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/folder.h"
#include "lib/base/mem.h"
#include "lib/base/options.h"
#include "lib/wire/bundle.h"
#include "report/audit/load.h"
#include "report/audit/trust.h"
#include "report/audit/verdict.h"

#define EXIT_UNFINISHED 1
#define EXIT_USAGE 2
#define OUT_BYTES_MAX (512u << 20)

static const char usage[] =
    "usage: meterseal audit [--level L0|L1] [--institute CERT] [--utility CERT] [--terms DIR]\n"
    "           [--revoked DIR] [--approved FILE] [--hash HEX] [--json] BUNDLE... | --all DIR\n\n"
    "Proves offline that a bill rests on every signed reading, each once, unchanged, and that "
    "every\n"
    "amount follows from them. A bundle is a folder as `meterseal bill run` writes it.\n"
    "  --all DIR    all bundles in DIR, or in its folders\n"
    "  --level      L0: arithmetic only; L1: everything (default)\n"
    "  --institute  the root you trust, PEM\n"
    "  --utility    the utility's certificate you trust, PEM\n"
    "  --terms      folder of the tariffs and calendars you know, canonical JSON\n"
    "  --revoked    folder of the institute's newest list.json and list.sig\n"
    "  --approved   the measurements of code you approve\n"
    "               What you do not give is taken from the bundle, whose maker chose it.\n"
    "  --hash       the bill hash on the customer's paper, 64 hex digits; one bundle\n"
    "Exit status: 0 clean, 1 could not finish, 2 wrong usage, else the class of the worst "
    "finding:\n"
    "10 form, 20 keys, 30 completeness, 40 integrity, 50 estimates, 60 amounts, 80 code.\n";

struct arguments {
    struct trust_paths trust;
    const char *level, *hash, *all;
    bool json, help;
};

struct work {
    struct audit_options options;
    struct trust trust;
    struct loaded loaded;
    struct verdict verdict;
};

static void work_done(struct work *w)
{
    trust_done(&w->trust);
    bundle_loaded_done(&w->loaded);
    verdict_done(&w->verdict);
}

static err check_name(const char *dir, struct bytes text, struct findings *f)
{
    AUTO(mem_givep) struct bill *b = mem_take(sizeof *b);

    if (b == NULL) {
        FAIL(ERR_LIMIT, "no memory for a bill");
    }
    if (!bill_parse(text, b).code) {
        bundle_name_check(dir, b, f);
    }
    return OK;
}

static err audit_one(struct work *w, const char *dir)
{
    AUTO(findings_done) struct findings f = { 0 };

    if (bundle_load(dir, &w->loaded).code) {
        return verdict_unfinished(&w->verdict, dir);
    }
    struct bytes text = w->loaded.files.octets[AUDIT_BILL];
    TRY(audit_bundle(&w->loaded.files, &w->options, &f));
    TRY(check_name(dir, text, &f));
    return verdict_add(&w->verdict, dir, text, &f);
}

/* --- all bundles of a folder --- */

static err audit_folder(struct work *w, const char *dir, int depth);

/* A folder with a bill is a bundle, whatever it is called; another one is looked into. What cannot
 * be looked into is told: the auditor must not think that he has seen everything. */
static err audit_entry(struct work *w, const char *path, int depth)
{
    AUTO(folder_done) struct folder f = { 0 };

    err e = folder_read(path, &f);
    if (e.code == ERR_LIMIT) {
        return e;
    }
    if (e.code == ERR_PROTO) {
        return OK; /* a file */
    }
    if (e.code) {
        return verdict_unfinished(&w->verdict, path);
    }
    if (f.count == 0) {
        return OK;
    }
    if (folder_has(&f, BUNDLE_BILL)) {
        return audit_one(w, path);
    }
    if (depth == 0) {
        err_set(__FILE__, __LINE__, "no bundle, and too deep to look into");
        return verdict_unfinished(&w->verdict, path);
    }
    return audit_folder(w, path, depth - 1);
}

/* Bundles in `dir`; folders in it that are none are looked into, `depth` levels down. */
static err audit_folder(struct work *w, const char *dir, int depth)
{
    AUTO(folder_done) struct folder f = { 0 };
    char path[PATH_MAX];

    TRY(folder_read(dir, &f));
    for (size_t i = 0; i < f.count; i++) {
        TRY(file_join(dir, f.names[i], path));
        TRY(bundle_is_named(f.names[i]) ? audit_one(w, path) : audit_entry(w, path, depth));
    }
    return OK;
}

/* --- arguments --- */

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
    return OK;
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
    AUTO(work_done) struct work w = { .options = { .level = AUDIT_L1 } };
    struct arguments a = { .json = false };
    int bundles = 0;
    const struct option_spec specs[] = {
        { "level", NULL, &a.level },
        { "institute", NULL, &a.trust.institute },
        { "utility", NULL, &a.trust.utility },
        { "terms", NULL, &a.trust.terms },
        { "revoked", NULL, &a.trust.revoked },
        { "approved", NULL, &a.trust.approved },
        { "hash", NULL, &a.hash },
        { "all", NULL, &a.all },
        { "json", &a.json, NULL },
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
    if (options_take(&a, &w).code) {
        return usage_error();
    }
    trust_gaps(&a.trust, w.verdict.from_bundles);
    if (trust_read(&a.trust, &w.trust, &w.options).code ||
        audit_them(&w, &a, bundles, argv + 1).code) {
        fprintf(stderr, "meterseal audit: %s\n", err_text());
        return EXIT_UNFINISHED;
    }
    return verdict_exit(&w.verdict);
}
