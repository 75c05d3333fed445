/* SPDX-License-Identifier: Apache-2.0 */
/* Statements as trees: the shapes that the native executor knows, anything else is refused with
 * 0A000 (known SQL, not supported here) or 42601 (not SQL), and where.
 *
 * Everything is in the arena of the statement and borrows from its text. The rows of an INSERT are
 * not part of the tree: they are read one by one with parse_insert_value, straight into storage. */
#pragma once

#include "lib/base/arena.h"
#include "lib/wire/dictionary.h"
#include "store/sql/lex.h"

#define SQL_CONDITIONS_MAX 64
#define SQL_LIST_MAX 1000 /* values of an IN */
#define SQL_ITEMS_MAX 256 /* columns of a SELECT, of an INSERT, of a SET */
#define SQL_NESTING_MAX 200

struct sql_name {
    char text[SQL_NAME_BYTES_MAX + 1]; /* folded to lower case unless quoted */
    size_t at;
};

enum literal_kind {
    LITERAL_NULL, LITERAL_DEFAULT, LITERAL_BOOL, LITERAL_PARAM,
    LITERAL_NUMBER, /* text */
    LITERAL_TEXT,   /* text; of no type yet, as in PostgreSQL */
    LITERAL_INT,    /* of a parameter */
    LITERAL_FLOAT,  /* of a parameter */
};

struct literal {
    uint8_t kind;
    bool negative; /* a minus stands before the number */
    bool plain;    /* a number of digits alone; a text without doubled quotes */
    bool escapes;  /* E'..' */
    bool truth;
    uint16_t param;
    size_t at;
    union {
        struct bytes text;
        int64_t i;
        double f;
    };
};

enum compare_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_IS_NULL, OP_NOT_NULL };

struct condition { /* all conditions of a WHERE hold together */
    struct sql_name column;
    enum compare_op op;
    struct literal *values;
    size_t count;
};

enum item_kind { ITEM_STAR, ITEM_COLUMN, ITEM_COUNT_ROWS, ITEM_COUNT, ITEM_SUM, ITEM_MIN, ITEM_MAX,
                 ITEM_AVG };

struct select_item {
    enum item_kind kind;
    struct sql_name column;
    struct sql_name label; /* of AS; "" = none */
};

struct order_item {
    struct sql_name column;
    bool desc;
};

struct assignment { /* SET column = literal, or = EXCLUDED.source */
    struct sql_name column;
    struct sql_name source; /* "" = the literal */
    struct literal value;
};

struct column_spec {
    struct sql_name name;
    enum column_type type;
    int32_t typmod;
    bool not_null;
};

enum statement_kind { STATEMENT_CREATE, STATEMENT_DROP, STATEMENT_INSERT, STATEMENT_SELECT,
                      STATEMENT_UPDATE, STATEMENT_DELETE, STATEMENT_SHOW_TABLES };

enum on_conflict { CONFLICT_FAIL, CONFLICT_NOTHING, CONFLICT_UPDATE };

struct statement {
    enum statement_kind kind;
    struct sql_name table;
    bool if_exists; /* IF EXISTS, IF NOT EXISTS */
    struct column_spec *columns; /* CREATE */
    size_t column_count;
    struct sql_name *key; /* CREATE: primary key */
    size_t key_count;
    struct sql_name *targets; /* INSERT: column list; none = all */
    size_t target_count;
    enum on_conflict on_conflict;
    struct sql_name *conflict_key; /* ON CONFLICT (..) */
    size_t conflict_key_count;
    struct assignment *sets; /* UPDATE, DO UPDATE */
    size_t set_count;
    struct select_item *items; /* SELECT */
    size_t item_count;
    struct condition *where;
    size_t where_count;
    struct sql_name *group;
    size_t group_count;
    struct order_item *order;
    size_t order_count;
    struct literal *limit, *offset; /* NULL = none */
};

struct parser {
    struct lexer lexer;
    struct token token; /* the next one */
    struct arena *arena;
    struct sql_error *error;
};

/* Reads a whole statement; of an INSERT all up to VALUES. */
err parse_begin(struct parser *p, struct bytes text, struct arena *a, struct sql_error *error,
                struct statement *out) MUST_USE;

/* An INSERT's rows: open, value .. value, close; then the tail into the same statement. */
err parse_row_open(struct parser *p) MUST_USE;
/* *out_last: the row's closing parenthesis was taken behind this value. */
err parse_row_value(struct parser *p, struct literal *out, bool *out_last) MUST_USE;
/* Takes the comma before a further row. */
err parse_row_next(struct parser *p, bool *out_more) MUST_USE;
err parse_insert_tail(struct parser *p, struct statement *out) MUST_USE;
