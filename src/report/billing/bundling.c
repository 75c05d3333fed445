/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/bundling.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/folder.h"
#include "lib/wire/meter_id.h"

#define FILE_MODE 0644
#define PREVIOUS_FOLDERS_MAX 10000

static err write_into(const char *dir, const char *name, struct bytes octets)
{
    char path[PATH_MAX];

    TRY(file_join(dir, name, path));
    return file_write(path, octets, FILE_MODE);
}

static err meter_dir(char out[PATH_MAX], const char *out_dir, uint64_t meter)
{
    char name[METER_ID_CHARS + 1];

    meter_id_text(meter, name);
    return file_join(out_dir, name, out);
}

err bundle_write_readings(const char *dir, const struct collected *c)
{
    AUTO(buf_done) struct buf seals = { .max = BUNDLE_SEALS_BYTES_MAX };

    for (size_t i = 0; i < c->seal_count; i++) {
        TRY(bundle_seal_add(&seals, &c->seals[i]));
    }
    TRY(write_into(dir, BUNDLE_READINGS, buf_bytes(&c->octets)));
    return write_into(dir, BUNDLE_SEALS, buf_bytes(&seals));
}

static err write_certificates(const char *dir, const struct bundle_terms *terms,
                              const struct bundle_parts *parts)
{
    char certs[PATH_MAX];
    char name[64];

    TRY(file_join(dir, BUNDLE_CERTS, certs));
    TRY(file_make_dirs(certs, 0755));
    snprintf(name, sizeof name, BUNDLE_CERTS "/%" PRI_METER ".crt", parts->bill->meter.id);
    TRY(write_into(dir, name, parts->certificate));
    TRY(write_into(dir, BUNDLE_INSTITUTE, terms->institute));
    return write_into(dir, BUNDLE_UTILITY, terms->utility);
}

static err write_bill(const char *dir, const struct bundle_terms *terms, const struct bill *bill)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    struct signature signature;

    TRY(bill_write(bill, &json));
    struct digest hash = bill_hash(buf_bytes(&json));
    TRY(sign(terms->key, DIGEST_VIEW(&hash), &signature));
    TRY(write_into(dir, BUNDLE_SIGNATURE, (struct bytes){ signature.octets, signature.size }));
    return write_into(dir, BUNDLE_BILL, buf_bytes(&json));
}

err bundle_write(const char *out_dir, const struct bundle_terms *terms,
                 const struct bundle_parts *parts)
{
    char dir[PATH_MAX];

    TRY(meter_dir(dir, out_dir, parts->bill->meter.id));
    TRY(write_certificates(dir, terms, parts));
    TRY(bundle_write_readings(dir, parts->collected));
    TRY(write_into(dir, BUNDLE_LEAVES, parts->leaves));
    TRY(write_into(dir, BUNDLE_TARIFF, terms->tariff));
    TRY(write_into(dir, BUNDLE_CALENDAR, terms->calendar));
    TRY(write_into(dir, BUNDLE_EVIDENCE, terms->evidence));
    if (parts->previous.len > 0) {
        TRY(write_into(dir, BUNDLE_PREVIOUS, parts->previous));
    }
    return write_bill(dir, terms, parts->bill);
}

err bundle_read_bill(const char *out_dir, uint64_t meter, struct buf *json, struct bill *out)
{
    char dir[PATH_MAX];
    char path[PATH_MAX];

    TRY(meter_dir(dir, out_dir, meter));
    TRY(file_join(dir, BUNDLE_BILL, path));
    TRY(file_read(path, json));
    return err_context(bill_parse(buf_bytes(json), out), "%s", path);
}

err bundle_find_previous(const char *bills_dir, uint64_t meter, int64_t start_s, struct buf *json,
                         struct bill *out)
{
    AUTO(folder_done) struct folder f = { 0 };
    char folder[PATH_MAX];

    TRY(folder_read(bills_dir, &f));
    for (size_t i = 0; i < f.count && i < PREVIOUS_FOLDERS_MAX; i++) {
        buf_clear(json);
        TRY(file_join(bills_dir, f.names[i], folder));
        if (f.names[i][0] != '.' && !bundle_read_bill(folder, meter, json, out).code &&
            out->end_s == start_s && out->meter.id == meter) {
            return OK;
        }
    }
    buf_clear(json);
    FAIL(ERR_MISSING, "no bill of meter %" PRI_METER " ends where this one starts", meter);
}

err bundle_each(const char *dir, err (*each)(void *arg, const char *path, uint64_t meter),
                void *arg)
{
    AUTO(folder_done) struct folder f = { 0 };
    char path[PATH_MAX];
    uint64_t meter;

    TRY(folder_read(dir, &f));
    for (size_t i = 0; i < f.count; i++) {
        if (!meter_id_parse(bytes_of_string(f.names[i]), &meter).code) {
            TRY(file_join(dir, f.names[i], path));
            TRY(each(arg, path, meter));
        }
    }
    return OK;
}
