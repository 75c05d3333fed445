/* SPDX-License-Identifier: Apache-2.0 */
/* meterseal fraud: ranks the consumers of an installation by suspicion. */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/options.h"
#include "lib/service/place.h"
#include "report/fraud/job.h"

#define HISTORY_DAYS_DEFAULT 84
#define TEST_DAYS_DEFAULT 28
#define ZONE_OFFSET_DEFAULT (-10800)
#define OUTPUT_BYTES_MAX (512u << 20)
#define LABEL_BYTES_MAX (4u << 20)

static const char usage[] =
    "usage: meterseal fraud rank [--dir DIR] [--from TIME] [--to TIME] [--history DAYS]\n"
    "           [--test DAYS] [--zone-offset S] [--labels FILE] [--limit N] [--json]\n\n"
    "Ranks consumers by how little their newest days resemble their own regular behaviour\n"
    "(self-organising map and correlation; blind to theft that only scales).\n"
    "  --history      days of regular behaviour (default 84)\n"
    "  --test         days in question, the newest ones (default 28)\n"
    "  --from, --to   readings with from < time <= to, UTC (default: all)\n"
    "  --zone-offset  seconds of local time ahead of UTC (default -10800)\n"
    "  --labels       file of meter ids known to steal: prints the area under the ROC curve\n"
    "  --limit        rows of the table (default 25)\n";

struct arguments {
    const char *dir, *from, *to, *history, *test, *zone, *labels, *limit;
    bool json, help;
    struct job job;
    uint64_t rows;
};

static err parse_numbers(struct arguments *a)
{
    uint64_t history = HISTORY_DAYS_DEFAULT;
    uint64_t test = TEST_DAYS_DEFAULT;

    a->job.to_s = UINT32_MAX;
    a->job.zone_offset_s = ZONE_OFFSET_DEFAULT;
    a->rows = 25;
    if (a->history != NULL) {
        TRY(option_number("history", a->history, 1, SERIES_DAYS_MAX, &history));
    }
    if (a->test != NULL) {
        TRY(option_number("test", a->test, 1, SERIES_DAYS_MAX, &test));
    }
    if (a->zone != NULL) {
        TRY(option_signed("zone-offset", a->zone, -S_PER_DAY, S_PER_DAY, &a->job.zone_offset_s));
    }
    if (a->from != NULL) {
        TRY(option_time("from", a->from, &a->job.from_s));
    }
    if (a->to != NULL) {
        TRY(option_time("to", a->to, &a->job.to_s));
    }
    if (a->limit != NULL) {
        TRY(option_number("limit", a->limit, 1, RANK_CUSTOMERS_MAX, &a->rows));
    }
    a->job.window = (struct rank_window){ (uint32_t)history, (uint32_t)test };
    return OK;
}

static err rank_from_store(const struct arguments *a, struct ranking *out)
{
    AUTO(kvs_client_freep) struct kvs_client *kvs = NULL;
    AUTO(readings_closep) struct readings *readings = NULL;
    struct place p;

    TRY(place_open(a->dir, &p));
    struct place_path url = place_url(&p, PLACE_KVS);
    struct place_path ca = place_path(&p, "pki/ca.crt");
    struct place_path key = place_path(&p, "secrets/kvs-fraud.key");
    struct http_client_options options = {
        .base_url = url.text,
        .server_role = "kvs",
        .tls = { .ca = ca.text },
        .bearer_file = key.text,
    };
    TRY(kvs_client_new(NULL, &options, &kvs));
    TRY(readings_open(kvs, &readings));
    return job_run(readings, &a->job, out);
}

static err auc_of(const struct ranking *r, const char *labels_path, double *out)
{
    AUTO(buf_done) struct buf text = { .max = LABEL_BYTES_MAX };
    AUTO(mem_givep) uint64_t *thieves = NULL;
    size_t count;

    TRY(file_read(labels_path, &text));
    TRY(labels_parse(buf_bytes(&text), &thieves, &count));
    return ranking_auc(r, thieves, count, out);
}

static err rank(const struct arguments *a)
{
    AUTO(ranking_done) struct ranking r = { 0 };
    AUTO(buf_done) struct buf out = { .max = OUTPUT_BYTES_MAX };
    double auc = -1;

    TRY(rank_from_store(a, &r));
    if (a->labels != NULL) {
        TRY(auc_of(&r, a->labels, &auc));
    }
    TRY(a->json ? ranking_json(&r, auc, &out) : ranking_table(&r, a->rows, &out));
    if (!a->json && auc >= 0) {
        TRY(buf_printf(&out, "area under the ROC curve against the labels: %.4f\n", auc));
    }
    printf("%.*s%s", (int)out.len, (const char *)out.ptr, a->json ? "\n" : "");
    return OK;
}

static err parse(int argc, char **argv, struct arguments *a, int *plain)
{
    const struct option_spec specs[] = {
        { "dir", NULL, &a->dir },         { "from", NULL, &a->from },
        { "to", NULL, &a->to },           { "history", NULL, &a->history },
        { "test", NULL, &a->test },       { "zone-offset", NULL, &a->zone },
        { "labels", NULL, &a->labels },   { "limit", NULL, &a->limit },
        { "json", &a->json, NULL },       { "help", &a->help, NULL },
    };

    TRY(options_parse(argc, argv, specs, OPTION_COUNT(specs), plain));
    return parse_numbers(a);
}

int main(int argc, char **argv)
{
    struct arguments a = { .dir = place_default_dir() };
    int plain = 0;

    err e = parse(argc - 1, argv + 1, &a, &plain);
    if (!e.code && a.help) {
        printf("%s", usage);
        return 0;
    }
    if (e.code) {
        fprintf(stderr, "meterseal fraud: %s\n", err_text());
        return 2;
    }
    if (plain != 1 || strcmp(argv[1], "rank") != 0) {
        fprintf(stderr, "%s", usage);
        return 2;
    }
    e = rank(&a);
    if (e.code) {
        fprintf(stderr, "meterseal fraud: %s\n", err_text());
        return 1;
    }
    return 0;
}
