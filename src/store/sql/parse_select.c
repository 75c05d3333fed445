/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "store/sql/parse_base.h"

#define ORDER_MAX TABLE_KEY_COLUMNS_MAX

static bool aggregate_of(const struct sql_name *n, enum item_kind *out)
{
    static const struct {
        const char *name;
        enum item_kind kind;
    } table[] = { { "count", ITEM_COUNT }, { "sum", ITEM_SUM }, { "min", ITEM_MIN },
                  { "max", ITEM_MAX },     { "avg", ITEM_AVG } };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(n->text, table[i].name) == 0) {
            *out = table[i].kind;
            return true;
        }
    }
    return false;
}

/* Behind the opening parenthesis of count, sum, min, max or avg. */
static err aggregate(struct parser *p, struct select_item *item)
{
    bool star;

    if (token_is(&p->token, "DISTINCT") || token_is(&p->token, "ALL")) {
        return parse_unsupported(p, "aggregates over distinct values are not supported");
    }
    TRY(parse_accept_sign(p, '*', &star));
    if (star && item->kind != ITEM_COUNT) {
        return parse_syntax(p);
    }
    if (star) {
        item->kind = ITEM_COUNT_ROWS;
    } else {
        TRY(parse_name(p, &item->column));
    }
    return parse_expect_sign(p, ')');
}

static err item_body(struct parser *p, struct select_item *item)
{
    bool taken;

    TRY(parse_accept_sign(p, '*', &taken));
    if (taken) {
        item->kind = ITEM_STAR;
        return OK;
    }
    if (p->token.kind != TOKEN_NAME && p->token.kind != TOKEN_QUOTED_NAME &&
        p->token.kind != TOKEN_END) {
        return parse_unsupported(p, "a SELECT takes columns, *, count, sum, min, max and avg");
    }
    item->kind = ITEM_COLUMN;
    TRY(parse_name(p, &item->column));
    if (!parse_at_sign(p, '(')) {
        return OK;
    }
    if (!aggregate_of(&item->column, &item->kind)) {
        return parse_unsupported(p, "the functions are count, sum, min, max and avg");
    }
    TRY(parse_advance(p));
    return aggregate(p, item);
}

static err item_label(struct parser *p, struct select_item *item)
{
    bool as;

    TRY(parse_accept(p, "AS", &as));
    bool bare = p->token.kind == TOKEN_QUOTED_NAME ||
                (p->token.kind == TOKEN_NAME && !token_is(&p->token, "FROM"));
    if (item->kind != ITEM_STAR && (as || bare)) {
        return parse_name(p, &item->label);
    }
    return OK;
}

static err items(struct parser *p, struct statement *s)
{
    bool more;

    if (token_is(&p->token, "DISTINCT")) {
        return parse_unsupported(p, "DISTINCT is not supported; GROUP BY columns of the key is");
    }
    do {
        TRY(parse_grow(p, &s->items, s->item_count, sizeof *s->items, SQL_ITEMS_MAX));
        struct select_item *item = &s->items[s->item_count++];
        memset(item, 0, sizeof *item);
        TRY(item_body(p, item));
        if (p->token.kind == TOKEN_SIGN && p->token.sign != ',' && p->token.sign != ';') {
            return parse_unsupported(p, "expressions are not supported");
        }
        TRY(item_label(p, item));
        TRY(parse_accept_sign(p, ',', &more));
    } while (more);
    return OK;
}

static err from(struct parser *p, struct statement *s)
{
    static const char *const joins[] = { "JOIN", "INNER", "LEFT",   "RIGHT",
                                         "FULL", "CROSS", "NATURAL" };

    if (p->token.kind == TOKEN_END || parse_at_sign(p, ';')) {
        return parse_unsupported(p, "a SELECT needs a table");
    }
    TRY(parse_expect(p, "FROM"));
    if (parse_at_sign(p, '(')) {
        return parse_unsupported(p, "sub-selects are not supported");
    }
    TRY(parse_table_name(p, &s->table));
    if (parse_at_sign(p, ',')) {
        return parse_unsupported(p, "one table per SELECT");
    }
    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
        if (token_is(&p->token, joins[i])) {
            return parse_unsupported(p, "joins are not supported");
        }
    }
    return OK;
}

static err group_by(struct parser *p, struct statement *s)
{
    bool taken;

    TRY(parse_accept(p, "GROUP", &taken));
    if (!taken) {
        return OK;
    }
    TRY(parse_expect(p, "BY"));
    do {
        TRY(parse_grow(p, &s->group, s->group_count, sizeof *s->group, TABLE_KEY_COLUMNS_MAX));
        TRY(parse_name(p, &s->group[s->group_count]));
        s->group_count++;
        if (parse_at_sign(p, '(')) {
            return parse_unsupported(p, "GROUP BY takes columns of the key");
        }
        TRY(parse_accept_sign(p, ',', &taken));
    } while (taken);
    return OK;
}

static err order_by(struct parser *p, struct statement *s)
{
    bool taken;

    TRY(parse_accept(p, "ORDER", &taken));
    if (!taken) {
        return OK;
    }
    TRY(parse_expect(p, "BY"));
    do {
        TRY(parse_grow(p, &s->order, s->order_count, sizeof *s->order, ORDER_MAX));
        struct order_item *o = &s->order[s->order_count++];
        if (p->token.kind == TOKEN_NUMBER) {
            return parse_unsupported(p, "ORDER BY takes columns of the key, by name");
        }
        TRY(parse_name(p, &o->column));
        TRY(parse_accept(p, "DESC", &o->desc));
        if (!o->desc) {
            TRY(parse_accept(p, "ASC", &taken));
        }
        if (token_is(&p->token, "NULLS")) {
            return parse_unsupported(p, "columns of the key have no NULLs to place");
        }
        TRY(parse_accept_sign(p, ',', &taken));
    } while (taken);
    return OK;
}

static err row_count(struct parser *p, const char *keyword, struct literal **out)
{
    bool taken;

    if (*out != NULL && token_is(&p->token, keyword)) {
        return parse_syntax(p);
    }
    TRY(parse_accept(p, keyword, &taken));
    if (!taken) {
        return OK;
    }
    *out = arena_take(p->arena, sizeof **out);
    if (*out == NULL) {
        SQL_FAIL(p->error, "54000", p->token.at, "the statement needs too much memory");
    }
    return parse_literal(p, *out);
}

err parse_select(struct parser *p, struct statement *out)
{
    out->kind = STATEMENT_SELECT;
    TRY(items(p, out));
    TRY(from(p, out));
    TRY(parse_where(p, out));
    TRY(group_by(p, out));
    if (token_is(&p->token, "HAVING") || token_is(&p->token, "UNION") ||
        token_is(&p->token, "WINDOW") || token_is(&p->token, "EXCEPT") ||
        token_is(&p->token, "INTERSECT")) {
        return parse_unsupported(p, "a SELECT has WHERE, GROUP BY, ORDER BY, LIMIT and OFFSET");
    }
    TRY(order_by(p, out));
    TRY(row_count(p, "LIMIT", &out->limit));
    TRY(row_count(p, "OFFSET", &out->offset));
    TRY(row_count(p, "LIMIT", &out->limit));
    if (token_is(&p->token, "FETCH") || token_is(&p->token, "FOR")) {
        return parse_unsupported(p, "a SELECT has WHERE, GROUP BY, ORDER BY, LIMIT and OFFSET");
    }
    return parse_end(p);
}
