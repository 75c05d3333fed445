/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/parse_base.h"

#include <stdio.h>
#include <string.h>

#define NEAR_CHARS_MAX 40

err parse_advance(struct parser *p)
{
    return lex_next(&p->lexer, &p->token);
}

err parse_syntax(struct parser *p)
{
    const struct token *t = &p->token;

    if (t->kind == TOKEN_END) {
        SQL_FAIL(p->error, "42601", t->at, "syntax error at end of input");
    }
    size_t size = p->lexer.at - t->at;
    SQL_FAIL(p->error, "42601", t->at, "syntax error at or near \"%.*s\"",
             (int)(size < NEAR_CHARS_MAX ? size : NEAR_CHARS_MAX), p->lexer.text.ptr + t->at);
}

err parse_unsupported(struct parser *p, const char *what)
{
    SQL_FAIL(p->error, "0A000", p->token.at, "%s", what);
}

err parse_accept(struct parser *p, const char *keyword, bool *out_taken)
{
    bool taken = token_is(&p->token, keyword);

    if (taken) {
        TRY(parse_advance(p));
    }
    *out_taken = taken;
    return OK;
}

bool parse_at_sign(const struct parser *p, uint8_t sign)
{
    return p->token.kind == TOKEN_SIGN && p->token.sign == sign;
}

err parse_accept_sign(struct parser *p, uint8_t sign, bool *out_taken)
{
    bool taken = parse_at_sign(p, sign);

    if (taken) {
        TRY(parse_advance(p));
    }
    *out_taken = taken;
    return OK;
}

err parse_expect(struct parser *p, const char *keyword)
{
    return token_is(&p->token, keyword) ? parse_advance(p) : parse_syntax(p);
}

err parse_expect_sign(struct parser *p, uint8_t sign)
{
    return parse_at_sign(p, sign) ? parse_advance(p) : parse_syntax(p);
}

/* Words of SQL that are no names unless quoted: without them `SELECT FROM t` would have a column.
 */
static bool is_reserved(const struct token *t)
{
    static const char *const words[] = {
        "ALL", "AND", "AS", "ASC", "BETWEEN", "CASE", "CAST", "CHECK", "CONSTRAINT", "CREATE",
        "DEFAULT", "DESC", "DISTINCT", "ELSE", "END", "FALSE", "FOREIGN", "FROM", "GROUP", "HAVING",
        "IN", "INTO", "IS", "JOIN", "LIKE", "LIMIT", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER",
        "PRIMARY", "REFERENCES", "RETURNING", "SELECT", "SET", "TABLE", "THEN", "TRUE", "UNION",
        "UNIQUE", "USING", "VALUES", "WHEN", "WHERE", "WITH",
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (token_is(t, words[i])) {
            return true;
        }
    }
    return false;
}

static void fold(struct sql_name *n, const struct token *t)
{
    size_t size = 0;

    for (size_t i = 0; i < t->text.len; i++) {
        uint8_t c = t->text.ptr[i];
        if (t->kind == TOKEN_NAME && c >= 'A' && c <= 'Z') {
            c = (uint8_t)(c + 32);
        }
        n->text[size++] = (char)c;
        i += t->kind == TOKEN_QUOTED_NAME && c == '"'; /* doubled */
    }
    n->text[size] = '\0';
}

err parse_name(struct parser *p, struct sql_name *out)
{
    const struct token *t = &p->token;
    struct sql_name n = { .at = t->at };

    if (t->kind != TOKEN_QUOTED_NAME && (t->kind != TOKEN_NAME || is_reserved(t))) {
        return parse_syntax(p);
    }
    if (t->text.len == 0 || t->text.len > SQL_NAME_BYTES_MAX) {
        SQL_FAIL(p->error, "42622", t->at, "a name has 1 to %d octets", SQL_NAME_BYTES_MAX);
    }
    fold(&n, t);
    TRY(parse_advance(p));
    *out = n;
    return OK;
}

err parse_table_name(struct parser *p, struct sql_name *out)
{
    struct sql_name n, schema;
    bool dot;

    TRY(parse_name(p, &n));
    TRY(parse_accept_sign(p, '.', &dot));
    if (dot) {
        schema = n;
        TRY(parse_name(p, &n));
        if (strcmp(schema.text, "public") != 0) {
            SQL_FAIL(p->error, "3F000", schema.at, "schema \"%s\" does not exist; \"public\" does",
                     schema.text);
        }
    }
    *out = n;
    return OK;
}

static err number_literal(struct parser *p, struct literal *l)
{
    bool plus = parse_at_sign(p, '+');

    l->negative = parse_at_sign(p, '-');
    if (plus || l->negative) {
        TRY(parse_advance(p));
    }
    if (p->token.kind != TOKEN_NUMBER) {
        return parse_syntax(p);
    }
    l->kind = LITERAL_NUMBER;
    l->plain = p->token.plain;
    l->text = p->token.text;
    return parse_advance(p);
}

static err word_literal(struct parser *p, struct literal *l)
{
    const struct token *t = &p->token;

    if (token_is(t, "NULL")) {
        l->kind = LITERAL_NULL;
    } else if (token_is(t, "TRUE") || token_is(t, "FALSE")) {
        l->kind = LITERAL_BOOL;
        l->truth = token_is(t, "TRUE");
    } else if (token_is(t, "DEFAULT")) {
        l->kind = LITERAL_DEFAULT;
    } else if (is_reserved(t)) {
        return parse_syntax(p);
    } else {
        return parse_unsupported(p, "only literals and parameters can stand here");
    }
    return parse_advance(p);
}

/* What may not follow a literal: it would be an expression. */
static err no_expression(struct parser *p)
{
    if (p->token.kind == TOKEN_SIGN && strchr("+-*/%^c|o.[", p->token.sign) != NULL) {
        return parse_unsupported(p, "only literals and parameters can stand here, no expressions");
    }
    return OK;
}

err parse_literal(struct parser *p, struct literal *out)
{
    const struct token *t = &p->token;
    struct literal l = { .at = t->at };

    if (t->kind == TOKEN_NUMBER) { /* the way of nearly all */
        l.kind = LITERAL_NUMBER;
        l.plain = t->plain;
        l.text = t->text;
        TRY(parse_advance(p));
    } else if (t->kind == TOKEN_TEXT || t->kind == TOKEN_ESCAPED_TEXT) {
        l.kind = LITERAL_TEXT;
        l.plain = t->plain;
        l.escapes = t->kind == TOKEN_ESCAPED_TEXT;
        l.text = t->text;
        TRY(parse_advance(p));
    } else if (t->kind == TOKEN_PARAM) {
        l.kind = LITERAL_PARAM;
        l.param = t->param;
        TRY(parse_advance(p));
    } else if (t->kind == TOKEN_NAME) {
        TRY(word_literal(p, &l));
    } else {
        TRY(number_literal(p, &l));
    }
    TRY(no_expression(p));
    *out = l;
    return OK;
}

err parse_grow(struct parser *p, void *items, size_t count, size_t size, size_t max)
{
    void *old;

    if (count >= max) {
        SQL_FAIL(p->error, "54000", p->token.at, "a list of more than %zu", max);
    }
    if ((count & (count - 1)) != 0 || (count != 0 && count < 4)) {
        return OK; /* room for 4, then for each power of two */
    }
    void *room = arena_take(p->arena, (count < 4 ? 4 : 2 * count) * size);
    if (room == NULL) {
        SQL_FAIL(p->error, "54000", p->token.at, "the statement needs too much memory");
    }
    memcpy(&old, items, sizeof old);
    if (count > 0) {
        memcpy(room, old, count * size);
    }
    memcpy(items, &room, sizeof room);
    return OK;
}

err parse_name_list(struct parser *p, struct sql_name **out, size_t *out_count)
{
    struct sql_name *names = NULL;
    size_t count = 0;
    bool more;

    TRY(parse_expect_sign(p, '('));
    do {
        TRY(parse_grow(p, &names, count, sizeof *names, SQL_ITEMS_MAX));
        TRY(parse_name(p, &names[count]));
        count++;
        TRY(parse_accept_sign(p, ',', &more));
    } while (more);
    TRY(parse_expect_sign(p, ')'));
    *out = names;
    *out_count = count;
    return OK;
}

err parse_end(struct parser *p)
{
    bool semicolon;

    TRY(parse_accept_sign(p, ';', &semicolon));
    if (p->token.kind == TOKEN_END) {
        return OK;
    }
    if (semicolon) {
        SQL_FAIL(p->error, "42601", p->token.at, "one statement per request");
    }
    return parse_syntax(p);
}
