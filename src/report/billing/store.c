/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/crypto/cert.h"
#include "lib/crypto/secret.h"
#include "lib/tee/tee.h"
#include "lib/wire/meter_id.h"
#include "report/billing/civil.h"
#include "report/billing/documents.h"

#define PEM_BYTES_MAX (16u << 10)
#define EVIDENCE_BYTES_MAX (64u << 10)
#define EXAMPLES "../../share/meterseal/tariff" /* from the program's own folder */

/* --- the store --- */

err store_open(const struct billing_options *o, struct store *out)
{
    *out = (struct store){ .kvs = NULL };
    TRY(place_open(o->dir, &out->place));
    struct place_path ca = place_path(&out->place, "pki/ca.crt");
    struct place_path kvs_url = place_url(&out->place, PLACE_KVS);
    struct place_path sql_url = place_url(&out->place, PLACE_SQL);
    struct place_path kvs_key = place_path(&out->place, "secrets/kvs-billing.key");
    struct place_path sql_key = place_path(&out->place, "secrets/sql-billing.key");
    struct http_client_options kvs = { .base_url = kvs_url.text,
                                       .server_role = "kvs",
                                       .tls = { .ca = ca.text },
                                       .bearer_file = kvs_key.text };
    struct http_client_options sql = { .base_url = sql_url.text,
                                       .server_role = "sql",
                                       .tls = { .ca = ca.text },
                                       .bearer_file = sql_key.text };
    TRY(kvs_client_new(NULL, &kvs, &out->kvs));
    TRY(sql_client_new(NULL, &sql, &out->sql));
    return readings_open(out->kvs, &out->readings);
}

void store_close(struct store *s)
{
    if (s->readings != NULL) {
        readings_close(s->readings);
    }
    if (s->sql != NULL) {
        sql_client_free(s->sql);
    }
    if (s->kvs != NULL) {
        kvs_client_free(s->kvs);
    }
    *s = (struct store){ .kvs = NULL };
}

/* --- documents --- */

/* The file given, or DIR/etc/NAME, or the example that was installed beside the program. */
static err document_path(const char *given, const struct place *p, const char *name,
                         const char *example, char out[PATH_MAX])
{
    char self[PATH_MAX];

    if (given != NULL) {
        snprintf(out, PATH_MAX, "%s", given);
        return OK;
    }
    struct place_path path = place_path(p, "etc/%s", name);
    if (access(path.text, R_OK) == 0) {
        snprintf(out, PATH_MAX, "%s", path.text);
        return OK;
    }
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL) {
        FAIL(ERR_MISSING, "%s: no such file", path.text);
    }
    *slash = '\0';
    if (snprintf(out, PATH_MAX, "%s/" EXAMPLES "/%s", self, example) >= PATH_MAX ||
        access(out, R_OK) != 0) {
        FAIL(ERR_MISSING, "%s: no such file; examples are in deploy/tariff", path.text);
    }
    fprintf(stderr, "meterseal bill: %s is missing: the example %s is used\n", path.text, example);
    return OK;
}

static err documents_load(const struct billing_options *o, const struct place *p, struct terms *t)
{
    char path[PATH_MAX];

    TRY(document_path(o->tariff, p, "tariff.yaml", "a4-green-example.yaml", path));
    TRY(document_tariff(path, &t->tariff_json, &t->tariff));
    TRY(document_path(o->calendar, p, "calendar.yaml", "calendar-meters.yaml", path));
    TRY(document_calendar(path, &t->calendar_json, &t->calendar));
    if (plan_posts_unusual(&t->tariff)) {
        fprintf(stderr,
                "meterseal bill: warning: tariff %s: peak is not three hours in a row on "
                "weekdays only\n",
                t->tariff.act);
    }
    return OK;
}

/* --- period --- */

/* A civil day is where it starts; anything longer is UTC. */
static err edge_parse(const struct calendar *c, const char *name, const char *text, int64_t *out)
{
    int32_t day = 0;

    if (strlen(text) != CANON_DAY_BYTES - 1) {
        err e = time_parse(bytes_of_string(text), out);
        return err_context(e, "--%s", name);
    }
    TRY(err_context(canon_day_parse(bytes_of_string(text), &day), "--%s", name));
    *out = civil_day_start(c, day);
    return OK;
}

static err period_parse(const struct billing_options *o, struct terms *t, char label[32])
{
    char from[CANON_DAY_BYTES];
    char to[CANON_DAY_BYTES];

    if (o->period != NULL) {
        TRY(civil_month(&t->calendar, bytes_of_string(o->period), &t->start_s, &t->end_s));
        snprintf(label, 32, "%.7s", o->period);
        return OK;
    }
    TRY(edge_parse(&t->calendar, "from", o->from, &t->start_s));
    TRY(edge_parse(&t->calendar, "to", o->to, &t->end_s));
    canon_day_text(civil_day(&t->calendar, t->start_s), from);
    canon_day_text(civil_day(&t->calendar, t->end_s), to);
    snprintf(label, 32, "%s_%s", from, to);
    return OK;
}

static err folders_set(const struct billing_options *o, const struct place *p, const char *label,
                       struct terms *t)
{
    struct place_path bills = place_path(p, "bills");
    struct place_path own = place_path(p, "bills/%s", label);

    snprintf(t->out_dir, sizeof t->out_dir, "%s", o->out != NULL ? o->out : own.text);
    if (o->previous == NULL && o->out == NULL) {
        snprintf(t->bills_dir, sizeof t->bills_dir, "%s", bills.text);
    }
    return OK;
}

err terms_load(const struct billing_options *o, const struct place *p, struct terms *out)
{
    char label[32];

    out->tariff_json.max = CANON_BYTES_MAX;
    out->calendar_json.max = CANON_BYTES_MAX;
    TRY(documents_load(o, p, out));
    TRY(period_parse(o, out, label));
    TRY(plan_new(&out->tariff, &out->calendar, out->start_s, out->end_s, RECORD_INTERVAL_S,
                 &out->plan));
    return folders_set(o, p, label, out);
}

static void wipe_buf(struct buf *b)
{
    if (b->ptr != NULL) {
        wipe(b->ptr, b->cap);
    }
    buf_done(b);
}

static err key_load(const struct place *p, struct terms *t)
{
    AUTO(wipe_buf) struct buf pem = { .max = PEM_BYTES_MAX };
    struct place_path path = place_path(p, "pki/utility.key");

    TRY(file_read(path.text, &pem));
    return err_context(private_key_from_pem(buf_bytes(&pem), &t->key), "%s", path.text);
}

/* The evidence binds the utility's certificate: who signs is who was measured. */
static err evidence_make(struct terms *t)
{
    const struct tee_provider *tee = NULL;
    struct digest claim = sha256(buf_bytes(&t->utility));

    TRY(tee_open("sim", &tee));
    TRY(tee->measure(&t->measurement));
    t->evidence.max = EVIDENCE_BYTES_MAX;
    return tee->quote(&claim, &t->evidence);
}

err terms_load_keys(const struct place *p, struct terms *out)
{
    out->institute.max = PEM_BYTES_MAX;
    out->utility.max = PEM_BYTES_MAX;
    TRY(file_read(place_path(p, "pki/institute.crt").text, &out->institute));
    TRY(file_read(place_path(p, "pki/utility.crt").text, &out->utility));
    TRY(key_load(p, out));
    return evidence_make(out);
}

void terms_done(struct terms *t)
{
    buf_done(&t->tariff_json);
    buf_done(&t->calendar_json);
    buf_done(&t->institute);
    buf_done(&t->utility);
    buf_done(&t->evidence);
    private_key_freep(&t->key);
    plan_freep(&t->plan);
}

struct bundle_terms terms_bundle(const struct terms *t)
{
    return (struct bundle_terms){ .tariff = buf_bytes(&t->tariff_json),
                                  .calendar = buf_bytes(&t->calendar_json),
                                  .institute = buf_bytes(&t->institute),
                                  .utility = buf_bytes(&t->utility),
                                  .evidence = buf_bytes(&t->evidence),
                                  .key = t->key };
}

err billing_meter_id(const char *text, uint64_t *out)
{
    return err_context(meter_id_parse(bytes_of_string(text), out), "--meter %s", text);
}
