/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/calls.h"
#include "cli/run.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/wire/json_read.h"
#include "lib/wire/meter_id.h"
#include "lib/wire/record.h"

#define ARGS_MAX 24

err demo_program(const struct demo *d, const char *program, const char *const *args,
                 int status_max, json_t **out)
{
    AUTO(buf_done) struct buf text = { .max = RUN_OUTPUT_BYTES_MAX };
    const char *all[ARGS_MAX] = { NULL };
    struct run_result result;
    struct place_path path;
    size_t n = 0;

    TRY(cli_program(program, &path));
    all[n++] = path.text;
    for (size_t i = 0; args[i] != NULL && n < ARGS_MAX - 4; i++) {
        all[n++] = args[i];
    }
    all[n++] = "--dir";
    all[n++] = d->place.dir;
    all[n++] = "--json";
    TRY(run_capture(all, &text, &result));
    if (result.status > status_max) {
        FAIL(ERR_IO, "%s %s ended with status %d", program, args[0], result.status);
    }
    return json_read(buf_bytes(&text), RUN_OUTPUT_BYTES_MAX, 16, out);
}

err demo_sql(const struct demo *d, const char *statement, json_t **out)
{
    AUTO(sql_client_freep) struct sql_client *c = NULL;

    TRY(calls_sql(&d->place, &c));
    return sql_wait(c, bytes_of_string(statement), (struct bytes){ NULL, 0 }, out);
}

static err field_uint(const json_t *object, const char *key, uint64_t *out)
{
    int64_t v;

    TRY(json_field_int(object, key, 0, INT64_MAX, &v));
    *out = (uint64_t)v;
    return OK;
}

static err count_stored(struct demo *d)
{
    AUTO(json_freep) json_t *answer = NULL;

    TRY(demo_sql(d, "SELECT count(*) FROM reading", &answer));
    const json_t *row = json_array_get(json_object_get(answer, "rows"), 0);
    d->stored = (uint64_t)json_integer_value(json_array_get(row, 0));
    return OK;
}

/* The thieves' ids become the labels of the ranking: only the demo knows them. */
static err keep_labels(struct demo *d, const json_t *thieves)
{
    AUTO(buf_done) struct buf text = { .max = 1u << 20 };

    TRY(buf_string(&text, "# meters that steal in this demo, by their own simulator\n"));
    for (size_t i = 0; i < json_array_size(thieves); i++) {
        const json_t *id = json_object_get(json_array_get(thieves, i), "meter");
        TRY(buf_printf(&text, "%s\n", json_string_value(id)));
    }
    d->thieves = json_array_size(thieves);
    return file_write(place_path(&d->place, "run/thieves").text, buf_bytes(&text), 0600);
}

err demo_fleet(struct demo *d)
{
    AUTO(json_freep) json_t *report = NULL;
    char count[24], days[24], end[TIME_TEXT_BYTES], thieves[24], theft_days[24];
    json_t *list;

    snprintf(count, sizeof count, "%" PRIu64, d->meters);
    snprintf(days, sizeof days, "%" PRIu64, d->days);
    snprintf(thieves, sizeof thieves, "%" PRIu64, d->thieves);
    snprintf(theft_days, sizeof theft_days, "%d", DEMO_TEST_DAYS);
    time_format_s(d->to_s, end);
    const char *args[] = { "fleet", "--count",   count,   "--days",       days,       "--end", end,
                           "--thieves", thieves, "--theft-days", theft_days, NULL };
    TRY(demo_program(d, "meter", args, 0, &report));
    /* From the first frame to the last acknowledgement; making the keys of the meters is not in. */
    d->fleet_seconds = json_number_value(json_object_get(report, "seconds"));
    TRY(field_uint(report, "sent", &d->sent));
    TRY(field_uint(report, "acknowledged", &d->acknowledged));
    TRY(json_field_array(report, "thieves", &list));
    TRY(keep_labels(d, list));
    return count_stored(d);
}

err demo_bills(struct demo *d)
{
    AUTO(json_freep) json_t *report = NULL;
    char from[TIME_TEXT_BYTES], to[TIME_TEXT_BYTES];

    time_format_s(d->from_s, from);
    time_format_s(d->to_s, to);
    struct place_path out = place_path(&d->place, "bills");
    const char *args[] = { "run", "--all", "--from", from, "--to", to, "--out", out.text, NULL };
    TRY(demo_program(d, "billing", args, 0, &report));
    return field_uint(report, "billed", &d->bills);
}

/* All bundles below DIR/bills; the tool sees files only, and gets no --dir. */
static err audit(const struct demo *d, json_t **out)
{
    AUTO(buf_done) struct buf text = { .max = RUN_OUTPUT_BYTES_MAX };
    struct place_path program;
    struct place_path bills = place_path(&d->place, "bills");
    struct place_path institute = place_path(&d->place, "pki/institute.crt");
    struct run_result result;

    TRY(cli_program("audit", &program));
    const char *args[] = { program.text, "--json", "--institute", institute.text,
                           "--all", bills.text, NULL };
    TRY(run_capture(args, &text, &result));
    if (result.status == 1 || result.status == 2 || result.status > 80) {
        FAIL(ERR_IO, "the audit ended with status %d", result.status);
    }
    return json_read(buf_bytes(&text), RUN_OUTPUT_BYTES_MAX, 16, out);
}

err demo_audits(struct demo *d)
{
    AUTO(json_freep) json_t *report = NULL;

    TRY(audit(d, &report));
    return field_uint(report, "clean", &d->audits_clean);
}

/* Three meters far from each other, so that a mix-up would show. */
static err choose_victims(struct demo *d)
{
    AUTO(json_freep) json_t *answer = NULL;
    static const char *const what[DEMO_TAMPERED] = { "removed", "doubled", "changed" };

    TRY(demo_sql(d, "SELECT meter_id FROM meter ORDER BY meter_id", &answer));
    const json_t *rows = json_object_get(answer, "rows");
    size_t count = json_array_size(rows);
    if (count < DEMO_TAMPERED) {
        FAIL(ERR_MISSING, "the demo needs %d meters to tamper with", DEMO_TAMPERED);
    }
    for (size_t i = 0; i < DEMO_TAMPERED; i++) {
        const json_t *row = json_array_get(rows, i * (count - 1) / (DEMO_TAMPERED - 1));
        uint64_t id = (uint64_t)json_integer_value(json_array_get(row, 0));
        meter_id_text(id, d->tampered[i].meter);
        d->tampered[i].what = what[i];
    }
    return OK;
}

static long long decimal_id(const struct tampering *t)
{
    uint64_t id = 0;
    err ignored = meter_id_parse(bytes_of_string(t->meter), &id);

    (void)ignored;
    return (long long)id;
}

static err run_sql(const struct demo *d, const char *statement)
{
    AUTO(json_freep) json_t *answer = NULL;

    return demo_sql(d, statement, &answer);
}

/* A value as SQL writes it. */
static err append_literal(struct buf *out, const json_t *v)
{
    if (json_is_null(v)) {
        return buf_string(out, "NULL");
    }
    return buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
}

/* The same row once more, under a key that was free: one second later. */
static err double_row(const struct demo *d, const struct tampering *t, int64_t ts)
{
    AUTO(json_freep) json_t *answer = NULL;
    AUTO(buf_done) struct buf insert = { .max = 1u << 16 };
    char select[128];

    snprintf(select, sizeof select, "SELECT * FROM reading WHERE meter_id = %lld AND ts = %lld",
             decimal_id(t), (long long)ts);
    TRY(demo_sql(d, select, &answer));
    const json_t *row = json_array_get(json_object_get(answer, "rows"), 0);
    TRY(buf_printf(&insert, "INSERT INTO reading VALUES (%lld, %lld", decimal_id(t),
                   (long long)ts + 1));
    for (size_t i = 2; i < json_array_size(row); i++) {
        TRY(buf_string(&insert, ", "));
        TRY(append_literal(&insert, json_array_get(row, i)));
    }
    TRY(buf_string(&insert, ")"));
    TRY(buf_u8(&insert, '\0'));
    return run_sql(d, (const char *)insert.ptr);
}

/* One stored reading each, in the middle of the period: what someone with the keys of the store, or
 * a faulty program, could do. */
static err tamper_rows(struct demo *d)
{
    int64_t middle = d->from_s + (d->to_s - d->from_s) / 2 / RECORD_INTERVAL_S * RECORD_INTERVAL_S;
    char statement[160];

    snprintf(statement, sizeof statement, "DELETE FROM reading WHERE meter_id = %lld AND ts = %lld",
             decimal_id(&d->tampered[0]), (long long)middle);
    TRY(run_sql(d, statement));
    TRY(double_row(d, &d->tampered[1], middle));
    snprintf(statement, sizeof statement,
             "UPDATE reading SET p3 = 1 WHERE meter_id = %lld AND ts = %lld",
             decimal_id(&d->tampered[2]), (long long)middle);
    return run_sql(d, statement);
}

static struct tampering *victim(struct demo *d, const char *meter)
{
    for (size_t i = 0; i < DEMO_TAMPERED; i++) {
        if (strcmp(d->tampered[i].meter, meter) == 0) {
            return &d->tampered[i];
        }
    }
    return NULL;
}

static void add_code(struct tampering *t, const char *code)
{
    size_t len = strlen(t->codes);

    if (strstr(t->codes, code) == NULL && len + strlen(code) + 2 < sizeof t->codes) {
        snprintf(t->codes + len, sizeof t->codes - len, "%s%s", len > 0 ? " " : "", code);
    }
}

static err judge(struct demo *d, const json_t *report)
{
    json_t *findings;

    TRY(json_field_array(report, "findings", &findings));
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *f = json_array_get(findings, i);
        const char *meter = json_string_value(json_object_get(f, "meter"));
        const char *code = json_string_value(json_object_get(f, "code"));
        struct tampering *t = meter != NULL ? victim(d, meter) : NULL;
        if (t == NULL) {
            d->wrongly_accused++;
            continue;
        }
        t->caught = true;
        add_code(t, code != NULL ? code : "?");
    }
    for (size_t i = 0; i < DEMO_TAMPERED; i++) {
        d->tampered_caught += d->tampered[i].caught;
    }
    return OK;
}

err demo_tamper(struct demo *d)
{
    AUTO(json_freep) json_t *exported = NULL;
    AUTO(json_freep) json_t *report = NULL;
    struct place_path bills = place_path(&d->place, "bills");
    const char *args[] = { "export", "--all", "--out", bills.text, NULL };

    TRY(choose_victims(d));
    TRY(tamper_rows(d));
    TRY(demo_program(d, "billing", args, 0, &exported));
    TRY(audit(d, &report));
    return judge(d, report);
}

err demo_fraud(struct demo *d)
{
    AUTO(json_freep) json_t *report = NULL;
    char history[24], test[24], to[TIME_TEXT_BYTES];
    struct place_path labels = place_path(&d->place, "run/thieves");

    snprintf(test, sizeof test, "%d", DEMO_TEST_DAYS);
    /* The first day has no reading before it, so its first quarter has no register difference. */
    snprintf(history, sizeof history, "%" PRIu64, d->days - DEMO_TEST_DAYS - 1);
    time_format_s(d->to_s, to);
    const char *args[] = { "rank", "--history", history, "--test",  test,
                           "--to", to,          "--labels", labels.text, NULL };
    TRY(demo_program(d, "fraud", args, 0, &report));
    d->auc = json_number_value(json_object_get(report, "auc"));
    return OK;
}
