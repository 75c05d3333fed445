/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions: column comparisons that all hold. Parentheses around them change nothing and are only
 * counted, so that no nesting of outside text makes us recurse. */
#include <string.h>

#include "store/sql/parse_base.h"

static const char only_and[] = "a WHERE is comparisons of columns with literals, joined by AND";

static err new_condition(struct parser *p, struct statement *s, const struct sql_name *column,
                         enum compare_op op, struct condition **out)
{
    TRY(parse_grow(p, &s->where, s->where_count, sizeof *s->where, SQL_CONDITIONS_MAX));
    struct condition *c = &s->where[s->where_count++];
    *c = (struct condition){ .column = *column, .op = op };
    *out = c;
    return OK;
}

static err one_value(struct parser *p, struct condition *c)
{
    TRY(parse_grow(p, &c->values, c->count, sizeof *c->values, SQL_LIST_MAX));
    return parse_literal(p, &c->values[c->count++]);
}

static err compare(struct parser *p, struct statement *s, const struct sql_name *column,
                   enum compare_op op)
{
    struct condition *c;

    TRY(new_condition(p, s, column, op, &c));
    return one_value(p, c);
}

static err in_list(struct parser *p, struct statement *s, const struct sql_name *column)
{
    struct condition *c;
    bool more;

    TRY(parse_expect_sign(p, '('));
    if (token_is(&p->token, "SELECT")) {
        return parse_unsupported(p, "sub-selects are not supported");
    }
    TRY(new_condition(p, s, column, OP_IN, &c));
    do {
        TRY(one_value(p, c));
        TRY(parse_accept_sign(p, ',', &more));
    } while (more);
    return parse_expect_sign(p, ')');
}

static err is_null(struct parser *p, struct statement *s, const struct sql_name *column)
{
    struct condition *c;
    bool not;

    TRY(parse_accept(p, "NOT", &not));
    if (!token_is(&p->token, "NULL")) {
        return parse_unsupported(p, "IS is supported with NULL and NOT NULL");
    }
    TRY(parse_advance(p));
    return new_condition(p, s, column, not ? OP_NOT_NULL : OP_IS_NULL, &c);
}

static err between(struct parser *p, struct statement *s, const struct sql_name *column)
{
    TRY(compare(p, s, column, OP_GE));
    TRY(parse_expect(p, "AND"));
    return compare(p, s, column, OP_LE);
}

static err operator_of(struct parser *p, enum compare_op *out)
{
    static const struct {
        uint8_t sign;
        enum compare_op op;
    } table[] = { { '=', OP_EQ }, { SIGN_NE, OP_NE }, { '<', OP_LT }, { SIGN_LE, OP_LE },
                  { '>', OP_GT }, { SIGN_GE, OP_GE } };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (parse_at_sign(p, table[i].sign)) {
            *out = table[i].op;
            return parse_advance(p);
        }
    }
    if (token_is(&p->token, "LIKE") || token_is(&p->token, "ILIKE") || token_is(&p->token, "NOT") ||
        token_is(&p->token, "SIMILAR") || token_is(&p->token, "COLLATE") ||
        (p->token.kind == TOKEN_SIGN && strchr("+-*/%^co~", p->token.sign) != NULL)) {
        return parse_unsupported(p, only_and);
    }
    return parse_syntax(p);
}

static err comparison(struct parser *p, struct statement *s)
{
    struct sql_name column;
    enum compare_op op = OP_EQ;
    bool taken;

    if (p->token.kind != TOKEN_NAME && p->token.kind != TOKEN_QUOTED_NAME) {
        return p->token.kind == TOKEN_END ? parse_syntax(p) : parse_unsupported(p, only_and);
    }
    if (token_is(&p->token, "NOT") || token_is(&p->token, "EXISTS") ||
        token_is(&p->token, "TRUE") || token_is(&p->token, "FALSE")) {
        return parse_unsupported(p, only_and);
    }
    TRY(parse_name(p, &column));
    if (parse_at_sign(p, '.') || parse_at_sign(p, '(')) {
        return parse_unsupported(p,
                                 "columns stand by their bare name; functions are not supported");
    }
    TRY(parse_accept(p, "BETWEEN", &taken));
    if (taken) {
        return between(p, s, &column);
    }
    TRY(parse_accept(p, "IN", &taken));
    if (taken) {
        return in_list(p, s, &column);
    }
    TRY(parse_accept(p, "IS", &taken));
    if (taken) {
        return is_null(p, s, &column);
    }
    TRY(operator_of(p, &op));
    return compare(p, s, &column, op);
}

/* Takes as many of a sign as there are, counting into *depth. */
static err parentheses(struct parser *p, uint8_t sign, int step, int *depth)
{
    while (parse_at_sign(p, sign) && *depth + step >= 0) {
        if (step > 0 && *depth >= SQL_NESTING_MAX) {
            SQL_FAIL(p->error, "54001", p->token.at, "more than %d nested parentheses",
                     SQL_NESTING_MAX);
        }
        *depth += step;
        TRY(parse_advance(p));
    }
    return OK;
}

err parse_where(struct parser *p, struct statement *out)
{
    int depth = 0;
    bool more;

    TRY(parse_accept(p, "WHERE", &more));
    while (more) {
        TRY(parentheses(p, '(', 1, &depth));
        TRY(comparison(p, out));
        TRY(parentheses(p, ')', -1, &depth));
        if (token_is(&p->token, "OR")) {
            return parse_unsupported(p, only_and);
        }
        TRY(parse_accept(p, "AND", &more));
    }
    return depth == 0 ? OK : parse_syntax(p);
}
