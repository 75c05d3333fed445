/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/parse.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"

struct parsed {
    struct arena arena;
    struct sql_error error;
    struct parser parser;
    struct statement s;
    size_t rows, values;
};

static void parsed_done(struct parsed *p)
{
    arena_done(&p->arena);
}

/* The whole statement, rows of an INSERT included. */
static err parse_all(struct parsed *p, const char *sql)
{
    struct literal l;
    bool more = true, last;

    *p = (struct parsed){ .arena.max = 1u << 24, .error.at = SQL_NOWHERE };
    TRY(parse_begin(&p->parser, bytes_of_string(sql), &p->arena, &p->error, &p->s));
    if (p->s.kind != STATEMENT_INSERT) {
        return OK;
    }
    while (more) {
        TRY(parse_row_open(&p->parser));
        for (last = false; !last; p->values++) {
            TRY(parse_row_value(&p->parser, &l, &last));
        }
        p->rows++;
        TRY(parse_row_next(&p->parser, &more));
    }
    return parse_insert_tail(&p->parser, &p->s);
}

static void statements_that_are_supported_are_taken(void **state)
{
    static const char *const good[] = {
        "SHOW TABLES",
        "show tables;",
        "  SHOW /* all of /* them */ */ TABLES -- now\n",
        "CREATE TABLE t (a int4 PRIMARY KEY)",
        "CREATE TABLE IF NOT EXISTS public.t (a int NOT NULL, b double precision NULL, c character "
        "varying(10), d timestamp with time zone, e timestamp without time zone, f decimal(18), "
        "CONSTRAINT t_pkey PRIMARY KEY (a, b))",
        "DROP TABLE t",
        "DROP TABLE IF EXISTS t;",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t (a, \"B\") VALUES (-1, 'x'), (+.5, $1), (1e3, NULL)",
        "INSERT INTO t VALUES (true, FALSE, DEFAULT, E'a\\'b', '', '''')",
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = EXCLUDED.b, c = 5",
        "SELECT * FROM t",
        "SELECT a, b AS c, c d, \"E\" FROM public.t",
        "SELECT *, a FROM t",
        "SELECT count(*), sum(a) AS s, min(a), max(a), avg(a) FROM t",
        "SELECT a FROM t WHERE a = 1 AND b <> 'x' AND c != 2 AND d IN (1, $2, 'x')",
        "SELECT a FROM t WHERE ((a >= 1) AND (b BETWEEN 1 AND 2)) AND c IS NOT NULL AND d IS NULL",
        "SELECT a FROM t GROUP BY a, b ORDER BY a ASC, b DESC LIMIT 5 OFFSET $1",
        "SELECT a FROM t OFFSET 1 LIMIT 2",
        "SELECT count FROM t",
        "SELECT sum, min FROM t",
        "UPDATE t SET a = 1, b = 'x' WHERE c = 2",
        "DELETE FROM t",
        "DELETE FROM t WHERE a < -5",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        AUTO(parsed_done) struct parsed p;
        err e = parse_all(&p, good[i]);
        if (e.code) {
            fail_msg("%s: %s at %zu: %s", good[i], p.error.state, p.error.at, p.error.message);
        }
    }
}

/* A statement, its SQLSTATE, and the part of the text that is to blame: its last occurrence; ""
 * means the end of the text. */
static const struct {
    const char *sql, *state, *place;
} refused[] = {
    { "", "42601", "" },
    { ";", "42601", ";" },
    { "FOO", "42601", "FOO" },
    { "SELECT", "42601", "" },
    { "SELECT FROM t", "42601", "FROM" },
    { "SELECT a t", "0A000", "" },
    { "SELECT a", "0A000", "" },
    { "SELECT 1", "0A000", "1" },
    { "SELECT a FROM", "42601", "" },
    { "SELECT a FROM t, u", "0A000", "," },
    { "SELECT a FROM t JOIN u", "0A000", "JOIN" },
    { "SELECT a FROM t LEFT JOIN u", "0A000", "LEFT" },
    { "SELECT a FROM (SELECT b FROM u)", "0A000", "(" },
    { "SELECT a + 1 FROM t", "0A000", "+" },
    { "SELECT DISTINCT a FROM t", "0A000", "DISTINCT" },
    { "SELECT lower(a) FROM t", "0A000", "(" },
    { "SELECT count(DISTINCT a) FROM t", "0A000", "DISTINCT" },
    { "SELECT sum(*) FROM t", "42601", ")" },
    { "SELECT t.a FROM t", "0A000", "." },
    { "SELECT a::text FROM t", "0A000", "::" },
    { "SELECT a FROM t x", "42601", "x" },
    { "SELECT a FROM t WHERE", "42601", "" },
    { "SELECT a FROM t WHERE a", "42601", "" },
    { "SELECT a FROM t WHERE a = ", "42601", "" },
    { "SELECT a FROM t WHERE a = 1 AND", "42601", "" },
    { "SELECT a FROM t WHERE a = 1 OR b = 2", "0A000", "OR" },
    { "SELECT a FROM t WHERE NOT a = 1", "0A000", "NOT" },
    { "SELECT a FROM t WHERE a LIKE 'x'", "0A000", "LIKE" },
    { "SELECT a FROM t WHERE a NOT IN (1)", "0A000", "NOT" },
    { "SELECT a FROM t WHERE a = b", "0A000", "b" },
    { "SELECT a FROM t WHERE a = 1 + 1", "0A000", "+" },
    { "SELECT a FROM t WHERE a + 1 = 2", "0A000", "+" },
    { "SELECT a FROM t WHERE 1 = a", "0A000", "1" },
    { "SELECT a FROM t WHERE (a = 1", "42601", "" },
    { "SELECT a FROM t WHERE a = 1)", "42601", ")" },
    { "SELECT a FROM t WHERE a IN ()", "42601", ")" },
    { "SELECT a FROM t WHERE a IN (1,)", "42601", ")" },
    { "SELECT a FROM t WHERE a IN (SELECT 1)", "0A000", "SELECT" },
    { "SELECT a FROM t WHERE a IS 5", "0A000", "5" },
    { "SELECT a FROM t WHERE a BETWEEN 1", "42601", "" },
    { "SELECT a FROM t WHERE f(a) = 1", "0A000", "(" },
    { "SELECT a FROM t WHERE (a, b) > (1, 2)", "42601", ", b" },
    { "SELECT a FROM t GROUP a", "42601", "a" },
    { "SELECT a FROM t GROUP BY 1", "42601", "1" },
    { "SELECT a FROM t HAVING a = 1", "0A000", "HAVING" },
    { "SELECT a FROM t ORDER BY 1", "0A000", "1" },
    { "SELECT a FROM t ORDER BY a NULLS LAST", "0A000", "NULLS" },
    { "SELECT a FROM t UNION SELECT b FROM u", "0A000", "UNION" },
    { "SELECT a FROM t LIMIT", "42601", "" },
    { "SELECT a FROM t LIMIT 1 LIMIT 2", "42601", "LIMIT" },
    { "SELECT a FROM t FOR UPDATE", "0A000", "FOR" },
    { "SELECT a FROM t; SELECT b FROM u", "42601", "SELECT" },
    { "SELECT a FROM other.t", "3F000", "other" },
    { "SELECT a FROM t.u.v", "3F000", "t.u" },
    { "INSERT t VALUES (1)", "42601", "t" },
    { "INSERT INTO t (a VALUES (1)", "42601", "VALUES" },
    { "INSERT INTO t () VALUES (1)", "42601", ") V" },
    { "INSERT INTO t SELECT 1", "0A000", "SELECT" },
    { "INSERT INTO t DEFAULT VALUES", "0A000", "DEFAULT" },
    { "INSERT INTO t VALUES", "42601", "" },
    { "INSERT INTO t VALUES ()", "42601", ")" },
    { "INSERT INTO t VALUES (1", "42601", "" },
    { "INSERT INTO t VALUES (1,)", "42601", ")" },
    { "INSERT INTO t VALUES (1),", "42601", "" },
    { "INSERT INTO t VALUES (1) (2)", "42601", "(2" },
    { "INSERT INTO t VALUES (a)", "0A000", "a" },
    { "INSERT INTO t VALUES (1 + 1)", "0A000", "+" },
    { "INSERT INTO t VALUES ('a'::text)", "0A000", "::" },
    { "INSERT INTO t VALUES (- 'a')", "42601", "'a'" },
    { "INSERT INTO t VALUES (1) RETURNING a", "0A000", "RETURNING" },
    { "INSERT INTO t VALUES (1) ON CONFLICT", "42601", "" },
    { "INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1", "42601", "" },
    { "INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT x DO NOTHING", "0A000", "ON CONS" },
    { "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 1 WHERE b = 2", "0A000",
      "WHERE" },
    { "UPDATE t SET a", "42601", "" },
    { "UPDATE t SET (a) = (1)", "0A000", "(a" },
    { "UPDATE t SET a = a + 1", "0A000", "a + " },
    { "UPDATE t SET a = 1 FROM u", "0A000", "FROM" },
    { "UPDATE t SET a = 1 RETURNING a", "0A000", "RETURNING" },
    { "DELETE t", "42601", "t" },
    { "DELETE FROM t USING u", "0A000", "USING" },
    { "DELETE FROM t RETURNING a", "0A000", "RETURNING" },
    { "CREATE INDEX i ON t (a)", "0A000", "INDEX" },
    { "CREATE TABLE t", "42601", "" },
    { "CREATE TABLE t AS SELECT 1", "0A000", "AS" },
    { "CREATE TABLE t ()", "42601", ")" },
    { "CREATE TABLE t (a)", "42601", ")" },
    { "CREATE TABLE t (a money)", "0A000", "money" },
    { "CREATE TABLE t (a real)", "0A000", "real" },
    { "CREATE TABLE t (a int4[])", "0A000", "[" },
    { "CREATE TABLE t (a numeric)", "0A000", ")" },
    { "CREATE TABLE t (a numeric(19))", "0A000", "19" },
    { "CREATE TABLE t (a numeric(5,6))", "22023", "6" },
    { "CREATE TABLE t (a varchar(0))", "22023", "0" },
    { "CREATE TABLE t (a varchar(x))", "42601", "x" },
    { "CREATE TABLE t (a char(5))", "0A000", "char" },
    { "CREATE TABLE t (a int4 DEFAULT 5)", "0A000", "DEFAULT" },
    { "CREATE TABLE t (a int4 UNIQUE)", "0A000", "UNIQUE" },
    { "CREATE TABLE t (a int4, UNIQUE (a))", "0A000", "UNIQUE" },
    { "CREATE TABLE t (a timestamp(3))", "0A000", "(3" },
    { "CREATE TABLE t (a int4 PRIMARY KEY PRIMARY KEY)", "42P16", "PRIMARY" },
    { "CREATE TABLE t (a int4 PRIMARY KEY) WITH (pack='1 day')", "0A000", "WITH" },
    { "DROP TABLE t CASCADE", "0A000", "CASCADE" },
    { "DROP TABLE a, b", "0A000", "," },
    { "DROP INDEX i", "0A000", "INDEX" },
    { "BEGIN", "0A000", "BEGIN" },
    { "COMMIT", "0A000", "COMMIT" },
    { "WITH x AS (SELECT 1) SELECT 1", "0A000", "WITH" },
    { "COPY t FROM stdin", "0A000", "COPY" },
    { "SHOW server_version", "0A000", "server" },
    { "SELECT a FROM t WHERE a = 'x", "42601", "'x" },
    { "SELECT \"a FROM t", "42601", "\"a" },
    { "SELECT a FROM t /* x", "42601", "/*" },
    { "SELECT a FROM t WHERE a = $0", "54000", "$0" },
    { "SELECT a FROM t WHERE a = $65536", "54000", "$65536" },
    { "SELECT a FROM t WHERE a = $", "42601", "$" },
    { "SELECT a FROM t WHERE a = $1x", "42601", "$1x" },
    { "SELECT a FROM t WHERE a = 12ab", "42601", "12ab" },
    { "SELECT a FROM t WHERE a = 1e", "42601", "1e" },
    { "SELECT \x01 FROM t", "42601", "\x01" },
    { "SELECT \"\" FROM t", "42622", "\"\"" },
    { "SELECT a234567890123456789012345678901234567890123456789012345678901234 FROM t", "42622",
      "a234" },
};

static void statements_that_are_not_are_refused_at_their_place(void **state)
{
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        AUTO(parsed_done) struct parsed p;
        const char *place = NULL;
        for (const char *at = refused[i].sql; (at = strstr(at, refused[i].place)) != NULL; at++) {
            place = at;
            if (*at == '\0') {
                break;
            }
        }
        assert_non_null(place);
        err e = parse_all(&p, refused[i].sql);
        if (e.code != ERR_PROTO || strcmp(p.error.state, refused[i].state) != 0 ||
            p.error.at != (size_t)(place - refused[i].sql)) {
            print_error("%s: got %s at %zu (%s), want %s at %zu\n", refused[i].sql, p.error.state,
                        p.error.at, p.error.message, refused[i].state,
                        (size_t)(place - refused[i].sql));
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void a_select_becomes_its_tree(void **state)
{
    AUTO(parsed_done) struct parsed p;

    (void)state;
    assert_ok(parse_all(&p, "SELECT Client_ID, \"Sum\"\"s\", sum(R1) AS total FROM Reading WHERE "
                            "client_id = $3 AND ts BETWEEN -5 AND 'x''y' GROUP BY client_id "
                            "ORDER BY ts DESC LIMIT 10 OFFSET $2"));
    assert_int_equal(p.s.kind, STATEMENT_SELECT);
    assert_string_equal(p.s.table.text, "reading");
    assert_int_equal(p.s.item_count, 3);
    assert_string_equal(p.s.items[0].column.text, "client_id");
    assert_string_equal(p.s.items[1].column.text, "Sum\"s");
    assert_int_equal(p.s.items[2].kind, ITEM_SUM);
    assert_string_equal(p.s.items[2].column.text, "r1");
    assert_string_equal(p.s.items[2].label.text, "total");
    assert_int_equal(p.s.where_count, 3);
    assert_int_equal(p.s.where[0].values[0].kind, LITERAL_PARAM);
    assert_int_equal(p.s.where[0].values[0].param, 3);
    assert_int_equal(p.s.where[1].op, OP_GE);
    assert_true(p.s.where[1].values[0].negative);
    assert_int_equal(p.s.where[2].op, OP_LE);
    assert_false(p.s.where[2].values[0].plain);
    assert_true(bytes_equal(p.s.where[2].values[0].text, BYTES_LIT("x''y")));
    assert_int_equal(p.s.group_count, 1);
    assert_true(p.s.order[0].desc);
    assert_true(bytes_equal(p.s.limit->text, BYTES_LIT("10")));
    assert_int_equal(p.s.offset->param, 2);
}

static void rows_of_an_insert_come_one_by_one(void **state)
{
    AUTO(parsed_done) struct parsed p;

    (void)state;
    assert_ok(parse_all(&p, "INSERT INTO t (a, b) VALUES (1, 2), (3, 4),(5,6)"));
    assert_int_equal(p.rows, 3);
    assert_int_equal(p.values, 6);
    assert_int_equal(p.s.target_count, 2);
}

static void lists_and_nesting_have_their_bounds(void **state)
{
    AUTO(buf_done) struct buf sql = { .max = 1u << 20 };

    (void)state;
    for (int over = 0; over < 2; over++) {
        AUTO(parsed_done) struct parsed p;
        buf_clear(&sql);
        assert_ok(buf_string(&sql, "SELECT a FROM t WHERE a IN (0"));
        for (int i = 1; i < SQL_LIST_MAX + over; i++) {
            assert_ok(buf_printf(&sql, ",%d", i));
        }
        assert_ok(buf_append(&sql, BYTES_LIT(")\0")));
        assert_err(parse_all(&p, (const char *)sql.ptr), over ? ERR_PROTO : ERR_NONE);
        assert_string_equal(p.error.state, over ? "54000" : "");
    }
    for (int over = 0; over < 2; over++) {
        AUTO(parsed_done) struct parsed p;
        char text[1024];
        int n = SQL_NESTING_MAX + over;
        int size = snprintf(text, sizeof text, "DELETE FROM t WHERE %*s", n, "");
        memset(text + size - n, '(', (size_t)n);
        size += snprintf(text + size, sizeof text - (size_t)size, "a = 1");
        memset(text + size, ')', (size_t)n);
        text[size + n] = '\0';
        assert_err(parse_all(&p, text), over ? ERR_PROTO : ERR_NONE);
        assert_string_equal(p.error.state, over ? "54001" : "");
    }
    for (int over = 0; over < 2; over++) {
        AUTO(parsed_done) struct parsed p;
        buf_clear(&sql);
        assert_ok(buf_string(&sql, "SELECT a FROM t WHERE a = 0"));
        for (int i = 1; i < SQL_CONDITIONS_MAX + over; i++) {
            assert_ok(buf_string(&sql, " AND a = 0"));
        }
        assert_ok(buf_u8(&sql, 0));
        assert_err(parse_all(&p, (const char *)sql.ptr), over ? ERR_PROTO : ERR_NONE);
    }
}

static void a_statement_that_is_no_text_is_refused(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } bad[] = { { "SELECT \xff FROM t", 15 }, { "SELECT a\0b FROM t", 17 }, { "SELECT '\xc3'", 10 },
                { "SELECT '\xed\xa0\x80'", 12 }, { "SELECT '\xf4\x90\x80\x80'", 13 } };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sql_error e = { .at = SQL_NOWHERE };
        struct lexer l;
        assert_err(lex_begin(&l, (struct bytes){ (const uint8_t *)bad[i].text, bad[i].size }, &e),
                   ERR_PROTO);
        assert_string_equal(e.state, "22021");
    }
}

static void a_fingerprint_knows_shapes_and_not_literals(void **state)
{
    uint64_t one = sql_fingerprint(BYTES_LIT("INSERT INTO t VALUES (1, 'secret')"));

    (void)state;
    assert_int_equal(one, sql_fingerprint(BYTES_LIT("insert  into T values (-2.5,$1),(3,NULL) ")));
    assert_int_not_equal(one, sql_fingerprint(BYTES_LIT("INSERT INTO u VALUES (1, 'secret')")));
    assert_int_not_equal(sql_fingerprint(BYTES_LIT("SELECT a FROM t")),
                         sql_fingerprint(BYTES_LIT("SELECT \"A\" FROM t")));
    assert_int_equal(sql_fingerprint(BYTES_LIT("\xff")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_that_are_supported_are_taken),
        cmocka_unit_test(statements_that_are_not_are_refused_at_their_place),
        cmocka_unit_test(a_select_becomes_its_tree),
        cmocka_unit_test(rows_of_an_insert_come_one_by_one),
        cmocka_unit_test(lists_and_nesting_have_their_bounds),
        cmocka_unit_test(a_statement_that_is_no_text_is_refused),
        cmocka_unit_test(a_fingerprint_knows_shapes_and_not_literals),
    };
    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
