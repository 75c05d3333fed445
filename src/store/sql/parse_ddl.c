/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "store/sql/parse_base.h"

struct type_word {
    const char *word;
    enum column_type type;
};

static const struct type_word type_words[] = {
    { "BOOL", COLUMN_BOOL },           { "BOOLEAN", COLUMN_BOOL },
    { "INT2", COLUMN_INT2 },           { "SMALLINT", COLUMN_INT2 },
    { "INT", COLUMN_INT4 },            { "INT4", COLUMN_INT4 },
    { "INTEGER", COLUMN_INT4 },        { "INT8", COLUMN_INT8 },
    { "BIGINT", COLUMN_INT8 },         { "FLOAT8", COLUMN_FLOAT8 },
    { "DOUBLE", COLUMN_FLOAT8 },       { "NUMERIC", COLUMN_NUMERIC },
    { "DECIMAL", COLUMN_NUMERIC },     { "TEXT", COLUMN_TEXT },
    { "VARCHAR", COLUMN_VARCHAR },     { "CHARACTER", COLUMN_VARCHAR },
    { "BYTEA", COLUMN_BYTEA },         { "DATE", COLUMN_DATE },
    { "TIMESTAMP", COLUMN_TIMESTAMP }, { "TIMESTAMPTZ", COLUMN_TIMESTAMPTZ },
};

static const char types_text[] =
    "the types are int2, int4, int8, float8, numeric(p,s) with p up to 18, text, varchar(n), bool, "
    "bytea, date, timestamp and timestamptz";

/* A whole number in a type's parentheses. */
static err type_number(struct parser *p, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t n;

    if (p->token.kind != TOKEN_NUMBER || !p->token.plain) {
        return parse_syntax(p);
    }
    if (decimal_parse(p->token.text, max, &n).code || n < min) {
        SQL_FAIL(p->error, "22023", p->token.at, "%llu to %llu is wanted here",
                 (unsigned long long)min, (unsigned long long)max);
    }
    *out = n;
    return parse_advance(p);
}

static err numeric_size(struct parser *p, struct column_spec *c)
{
    uint64_t precision = 0, scale = 0;
    bool more;

    if (!parse_at_sign(p, '(')) {
        return parse_unsupported(p, "numeric needs (precision, scale), precision up to 18");
    }
    TRY(parse_advance(p));
    size_t at = p->token.at;
    TRY(type_number(p, 1, 1000, &precision));
    if (precision > TABLE_PRECISION_MAX) {
        SQL_FAIL(p->error, "0A000", at, "numeric has up to %d digits here", TABLE_PRECISION_MAX);
    }
    TRY(parse_accept_sign(p, ',', &more));
    if (more) {
        TRY(type_number(p, 0, precision, &scale));
    }
    c->typmod = (int32_t)(precision << 16 | scale) + 4;
    return parse_expect_sign(p, ')');
}

static err varchar_size(struct parser *p, struct column_spec *c)
{
    uint64_t n = 0;
    bool open;

    TRY(parse_accept_sign(p, '(', &open));
    if (!open) {
        return OK;
    }
    TRY(type_number(p, 1, TABLE_VARCHAR_MAX, &n));
    c->typmod = (int32_t)n + 4;
    return parse_expect_sign(p, ')');
}

/* TIMESTAMP [WITH | WITHOUT TIME ZONE] */
static err time_zone(struct parser *p, struct column_spec *c)
{
    bool with, without = false;

    if (parse_at_sign(p, '(')) {
        return parse_unsupported(p, "times have microseconds, without a precision");
    }
    TRY(parse_accept(p, "WITH", &with));
    if (!with) {
        TRY(parse_accept(p, "WITHOUT", &without));
    }
    if (!with && !without) {
        return OK;
    }
    TRY(parse_expect(p, "TIME"));
    TRY(parse_expect(p, "ZONE"));
    c->type = with ? COLUMN_TIMESTAMPTZ : c->type;
    return OK;
}

static err column_type(struct parser *p, struct column_spec *c)
{
    const struct type_word *found = NULL;

    for (size_t i = 0; i < sizeof type_words / sizeof *type_words; i++) {
        if (token_is(&p->token, type_words[i].word)) {
            found = &type_words[i];
        }
    }
    if (found == NULL) {
        return p->token.kind == TOKEN_NAME ? parse_unsupported(p, types_text) : parse_syntax(p);
    }
    TRY(parse_advance(p));
    c->type = found->type;
    c->typmod = -1;
    if (strcmp(found->word, "DOUBLE") == 0) {
        TRY(parse_expect(p, "PRECISION"));
    } else if (strcmp(found->word, "CHARACTER") == 0) {
        if (!token_is(&p->token, "VARYING")) {
            return parse_unsupported(p, types_text);
        }
        TRY(parse_advance(p));
    }
    switch (c->type) {
    case COLUMN_NUMERIC: TRY(numeric_size(p, c)); break;
    case COLUMN_VARCHAR: TRY(varchar_size(p, c)); break;
    case COLUMN_TIMESTAMP:
    case COLUMN_TIMESTAMPTZ: TRY(time_zone(p, c)); break;
    default: break;
    }
    return parse_at_sign(p, '[') ? parse_unsupported(p, types_text) : OK;
}

static err only_one_key(struct parser *p, const struct statement *s)
{
    if (s->key_count > 0) {
        SQL_FAIL(p->error, "42P16", p->token.at, "a table has one primary key");
    }
    return OK;
}

static err column_rules(struct parser *p, struct statement *s, struct column_spec *c)
{
    static const char *const others[] = { "DEFAULT", "UNIQUE", "CHECK", "REFERENCES", "COLLATE",
                                          "GENERATED", "CONSTRAINT" };
    bool taken = true;

    while (taken) {
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            if (token_is(&p->token, others[i])) {
                return parse_unsupported(p, "a column has NOT NULL and PRIMARY KEY only");
            }
        }
        TRY(parse_accept(p, "NOT", &taken));
        if (taken) {
            TRY(parse_expect(p, "NULL"));
            c->not_null = true;
            continue;
        }
        TRY(parse_accept(p, "NULL", &taken));
        if (taken) {
            continue;
        }
        if (token_is(&p->token, "PRIMARY")) {
            TRY(only_one_key(p, s));
            TRY(parse_advance(p));
            TRY(parse_expect(p, "KEY"));
            TRY(parse_grow(p, &s->key, 0, sizeof *s->key, 1));
            s->key[s->key_count++] = c->name;
            taken = true;
        }
    }
    return OK;
}

static err table_rule(struct parser *p, struct statement *s, bool *out_taken)
{
    struct sql_name ignored;
    bool named;

    TRY(parse_accept(p, "CONSTRAINT", &named));
    if (named) {
        TRY(parse_name(p, &ignored));
    }
    if (token_is(&p->token, "UNIQUE") || token_is(&p->token, "CHECK") ||
        token_is(&p->token, "FOREIGN")) {
        return parse_unsupported(p, "a table has a PRIMARY KEY and no other rule");
    }
    if (!token_is(&p->token, "PRIMARY")) {
        *out_taken = false;
        return named ? parse_syntax(p) : OK;
    }
    TRY(only_one_key(p, s));
    TRY(parse_advance(p));
    TRY(parse_expect(p, "KEY"));
    *out_taken = true;
    return parse_name_list(p, &s->key, &s->key_count);
}

static err column_or_rule(struct parser *p, struct statement *s)
{
    bool taken = false;

    TRY(table_rule(p, s, &taken));
    if (taken) {
        return OK;
    }
    TRY(parse_grow(p, &s->columns, s->column_count, sizeof *s->columns, TABLE_COLUMNS_MAX));
    struct column_spec *c = &s->columns[s->column_count++];
    memset(c, 0, sizeof *c);
    TRY(parse_name(p, &c->name));
    TRY(column_type(p, c));
    return column_rules(p, s, c);
}

err parse_create(struct parser *p, struct statement *out)
{
    bool more;

    out->kind = STATEMENT_CREATE;
    if (!token_is(&p->token, "TABLE")) {
        return parse_unsupported(p, "only tables can be created");
    }
    TRY(parse_advance(p));
    TRY(parse_accept(p, "IF", &out->if_exists));
    if (out->if_exists) {
        TRY(parse_expect(p, "NOT"));
        TRY(parse_expect(p, "EXISTS"));
    }
    TRY(parse_table_name(p, &out->table));
    if (token_is(&p->token, "AS")) {
        return parse_unsupported(p, "a table is created by its columns");
    }
    TRY(parse_expect_sign(p, '('));
    do {
        TRY(column_or_rule(p, out));
        TRY(parse_accept_sign(p, ',', &more));
    } while (more);
    TRY(parse_expect_sign(p, ')'));
    if (token_is(&p->token, "WITH") || token_is(&p->token, "PARTITION") ||
        token_is(&p->token, "INHERITS")) {
        return parse_unsupported(p, "tables have no options");
    }
    return parse_end(p);
}

err parse_drop(struct parser *p, struct statement *out)
{
    out->kind = STATEMENT_DROP;
    if (!token_is(&p->token, "TABLE")) {
        return parse_unsupported(p, "only tables can be dropped");
    }
    TRY(parse_advance(p));
    TRY(parse_accept(p, "IF", &out->if_exists));
    if (out->if_exists) {
        TRY(parse_expect(p, "EXISTS"));
    }
    TRY(parse_table_name(p, &out->table));
    if (parse_at_sign(p, ',') || token_is(&p->token, "CASCADE")) {
        return parse_unsupported(p, "one table per DROP, without CASCADE");
    }
    return parse_end(p);
}
