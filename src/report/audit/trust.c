/* SPDX-License-Identifier: Apache-2.0 */
#include "report/audit/trust.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/folder.h"
#include "lib/base/mem.h"
#include "lib/wire/tariff.h"

#define CERTIFICATE_BYTES_MAX (16u << 10)

void trust_done(struct trust *t)
{
    buf_done(&t->institute);
    buf_done(&t->utility);
    buf_done(&t->revoked);
    buf_done(&t->revoked_signature);
    buf_done(&t->approved);
    buf_done(&t->terms);
}

static err read_file(const char *path, size_t max, struct buf *out, struct bytes *view)
{
    if (path == NULL) {
        return OK;
    }
    out->max = max;
    TRY(file_read(path, out));
    if (out->len == 0) {
        FAIL(ERR_MISSING, "%s is empty", path);
    }
    *view = buf_bytes(out);
    return OK;
}

static err read_revoked(const char *dir, struct trust *t, struct audit_options *o)
{
    char path[PATH_MAX];

    if (dir == NULL) {
        return OK;
    }
    TRY(file_join(dir, "list.json", path));
    TRY(read_file(path, CANON_BYTES_MAX, &t->revoked, &o->revoked));
    TRY(file_join(dir, "list.sig", path));
    return read_file(path, CERTIFICATE_BYTES_MAX, &t->revoked_signature, &o->revoked_signature);
}

/* --- tariffs and calendars --- */

/* Their labels differ, so one list of hashes serves both. */
static err term_hash(struct bytes text, struct digest *out)
{
    AUTO(mem_givep) struct tariff *tariff = mem_take(sizeof *tariff);
    AUTO(mem_givep) struct calendar *calendar = mem_take(sizeof *calendar);

    if (tariff == NULL || calendar == NULL) {
        FAIL(ERR_LIMIT, "no memory for a tariff");
    }
    if (!tariff_parse(text, tariff).code) {
        *out = tariff_hash(text);
        return OK;
    }
    if (!calendar_parse(text, calendar).code) {
        *out = calendar_hash(text);
        return OK;
    }
    FAIL(ERR_PROTO, "neither a tariff nor a calendar in canonical form");
}

static err read_term(const char *dir, const char *name, struct buf *out)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    char path[PATH_MAX];
    struct digest hash;

    TRY(file_join(dir, name, path));
    TRY(file_read(path, &text));
    TRY(err_context(term_hash(buf_bytes(&text), &hash), "%s", path));
    return buf_append(out, DIGEST_VIEW(&hash));
}

static bool is_document(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".json") == 0;
}

static err read_terms(const char *dir, struct trust *t, struct audit_options *o)
{
    if (dir == NULL) {
        return OK;
    }
    AUTO(folder_done) struct folder f = { 0 };
    TRY(folder_read(dir, &f));
    t->terms.max = TRUST_TERMS_MAX * sizeof(struct digest);
    for (size_t i = 0; i < f.count; i++) {
        TRY(is_document(f.names[i]) ? read_term(dir, f.names[i], &t->terms) : OK);
    }
    if (t->terms.len == 0) {
        FAIL(ERR_MISSING, "%s has no tariff and no calendar (*.json)", dir);
    }
    o->terms = (const struct digest *)(const void *)t->terms.ptr;
    o->term_count = t->terms.len / sizeof(struct digest);
    return OK;
}

err trust_read(const struct trust_paths *paths, struct trust *out, struct audit_options *options)
{
    TRY(read_file(paths->institute, CERTIFICATE_BYTES_MAX, &out->institute, &options->institute));
    TRY(read_file(paths->utility, CERTIFICATE_BYTES_MAX, &out->utility, &options->utility));
    TRY(read_file(paths->approved, CANON_BYTES_MAX, &out->approved, &options->approved));
    TRY(read_revoked(paths->revoked, out, options));
    return read_terms(paths->terms, out, options);
}

void trust_gaps(const struct trust_paths *paths, const char *out[TRUST_GAPS_MAX + 1])
{
    const struct {
        const char *path, *name;
    } known[TRUST_GAPS_MAX] = { { paths->institute, "institute" },
                                { paths->utility, "utility" },
                                { paths->terms, "terms" },
                                { paths->revoked, "revoked" } };
    size_t count = 0;

    for (size_t i = 0; i < TRUST_GAPS_MAX; i++) {
        if (known[i].path == NULL) {
            out[count++] = known[i].name;
        }
    }
    out[count] = NULL;
}
