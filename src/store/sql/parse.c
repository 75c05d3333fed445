/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/parse.h"

#include <string.h>

#include "store/sql/parse_base.h"

static err refuse_returning(struct parser *p)
{
    return token_is(&p->token, "RETURNING") ? parse_unsupported(p, "RETURNING is not supported")
                                            : OK;
}

static err insert_head(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_INSERT;
    TRY(parse_expect(p, "INTO"));
    TRY(parse_table_name(p, &s->table));
    if (parse_at_sign(p, '(')) {
        TRY(parse_name_list(p, &s->targets, &s->target_count));
    }
    if (token_is(&p->token, "SELECT") || token_is(&p->token, "DEFAULT") ||
        token_is(&p->token, "OVERRIDING")) {
        return parse_unsupported(p, "an INSERT takes VALUES of literals and parameters");
    }
    return parse_expect(p, "VALUES");
}

/* column = literal, or in DO UPDATE column = EXCLUDED.column */
static err assignment(struct parser *p, struct statement *s, bool excluded)
{
    TRY(parse_grow(p, &s->sets, s->set_count, sizeof *s->sets, SQL_ITEMS_MAX));
    struct assignment *a = &s->sets[s->set_count++];
    memset(a, 0, sizeof *a);
    if (parse_at_sign(p, '(')) {
        return parse_unsupported(p, "SET takes column = literal, one by one");
    }
    TRY(parse_name(p, &a->column));
    TRY(parse_expect_sign(p, '='));
    if (excluded && token_is(&p->token, "EXCLUDED")) {
        TRY(parse_advance(p));
        TRY(parse_expect_sign(p, '.'));
        return parse_name(p, &a->source);
    }
    return parse_literal(p, &a->value);
}

static err set_list(struct parser *p, struct statement *s, bool excluded)
{
    bool more;

    TRY(parse_expect(p, "SET"));
    do {
        TRY(assignment(p, s, excluded));
        TRY(parse_accept_sign(p, ',', &more));
    } while (more);
    return OK;
}

static err update(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_UPDATE;
    TRY(parse_table_name(p, &s->table));
    TRY(set_list(p, s, false));
    if (token_is(&p->token, "FROM")) {
        return parse_unsupported(p, "an UPDATE takes literals, not other tables");
    }
    TRY(parse_where(p, s));
    TRY(refuse_returning(p));
    return parse_end(p);
}

static err delete_from(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_DELETE;
    TRY(parse_expect(p, "FROM"));
    TRY(parse_table_name(p, &s->table));
    if (token_is(&p->token, "USING")) {
        return parse_unsupported(p, "a DELETE takes one table");
    }
    TRY(parse_where(p, s));
    TRY(refuse_returning(p));
    return parse_end(p);
}

static err show(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_SHOW_TABLES;
    if (!token_is(&p->token, "TABLES")) {
        return parse_unsupported(p, "SHOW TABLES is what can be shown");
    }
    TRY(parse_advance(p));
    return parse_end(p);
}

static err other(struct parser *p)
{
    static const char *const known[] = {
        "ALTER", "ANALYZE", "BEGIN", "CALL", "CLOSE", "COMMENT", "COMMIT", "COPY", "DEALLOCATE",
        "DECLARE", "DISCARD", "DO", "END", "EXECUTE", "EXPLAIN", "FETCH", "GRANT", "LISTEN", "LOCK",
        "MERGE", "NOTIFY", "PREPARE", "REINDEX", "RELEASE", "RESET", "REVOKE", "ROLLBACK",
        "SAVEPOINT", "SET", "START", "TABLE", "TRUNCATE", "UNLISTEN", "VACUUM", "VALUES", "WITH",
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (token_is(&p->token, known[i])) {
            return parse_unsupported(p,
                                     "the statements are CREATE TABLE, DROP TABLE, INSERT, SELECT, "
                                     "UPDATE, DELETE and SHOW TABLES");
        }
    }
    return parse_syntax(p);
}

static err dispatch(struct parser *p, struct statement *s)
{
    static const struct {
        const char *word;
        err (*parse)(struct parser *p, struct statement *s);
    } table[] = {
        { "INSERT", insert_head }, { "SELECT", parse_select }, { "DELETE", delete_from },
        { "UPDATE", update },      { "CREATE", parse_create }, { "DROP", parse_drop },
        { "SHOW", show },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (token_is(&p->token, table[i].word)) {
            TRY(parse_advance(p));
            return table[i].parse(p, s);
        }
    }
    return other(p);
}

err parse_begin(struct parser *p, struct bytes text, struct arena *a, struct sql_error *error,
                struct statement *out)
{
    struct statement s = { 0 };

    *p = (struct parser){ .arena = a, .error = error };
    TRY(lex_begin(&p->lexer, text, error));
    TRY(parse_advance(p));
    TRY(dispatch(p, &s));
    *out = s;
    return OK;
}

err parse_row_open(struct parser *p)
{
    return parse_expect_sign(p, '(');
}

err parse_row_value(struct parser *p, struct literal *out, bool *out_last)
{
    struct literal l;

    TRY(parse_literal(p, &l));
    bool last = parse_at_sign(p, ')');
    if (!last && !parse_at_sign(p, ',')) {
        return parse_syntax(p);
    }
    TRY(parse_advance(p));
    *out = l;
    *out_last = last;
    return OK;
}

err parse_row_next(struct parser *p, bool *out_more)
{
    return parse_accept_sign(p, ',', out_more);
}

/* DO NOTHING | DO UPDATE SET .. */
static err conflict_action(struct parser *p, struct statement *s)
{
    bool nothing;

    TRY(parse_expect(p, "DO"));
    TRY(parse_accept(p, "NOTHING", &nothing));
    if (nothing) {
        s->on_conflict = CONFLICT_NOTHING;
        return OK;
    }
    TRY(parse_expect(p, "UPDATE"));
    s->on_conflict = CONFLICT_UPDATE;
    TRY(set_list(p, s, true));
    if (token_is(&p->token, "WHERE")) {
        return parse_unsupported(p, "DO UPDATE takes no WHERE");
    }
    if (s->conflict_key_count == 0) {
        SQL_FAIL(p->error, "42601", p->token.at,
                 "ON CONFLICT DO UPDATE names the columns of the primary key");
    }
    return OK;
}

err parse_insert_tail(struct parser *p, struct statement *out)
{
    bool on;

    TRY(parse_accept(p, "ON", &on));
    if (on) {
        TRY(parse_expect(p, "CONFLICT"));
        if (token_is(&p->token, "ON")) {
            return parse_unsupported(p, "ON CONFLICT names columns, not constraints");
        }
        if (parse_at_sign(p, '(')) {
            TRY(parse_name_list(p, &out->conflict_key, &out->conflict_key_count));
        }
        TRY(conflict_action(p, out));
    }
    TRY(refuse_returning(p));
    return parse_end(p);
}
