/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/wire/json_read.h"
#include "lib/wire/tables.h"

#define METER_COLUMNS 2
#define CONTRACT_COLUMNS 8

void registry_page_done(struct registry_page *p)
{
    for (size_t i = 0; i < p->count; i++) {
        buf_done(&p->meters[i].certificate);
    }
    mem_give(p->meters);
    p->meters = NULL;
    p->count = 0;
}

/* int8 comes as a number, or as a text where readers of JSON would lose digits. */
static err take_int(const json_t *v, int64_t *out)
{
    bool minus;
    uint64_t n = 0;

    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return OK;
    }
    const char *text = json_string_value(v);
    if (text == NULL) {
        FAIL(ERR_PROTO, "registry: a column is no number");
    }
    minus = text[0] == '-';
    TRY(decimal_parse(bytes_of_string(text + minus), (uint64_t)INT64_MAX + minus, &n));
    *out = minus ? (int64_t)(0 - n) : (int64_t)n;
    return OK;
}

static err take_text(const json_t *v, char *out, size_t size)
{
    const char *text = json_string_value(v);

    if (text == NULL || text[0] == '\0' || strlen(text) >= size) {
        FAIL(ERR_PROTO, "registry: a column is no text of 1 to %zu octets", size - 1);
    }
    snprintf(out, size, "%s", text);
    return OK;
}

static err take_bool(const json_t *v, bool *out)
{
    if (!json_is_boolean(v)) {
        FAIL(ERR_PROTO, "registry: a column is neither true nor false");
    }
    *out = json_is_true(v);
    return OK;
}

static err rows_select(struct sql_client *sql, const char *statement, const char *params,
                       json_t **out_doc, json_t **out_rows)
{
    AUTO(json_freep) json_t *doc = NULL;

    TRY(err_context(sql_wait(sql, bytes_of_string(statement), bytes_of_string(params), &doc),
                    "registry of meters"));
    TRY(json_field_array(doc, "rows", out_rows));
    *out_doc = TAKE(doc);
    return OK;
}

/* --- meters --- */

static err take_meter(const json_t *row, struct registered *m)
{
    int64_t id = 0;
    const char *pem = json_string_value(json_array_get(row, 1));

    if (json_array_size(row) != METER_COLUMNS || pem == NULL) {
        FAIL(ERR_PROTO, "registry: a row of meter has another form");
    }
    TRY(take_int(json_array_get(row, 0), &id));
    m->meter = (uint64_t)id;
    m->certificate = (struct buf){ .max = REGISTRY_CERTIFICATE_BYTES_MAX };
    return buf_string(&m->certificate, pem);
}

static err take_meters(const json_t *rows, struct registry_page *p)
{
    size_t count = json_array_size(rows);

    if (count > REGISTRY_PAGE_MAX) {
        FAIL(ERR_PROTO, "registry: %zu rows, at most %d were asked for", count, REGISTRY_PAGE_MAX);
    }
    p->meters = mem_take(count * sizeof p->meters[0]);
    if (p->meters == NULL) {
        FAIL(ERR_LIMIT, "no memory for %zu meters", count);
    }
    for (size_t i = 0; i < count; i++) {
        p->count++;
        TRY(take_meter(json_array_get(rows, i), &p->meters[i]));
    }
    return OK;
}

/* --- contracts --- */

static struct registered *meter_of(struct registry_page *p, uint64_t meter)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->meters[i].meter == meter) {
            return &p->meters[i];
        }
    }
    return NULL;
}

static err take_contract(const json_t *row, struct contract *c)
{
    char hex[2 * DIGEST_BYTES + 1];

    TRY(take_text(json_array_get(row, 2), hex, sizeof hex));
    TRY(hex_decode(bytes_of_string(hex), c->id.octets, DIGEST_BYTES));
    TRY(take_text(json_array_get(row, 3), c->subgroup, sizeof c->subgroup));
    TRY(take_text(json_array_get(row, 4), c->modality, sizeof c->modality));
    TRY(take_int(json_array_get(row, 5), &c->contracted_w));
    TRY(take_text(json_array_get(row, 6), c->class, sizeof c->class));
    return take_bool(json_array_get(row, 7), &c->public_body);
}

/* Rows come by meter and date: the last one at or before the start is in force. */
static err take_contracts(const json_t *rows, int64_t start_s, int64_t end_s,
                          struct registry_page *p)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        int64_t meter = 0;
        int64_t from_s = 0;
        if (json_array_size(row) != CONTRACT_COLUMNS) {
            FAIL(ERR_PROTO, "registry: a row of contract has another form");
        }
        TRY(take_int(json_array_get(row, 0), &meter));
        TRY(take_int(json_array_get(row, 1), &from_s));
        struct registered *m = meter_of(p, (uint64_t)meter);
        if (m == NULL || from_s >= end_s) {
            continue;
        }
        if (from_s > start_s) {
            m->contract_changes = true;
            continue;
        }
        TRY(take_contract(row, &m->contract));
        m->contract.meter = m->meter;
        m->has_contract = true;
    }
    return OK;
}

static err page_contracts(struct sql_client *sql, int64_t start_s, int64_t end_s,
                          struct registry_page *p)
{
    static const char statement[] =
        "SELECT meter_id, valid_from, contract, subgroup, modality, contracted_w, class, "
        "public_body FROM contract WHERE meter_id >= $1 AND meter_id <= $2 "
        "ORDER BY meter_id, valid_from";
    AUTO(json_freep) json_t *doc = NULL;
    json_t *rows;
    char params[64];

    if (p->count == 0) {
        return OK;
    }
    snprintf(params, sizeof params, "[\"%" PRId64 "\",\"%" PRId64 "\"]",
             (int64_t)p->meters[0].meter, (int64_t)p->meters[p->count - 1].meter);
    TRY(rows_select(sql, statement, params, &doc, &rows));
    return take_contracts(rows, start_s, end_s, p);
}

err registry_next(struct sql_client *sql, int64_t start_s, int64_t end_s, struct registry_page *p)
{
    AUTO(json_freep) json_t *doc = NULL;
    json_t *rows;
    char params[64];

    registry_page_done(p);
    snprintf(params, sizeof params, "[\"%" PRId64 "\",%d]", p->begun ? (int64_t)p->last : INT64_MIN,
             REGISTRY_PAGE_MAX);
    TRY(rows_select(sql,
                    p->begun ? "SELECT meter_id, certificate FROM meter WHERE meter_id > $1 "
                               "ORDER BY meter_id LIMIT $2"
                             : "SELECT meter_id, certificate FROM meter WHERE meter_id >= $1 "
                               "ORDER BY meter_id LIMIT $2",
                    params, &doc, &rows));
    TRY(take_meters(rows, p));
    p->begun = true;
    p->more = p->count == REGISTRY_PAGE_MAX;
    if (p->count > 0) {
        p->last = p->meters[p->count - 1].meter;
    }
    return page_contracts(sql, start_s, end_s, p);
}

err registry_one(struct sql_client *sql, uint64_t meter, int64_t start_s, int64_t end_s,
                 struct registry_page *p)
{
    AUTO(json_freep) json_t *doc = NULL;
    json_t *rows;
    char params[64];

    registry_page_done(p);
    snprintf(params, sizeof params, "[\"%" PRId64 "\"]", (int64_t)meter);
    TRY(rows_select(sql, "SELECT meter_id, certificate FROM meter WHERE meter_id = $1", params,
                    &doc, &rows));
    TRY(take_meters(rows, p));
    p->more = false;
    return page_contracts(sql, start_s, end_s, p);
}
