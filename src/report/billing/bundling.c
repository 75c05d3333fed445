/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/bundling.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"

#define METER_DIGITS 16
#define FILE_MODE 0644
#define PREVIOUS_FOLDERS_MAX 10000
#define NAMES_BYTES_MAX (64u << 20) /* a million meters in one folder */

static err path_of(char out[PATH_MAX], const char *dir, const char *name)
{
    if (snprintf(out, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX) {
        FAIL(ERR_LIMIT, "%s/%s: path too long", dir, name);
    }
    return OK;
}

static err write_into(const char *dir, const char *name, struct bytes octets)
{
    char path[PATH_MAX];

    TRY(path_of(path, dir, name));
    return file_write(path, octets, FILE_MODE);
}

static err meter_dir(char out[PATH_MAX], const char *out_dir, uint64_t meter)
{
    char name[METER_DIGITS + 1];

    snprintf(name, sizeof name, "%016" PRIx64, meter);
    return path_of(out, out_dir, name);
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

    TRY(path_of(certs, dir, BUNDLE_CERTS));
    TRY(file_make_dirs(certs, 0755));
    snprintf(name, sizeof name, BUNDLE_CERTS "/%016" PRIx64 ".crt", parts->bill->meter.id);
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
    TRY(path_of(path, dir, BUNDLE_BILL));
    TRY(file_read(path, json));
    return err_context(bill_parse(buf_bytes(json), out), "%s", path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names { /* of the entries of a folder, sorted */
    struct arena text;
    char **list; /* owned, the texts by the arena */
    size_t count;
    size_t room;
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

/* Entries that begin with a point are none of ours. */
static err names_read(const char *dir, struct names *n)
{
    DIR *d = opendir(dir);
    err e = OK;

    if (d == NULL) {
        FAIL(ERR_MISSING, "%s: no such directory", dir);
    }
    for (struct dirent *entry = readdir(d); entry != NULL && !e.code; entry = readdir(d)) {
        e = entry->d_name[0] == '.' ? OK : names_add(n, entry->d_name);
    }
    closedir(d);
    if (!e.code && n->count > 0) {
        qsort(n->list, n->count, sizeof n->list[0], by_name);
    }
    return err_context(e, "%s", dir);
}

err bundle_find_previous(const char *bills_dir, uint64_t meter, int64_t start_s, struct buf *json,
                         struct bill *out)
{
    AUTO(names_done) struct names n = { .text = { .max = NAMES_BYTES_MAX } };
    char folder[PATH_MAX];

    TRY(names_read(bills_dir, &n));
    for (size_t i = 0; i < n.count && i < PREVIOUS_FOLDERS_MAX; i++) {
        buf_clear(json);
        TRY(path_of(folder, bills_dir, n.list[i]));
        if (!bundle_read_bill(folder, meter, json, out).code && out->end_s == start_s &&
            out->meter.id == meter) {
            return OK;
        }
    }
    buf_clear(json);
    FAIL(ERR_MISSING, "no bill of meter %016" PRIx64 " ends where this one starts", meter);
}

err bundle_each(const char *dir, err (*each)(void *arg, const char *path, uint64_t meter),
                void *arg)
{
    AUTO(names_done) struct names n = { .text = { .max = NAMES_BYTES_MAX } };
    char path[PATH_MAX];
    uint8_t id[8];

    TRY(names_read(dir, &n));
    for (size_t i = 0; i < n.count; i++) {
        if (strlen(n.list[i]) == METER_DIGITS &&
            !hex_decode(bytes_of_string(n.list[i]), id, sizeof id).code) {
            TRY(path_of(path, dir, n.list[i]));
            TRY(each(arg, path, load_u64(id)));
        }
    }
    return OK;
}
