/* SPDX-License-Identifier: Apache-2.0 */
#include "report/audit/load.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/wire/bill.h"
#include "lib/wire/bundle.h"
#include "lib/wire/meter_id.h"

#define CERTIFICATE_BYTES_MAX (16u << 10)
#define EVIDENCE_BYTES_MAX (1u << 20)

static const struct {
    const char *name;
    size_t max;
} known[AUDIT_FILES] = {
    [AUDIT_BILL] = { BUNDLE_BILL, CANON_BYTES_MAX + 1 }, /* one above: E101 is the reader's word */
    [AUDIT_SIGNATURE] = { BUNDLE_SIGNATURE, CERTIFICATE_BYTES_MAX },
    [AUDIT_PREVIOUS] = { BUNDLE_PREVIOUS, CANON_BYTES_MAX + 1 },
    [AUDIT_READINGS] = { BUNDLE_READINGS, BUNDLE_READINGS_BYTES_MAX },
    [AUDIT_SEALS] = { BUNDLE_SEALS, BUNDLE_SEALS_BYTES_MAX },
    [AUDIT_LEAVES] = { BUNDLE_LEAVES, (size_t)BUNDLE_RECORDS_MAX *DIGEST_BYTES },
    [AUDIT_TARIFF] = { BUNDLE_TARIFF, CANON_BYTES_MAX + 1 },
    [AUDIT_CALENDAR] = { BUNDLE_CALENDAR, CANON_BYTES_MAX + 1 },
    [AUDIT_EVIDENCE] = { BUNDLE_EVIDENCE, EVIDENCE_BYTES_MAX },
    [AUDIT_APPROVED] = { BUNDLE_APPROVED, CANON_BYTES_MAX + 1 },
    [AUDIT_INSTITUTE] = { BUNDLE_INSTITUTE, CERTIFICATE_BYTES_MAX },
    [AUDIT_METER] = { NULL, CERTIFICATE_BYTES_MAX }, /* named by the meter */
    [AUDIT_UTILITY] = { BUNDLE_UTILITY, CERTIFICATE_BYTES_MAX },
    [AUDIT_REVOKED] = { BUNDLE_REVOKED, CANON_BYTES_MAX + 1 },
    [AUDIT_REVOKED_SIGNATURE] = { BUNDLE_REVOKED_SIGNATURE, CERTIFICATE_BYTES_MAX },
};

static err load_file(const char *dir, const char *name, size_t max, struct buf *out,
                     bool *out_present)
{
    char path[PATH_MAX];
    struct stat st;

    *out_present = false;
    buf_clear(out);
    out->max = max;
    TRY(file_join(dir, name, path));
    if (lstat(path, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return OK;
        }
        FAIL(ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        FAIL(ERR_PROTO, "%s: no regular file: links out of a bundle are refused", path);
    }
    TRY(file_read(path, out));
    *out_present = true;
    return OK;
}

/* The folder of certificates may be no link either. */
static err check_folder(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    TRY(file_join(dir, name, path));
    if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        FAIL(ERR_PROTO, "%s: no folder: links out of a bundle are refused", path);
    }
    return OK;
}

static err load_meter_certificate(const char *dir, struct loaded *l)
{
    AUTO(mem_givep) struct bill *bill = mem_take(sizeof *bill);
    char name[64];

    if (bill == NULL) {
        FAIL(ERR_LIMIT, "no memory for a bill");
    }
    l->files.present[AUDIT_METER] = false;
    if (bill_parse(buf_bytes(&l->octets[AUDIT_BILL]), bill).code) {
        return OK; /* the audit will say so */
    }
    snprintf(name, sizeof name, BUNDLE_CERTS "/%" PRI_METER ".crt", bill->meter.id);
    return load_file(dir, name, known[AUDIT_METER].max, &l->octets[AUDIT_METER],
                     &l->files.present[AUDIT_METER]);
}

err bundle_load(const char *dir, struct loaded *out)
{
    struct stat st;

    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        FAIL(ERR_IO, "%s: no such folder", dir);
    }
    TRY(check_folder(dir, BUNDLE_CERTS));
    TRY(check_folder(dir, "revoked"));
    for (size_t i = 0; i < AUDIT_FILES; i++) {
        if (known[i].name != NULL) {
            TRY(load_file(dir, known[i].name, known[i].max, &out->octets[i],
                          &out->files.present[i]));
        }
    }
    TRY(load_meter_certificate(dir, out));
    for (size_t i = 0; i < AUDIT_FILES; i++) {
        out->files.octets[i] =
            out->files.present[i] ? buf_bytes(&out->octets[i]) : (struct bytes){ NULL, 0 };
    }
    return OK;
}

void bundle_loaded_done(struct loaded *l)
{
    for (size_t i = 0; i < AUDIT_FILES; i++) {
        buf_done(&l->octets[i]);
    }
}

bool bundle_is_named(const char *name)
{
    uint64_t meter;

    return !meter_id_parse(bytes_of_string(name), &meter).code;
}

/* The last part of a path, slashes behind it or not. */
static void name_of(const char *dir, char out[METER_ID_CHARS + 2])
{
    size_t end = strlen(dir);

    while (end > 0 && dir[end - 1] == '/') {
        end--;
    }
    size_t from = end;
    while (from > 0 && dir[from - 1] != '/') {
        from--;
    }
    snprintf(out, METER_ID_CHARS + 2, "%.*s", (int)(end - from), dir + from);
}

void bundle_name_check(const char *dir, const struct bill *b, struct findings *out)
{
    struct finding f = { .code = E201,
                         .meter = b->meter.id,
                         .sequence = FINDING_NO_PLACE,
                         .day_s = FINDING_NO_PLACE,
                         .text = "the bundle bears the id of another meter than its bill" };
    char id[METER_ID_CHARS + 1];
    char name[METER_ID_CHARS + 2];

    name_of(dir, name);
    meter_id_text(b->meter.id, id);
    if (bundle_is_named(name) && strcmp(name, id) != 0) {
        snprintf(f.expected, sizeof f.expected, "%s", name);
        snprintf(f.found, sizeof f.found, "%s", id);
        findings_add(out, &f);
    }
}
