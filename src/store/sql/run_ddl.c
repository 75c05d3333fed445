/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE TABLE, DROP TABLE, SHOW TABLES. A change of the dictionary is one batch that also raises
 * its version, so that all such changes stand in one order. */
#include <stdio.h>
#include <string.h>

#include "store/sql/run.h"

#define KEY_MAX 64

/* --- the dictionary's own batch --- */

static void ddl_reread(void *arg, err e)
{
    struct sql_run *r = arg;

    if (e.code) {
        run_fail(r, e);
        return;
    }
    if (r->statement.kind == STATEMENT_DROP) {
        purge_go(r->engine);
    }
    run_done(r, r->statement.kind == STATEMENT_CREATE ? "CREATE TABLE" : "DROP TABLE", 0);
}

static void ddl_sent(void *arg, err e, const struct kvs_batch_answer *answer)
{
    struct sql_run *r = arg;

    (void)answer;
    if (e.code == ERR_CONFLICT) {
        run_again(r); /* somebody else changed the dictionary first */
        return;
    }
    if (e.code) {
        run_fail(r, e);
        return;
    }
    r->ddl.wait = (struct catalog_wait){ .done = ddl_reread, .arg = r };
    catalog_refresh(&r->engine->catalog, run_now_us(r), &r->ddl.wait);
}

/* Version + 1 and a descriptor, both as they are in r->view or not at all. */
static err ddl_send(struct sql_run *r, const struct table_def *t, enum kvs_expect expect)
{
    AUTO(buf_done) struct buf key = { .max = KEY_MAX };
    AUTO(buf_done) struct buf text = { .max = TABLE_TEXT_BYTES_MAX };
    uint8_t version[DICTIONARY_VERSION_BYTES];
    struct kvs_op ops[2];

    if (table_def_encode(t, &text).code) {
        SQL_FAIL(&r->error, "54000", SQL_NOWHERE, "the table's description is too long");
    }
    TRY(dictionary_table_key(t->id, &key));
    dictionary_version_encode(r->view->version + 1, version);
    TRY(run_check_op(r, &ops[0]));
    ops[0].type = KVS_PUT;
    ops[0].value = BYTES_OF(version);
    ops[1] = (struct kvs_op){ .type = KVS_PUT, .expect = expect, .rev = r->table_rev,
                              .key = buf_bytes(&key), .value = buf_bytes(&text) };
    return run_batch(r, ops, 2, ddl_sent);
}

/* --- CREATE --- */

static err set_column(struct sql_run *r, const struct column_spec *spec, struct table_column *c)
{
    if (strcmp(spec->name.text, "_k") == 0) {
        SQL_FAIL(&r->error, "42939", spec->name.at, "the column name \"_k\" is reserved");
    }
    snprintf(c->name, sizeof c->name, "%s", spec->name.text);
    c->type = spec->type;
    c->typmod = spec->typmod;
    c->not_null = spec->not_null;
    return OK;
}

static err set_columns(struct sql_run *r, struct table_def *t)
{
    for (uint16_t i = 0; i < t->column_count; i++) {
        const struct column_spec *spec = &r->statement.columns[i];
        if (table_column_find(t, bytes_of_string(spec->name.text)) >= 0) {
            SQL_FAIL(&r->error, "42701", spec->name.at, "column \"%s\" occurs twice",
                     spec->name.text);
        }
        TRY(set_column(r, spec, &t->columns[i]));
    }
    return OK;
}

static err set_key(struct sql_run *r, struct table_def *t)
{
    const struct statement *s = &r->statement;

    if (s->key_count == 0) {
        SQL_FAIL(&r->error, "0A000", s->table.at, "a table needs a PRIMARY KEY");
    }
    if (s->key_count > TABLE_KEY_COLUMNS_MAX) {
        SQL_FAIL(&r->error, "54011", s->key[0].at, "a key has at most %d columns",
                 TABLE_KEY_COLUMNS_MAX);
    }
    for (size_t i = 0; i < s->key_count; i++) {
        int column = table_column_find(t, bytes_of_string(s->key[i].text));
        if (column < 0) {
            SQL_FAIL(&r->error, "42703", s->key[i].at, "column \"%s\" of the key does not exist",
                     s->key[i].text);
        }
        if (t->columns[column].key_index >= 0) {
            SQL_FAIL(&r->error, "42701", s->key[i].at, "column \"%s\" is twice in the key",
                     s->key[i].text);
        }
        if (t->columns[column].type == COLUMN_NUMERIC) {
            SQL_FAIL(&r->error, "0A000", s->key[i].at, "a numeric column cannot be in the key");
        }
        t->columns[column].key_index = (int16_t)i;
        t->columns[column].not_null = true;
        t->key[t->key_count++] = (uint16_t)column;
    }
    return OK;
}

static err make_table(struct sql_run *r)
{
    struct table_def *t;

    if (r->statement.column_count == 0) {
        SQL_FAIL(&r->error, "0A000", r->statement.table.at, "a table needs columns");
    }
    TRY(table_def_new((uint16_t)r->statement.column_count, &t));
    r->ddl.table = t;
    TRY(set_columns(r, t));
    TRY(set_key(r, t));
    table_def_lay_out(t);
    snprintf(t->name, sizeof t->name, "%s", r->statement.table.text);
    return OK;
}

err run_create(struct sql_run *r)
{
    if (r->table != NULL && r->statement.if_exists) {
        run_done(r, "CREATE TABLE", 0);
        return OK;
    }
    if (r->table != NULL) {
        SQL_FAIL(&r->error, "42P07", r->statement.table.at, "table \"%s\" exists already",
                 r->statement.table.text);
    }
    if (r->view->count >= CATALOG_TABLES_MAX) {
        SQL_FAIL(&r->error, "54000", SQL_NOWHERE, "at most %d tables", CATALOG_TABLES_MAX);
    }
    TRY(make_table(r));
    r->ddl.table->id = (uint32_t)(r->view->version + 1);
    return ddl_send(r, r->ddl.table, KVS_ABSENT);
}

/* --- DROP --- */

err run_drop(struct sql_run *r)
{
    if (r->table == NULL && r->statement.if_exists) {
        run_done(r, "DROP TABLE", 0);
        return OK;
    }
    if (r->table == NULL) {
        SQL_FAIL(&r->error, "42P01", r->statement.table.at, "table \"%s\" does not exist",
                 r->statement.table.text);
    }
    struct table_def dropped = *r->table; /* borrows the columns */
    dropped.dropped = true;
    return ddl_send(r, &dropped, KVS_REV);
}

/* --- SHOW TABLES --- */

err run_show(struct sql_run *r)
{
    struct table_column column = { .type = COLUMN_TEXT, .typmod = -1, .name = "table_name" };
    struct sql_sink sink = r->request.sink;

    TRY(sink.columns(sink.self, &column, 1));
    for (size_t i = 0; i < r->view->count; i++) {
        const struct table_def *t = r->view->tables[i];
        if (!t->dropped && run_allows(r, SQL_READ, t->name)) {
            struct sql_value name = { .octets = bytes_of_string(t->name) };
            TRY(sink.row(sink.self, &name));
        }
    }
    run_done(r, "SHOW", 0);
    return OK;
}
