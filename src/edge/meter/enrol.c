/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/meter/enrol.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "edge/meter/keyring.h"
#include "edge/meter/progress.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/client/sql.h"
#include "lib/wire/json_read.h"
#include "lib/wire/session.h"
#include "lib/wire/tables.h"

#define ROWS_PER_STATEMENT 200
#define ANSWER_BYTES_MAX (1u << 20)
#define INSTALLED_S INT64_C(1420070400) /* 2015-01-01: before any day that is simulated */

/* --- keys, in parallel --- */

struct key_work {
    const struct place *place;
    const struct profile_site *sites;
    size_t count;
    struct institute institute;
    atomic_size_t next;
    atomic_size_t done;
    atomic_size_t made;
    atomic_bool failed;
    pthread_mutex_t lock; /* of the error */
    err first_error;
    char text[512];
};

static void keep_error(struct key_work *w, err e)
{
    pthread_mutex_lock(&w->lock);
    if (!w->first_error.code) {
        w->first_error = e;
        snprintf(w->text, sizeof w->text, "%s", err_text());
    }
    pthread_mutex_unlock(&w->lock);
    atomic_store(&w->failed, true);
}

static void *make_keys(void *arg)
{
    struct key_work *w = arg;

    while (!atomic_load(&w->failed)) {
        size_t i = atomic_fetch_add(&w->next, 1);
        bool made = false;
        if (i >= w->count) {
            break;
        }
        err e = keyring_make(w->place, &w->institute, w->sites[i].meter, &made);
        if (e.code) {
            keep_error(w, e);
            break;
        }
        atomic_fetch_add(&w->made, made);
        atomic_fetch_add(&w->done, 1);
    }
    return NULL;
}

static unsigned thread_count(unsigned wanted, size_t work)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = wanted > 0 ? wanted : cpus > 0 ? (size_t)cpus : 1;

    n = n < ENROL_THREADS_MAX ? n : ENROL_THREADS_MAX;
    return (unsigned)(n < work ? n : work);
}

static void watch_keys(struct key_work *w)
{
    struct progress bar;

    progress_start(&bar, "keys", w->count);
    while (atomic_load(&w->done) < w->count && !atomic_load(&w->failed)) {
        usleep(50000);
        progress_show(&bar, atomic_load(&w->done));
    }
    progress_end(&bar);
}

static err run_key_threads(struct key_work *w, unsigned threads)
{
    pthread_t ids[ENROL_THREADS_MAX];
    unsigned started = 0;

    while (started < threads && pthread_create(&ids[started], NULL, make_keys, w) == 0) {
        started++;
    }
    if (started > 0) {
        watch_keys(w);
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(ids[i], NULL);
    }
    if (started == 0) {
        FAIL(ERR_IO, "cannot start a thread to make keys");
    }
    if (w->first_error.code) {
        err_set(__FILE__, __LINE__, "%s", w->text);
    }
    return w->first_error;
}

static err enrol_keys(const struct place *p, const struct profile_site *sites, size_t count,
                      unsigned threads, size_t *out_made)
{
    struct key_work w = { .place = p, .sites = sites, .count = count,
                          .lock = PTHREAD_MUTEX_INITIALIZER };

    TRY(file_make_dirs(place_path(p, "meters").text, 0700));
    TRY(institute_load(p, &w.institute));
    err e = run_key_threads(&w, thread_count(threads, count));
    institute_done(&w.institute);
    *out_made = atomic_load(&w.made);
    return e;
}

/* --- rows --- */

static err run(struct sql_client *c, struct bytes statement, json_t **out)
{
    return err_context(sql_wait(c, statement, (struct bytes){ 0 }, out), "registering meters");
}

static err run_ignoring_answer(struct sql_client *c, struct bytes statement)
{
    AUTO(json_freep) json_t *answer = NULL;

    return run(c, statement, &answer);
}

/* A certificate is PEM and a key hex: neither can hold a quote, so both go into the text as they
 * are. */
static err add_meter(const struct profile_site *s, const struct keyring *k, bool first,
                     struct buf *out)
{
    AUTO(public_key_freep) struct public_key *pub = NULL;
    AUTO(buf_done) struct buf spki = { .max = SPKI_BYTES_MAX };
    char hex[2 * SPKI_BYTES_MAX + 1];

    TRY(public_key_of(k->session, &pub));
    TRY(public_key_to_spki(pub, &spki));
    hex_encode(buf_bytes(&spki), hex);
    assert(memchr(k->certificate.ptr, '\'', k->certificate.len) == NULL);
    return buf_printf(out, "%s(%" PRIu64 ",%d,'\\x%s','%.*s','%s',%d,%d,%" PRId64 ")",
                      first ? "" : ",", s->meter, SUITE_X25519_RSA2048, hex,
                      (int)k->certificate.len, (const char *)k->certificate.ptr,
                      profile_class_name(s->class), (int)s->un_cv, (int)s->imax_ma, INSTALLED_S);
}

static err add_contract(const struct profile_site *s, const struct keyring *k, bool first,
                        struct buf *out)
{
    char hex[2 * DIGEST_BYTES + 1];

    hex_encode(DIGEST_VIEW(&k->pseudonym), hex);
    return buf_printf(out, "%s(%" PRIu64 ",%" PRId64 ",'%s','A4','green',%u,'%s',false)",
                      first ? "" : ",", s->meter, INSTALLED_S, hex, s->contracted_w,
                      profile_class_name(s->class));
}

static err register_some(struct sql_client *c, const struct place *p,
                         const struct profile_site *sites, size_t count)
{
    AUTO(buf_done) struct buf meters = { .max = SQL_BODY_BYTES_MAX };
    AUTO(buf_done) struct buf contracts = { .max = SQL_BODY_BYTES_MAX };

    TRY(buf_string(&meters, "INSERT INTO meter (meter_id, suite, spki, certificate, class, un_cv, "
                            "imax_ma, installed_s) VALUES "));
    TRY(buf_string(&contracts, "INSERT INTO contract (meter_id, valid_from, contract, subgroup, "
                               "modality, contracted_w, class, public_body) VALUES "));
    for (size_t i = 0; i < count; i++) {
        AUTO(keyring_done) struct keyring k = { 0 };
        TRY(keyring_load(p, sites[i].meter, &k));
        TRY(add_meter(&sites[i], &k, i == 0, &meters));
        TRY(add_contract(&sites[i], &k, i == 0, &contracts));
    }
    TRY(buf_string(&meters, " ON CONFLICT DO NOTHING"));
    TRY(buf_string(&contracts, " ON CONFLICT DO NOTHING"));
    TRY(run_ignoring_answer(c, buf_bytes(&contracts)));
    return run_ignoring_answer(c, buf_bytes(&meters));
}

/* Numbers of int8 come as JSON numbers or, where they may be large, as texts. */
static err count_value(const json_t *v, uint64_t *out)
{
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *out = (uint64_t)json_integer_value(v);
        return OK;
    }
    if (json_is_string(v)) {
        return decimal_parse(bytes_of_string(json_string_value(v)), INT64_MAX, out);
    }
    FAIL(ERR_PROTO, "the number of registered meters is no number");
}

/* How many of a range of meters are in the register. */
static err count_registered(struct sql_client *c, uint64_t first, uint64_t last, size_t *out)
{
    AUTO(json_freep) json_t *answer = NULL;
    AUTO(buf_done) struct buf statement = { .max = 256 };
    json_t *rows;
    uint64_t n;

    TRY(buf_printf(&statement, "SELECT count(*) FROM meter WHERE meter_id >= %" PRIu64
                   " AND meter_id <= %" PRIu64, first, last));
    TRY(run(c, buf_bytes(&statement), &answer));
    TRY(json_field_array(answer, "rows", &rows));
    TRY(count_value(json_array_get(json_array_get(rows, 0), 0), &n));
    *out = n;
    return OK;
}

static err register_all(struct sql_client *c, const struct place *p,
                        const struct profile_site *sites, size_t count, size_t *out)
{
    size_t before;
    struct progress bar;
    err e = OK;

    TRY(run_ignoring_answer(c, BYTES_LIT(TABLE_METER)));
    TRY(run_ignoring_answer(c, BYTES_LIT(TABLE_CONTRACT)));
    TRY(count_registered(c, sites[0].meter, sites[count - 1].meter, &before));
    *out = count - (before < count ? before : count);
    if (*out == 0) {
        return OK;
    }
    progress_start(&bar, "registered", count);
    for (size_t i = 0; i < count && !e.code; i += ROWS_PER_STATEMENT) {
        size_t n = count - i < ROWS_PER_STATEMENT ? count - i : ROWS_PER_STATEMENT;
        e = register_some(c, p, sites + i, n);
        progress_show(&bar, i + n);
    }
    progress_end(&bar);
    return e;
}

err enrol(const struct place *p, const struct profile_site *sites, size_t count, unsigned threads,
          struct enrolled *out)
{
    AUTO(sql_client_freep) struct sql_client *c = NULL;
    struct place_path url = place_url(p, PLACE_SQL);
    struct place_path ca = place_path(p, "pki/ca.crt");
    struct place_path key = place_path(p, "secrets/sql-meter.key");
    const struct http_client_options options = { .base_url = url.text, .server_role = "sql",
                                                 .tls.ca = ca.text, .bearer_file = key.text,
                                                 .connections_max = 1,
                                                 .answer_bytes_max = ANSWER_BYTES_MAX };

    assert(count > 0 && count <= ENROL_COUNT_MAX);
    TRY(enrol_keys(p, sites, count, threads, &out->keys_made));
    TRY(sql_client_new(NULL, &options, &c));
    return register_all(c, p, sites, count, &out->registered);
}
