/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of SQL text, in one pass and without memory of their own: the road of the collector's
 * readings, so a literal costs a few nanoseconds. */
#pragma once

#include "lib/base/bytes.h"
#include "store/sql/error.h"

#define SQL_TEXT_BYTES_MAX (4u << 20)
#define SQL_PARAMS_MAX 65535
#define SQL_NAME_BYTES_MAX 63

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,         /* any letter case */
    TOKEN_QUOTED_NAME,  /* "..", quotes inside doubled */
    TOKEN_NUMBER,
    TOKEN_TEXT,         /* '..', quotes inside doubled */
    TOKEN_ESCAPED_TEXT, /* E'..' */
    TOKEN_PARAM,        /* $1 */
    TOKEN_SIGN,
};

enum { /* signs of two characters; the others are themselves */
    SIGN_LE = 'l', SIGN_GE = 'g', SIGN_NE = 'n', SIGN_CAST = 'c', SIGN_CONCAT = 'o',
};

struct token {
    uint8_t kind;
    uint8_t sign;      /* of TOKEN_SIGN */
    bool plain;        /* a number of digits alone; a text or name without doubled quotes */
    uint16_t param;    /* of TOKEN_PARAM */
    size_t at;         /* octet of the text where it starts */
    struct bytes text; /* borrowed; what is between the quotes */
};

struct lexer {
    struct bytes text;
    size_t at;
    struct sql_error *error; /* borrowed */
};

/* 54000: longer than the bound; 22021: not UTF-8, or NUL. */
err lex_begin(struct lexer *l, struct bytes text, struct sql_error *error) MUST_USE;
err lex_next(struct lexer *l, struct token *out) MUST_USE;
/* That a token is this keyword (upper case), in any letter case. */
bool token_is(const struct token *t, const char *keyword);

/* A number that is the same for statements that differ in literals, blanks and the count of rows
 * only: what logs may say of a statement. */
uint64_t sql_fingerprint(struct bytes text);
