/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/lex.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/utf8.h"

enum { C_BLANK = '_', C_LETTER = 'a', C_DIGIT = '0', C_SIGN = '+' };

/* What each octet is, 32 a line. Letters are also what may go on in a name, with digits and `$`;
 * UTF-8 beyond ASCII counts as letters. A dot is what starts no token. */
static const char classes[256 + 1] =
    ".........__.__.................."
    "_+.+.++.++++++++0000000000++++++"
    "+aaaaaaaaaaaaaaaaaaaaaaaaaa+.++a"
    ".aaaaaaaaaaaaaaaaaaaaaaaaaa.+.+."
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static uint8_t char_at(const struct lexer *l, size_t at)
{
    return at < l->text.len ? l->text.ptr[at] : 0;
}

static bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

static bool in_name(uint8_t c)
{
    return classes[c] == C_LETTER || is_digit(c) || c == '$';
}

err lex_begin(struct lexer *l, struct bytes text, struct sql_error *error)
{
    if (text.len > SQL_TEXT_BYTES_MAX) {
        SQL_FAIL(error, "54000", SQL_NOWHERE, "statement of %zu octets, at most %u", text.len,
                 SQL_TEXT_BYTES_MAX);
    }
    if (!utf8_valid(text)) {
        SQL_FAIL(error, "22021", SQL_NOWHERE, "the statement is not UTF-8, or has a NUL in it");
    }
    *l = (struct lexer){ .text = text, .error = error };
    return OK;
}

static err skip_comment(struct lexer *l)
{
    size_t start = l->at;
    size_t depth = 0;

    do {
        if (l->at + 1 >= l->text.len) {
            SQL_FAIL(l->error, "42601", start, "unterminated /* comment");
        }
        const uint8_t *p = l->text.ptr + l->at;
        if (p[0] == '/' && p[1] == '*') {
            depth++;
            l->at += 2;
        } else if (p[0] == '*' && p[1] == '/') {
            depth--;
            l->at += 2;
        } else {
            l->at++;
        }
    } while (depth > 0);
    return OK;
}

static err skip_blanks(struct lexer *l)
{
    for (;;) {
        while (classes[char_at(l, l->at)] == C_BLANK) {
            l->at++;
        }
        uint8_t c = char_at(l, l->at);
        if (c == '-' && char_at(l, l->at + 1) == '-') {
            while (l->at < l->text.len && l->text.ptr[l->at] != '\n') {
                l->at++;
            }
        } else if (c == '/' && char_at(l, l->at + 1) == '*') {
            TRY(skip_comment(l));
        } else {
            return OK;
        }
    }
}

static struct bytes text_from(const struct lexer *l, size_t start)
{
    return (struct bytes){ l->text.ptr + start, l->at - start };
}

static void skip_digits(struct lexer *l)
{
    while (is_digit(char_at(l, l->at))) {
        l->at++;
    }
}

/* digits [. digits] [e [sign] digits], or . digits */
static err lex_number(struct lexer *l, struct token *t)
{
    size_t start = l->at;

    t->kind = TOKEN_NUMBER;
    t->plain = true;
    skip_digits(l);
    if (char_at(l, l->at) == '.') {
        t->plain = false;
        l->at++;
        skip_digits(l);
    }
    if ((char_at(l, l->at) | 0x20) == 'e') {
        size_t digits = l->at + 1;
        digits += char_at(l, digits) == '+' || char_at(l, digits) == '-';
        if (is_digit(char_at(l, digits))) {
            t->plain = false;
            l->at = digits;
            skip_digits(l);
        }
    }
    if (in_name(char_at(l, l->at))) {
        SQL_FAIL(l->error, "42601", start, "trailing junk after numeric literal");
    }
    t->text = text_from(l, start);
    return OK;
}

/* From behind the opening quote to the closing one, which is not part of the text. */
static err lex_quoted(struct lexer *l, struct token *t, uint8_t quote, bool backslash)
{
    size_t start = ++l->at;

    t->plain = true;
    for (;; l->at++) {
        const uint8_t *p = l->text.ptr + l->at;
        size_t left = l->text.len - l->at;
        const uint8_t *hit = backslash ? NULL : memchr(p, quote, left);
        if (!backslash) {
            l->at += hit != NULL ? (size_t)(hit - p) : left;
        }
        uint8_t c = char_at(l, l->at);
        if (l->at >= l->text.len) {
            SQL_FAIL(l->error, "42601", t->at, "unterminated quoted %s",
                     quote == '"' ? "name" : "text");
        }
        if (backslash && c == '\\') {
            t->plain = false;
            l->at++;
        } else if (c == quote) {
            if (char_at(l, l->at + 1) != quote) {
                break;
            }
            t->plain = false;
            l->at++;
        }
    }
    t->text = text_from(l, start);
    l->at++;
    return OK;
}

static err lex_param(struct lexer *l, struct token *t)
{
    uint64_t n;
    size_t start = ++l->at;

    skip_digits(l);
    if (l->at == start) {
        SQL_FAIL(l->error, "42601", t->at, "syntax error at or near \"$\"");
    }
    if (decimal_parse(text_from(l, start), SQL_PARAMS_MAX, &n).code || n == 0) {
        SQL_FAIL(l->error, "54000", t->at, "parameters are $1 to $%d", SQL_PARAMS_MAX);
    }
    if (in_name(char_at(l, l->at))) {
        SQL_FAIL(l->error, "42601", t->at, "trailing junk after parameter");
    }
    t->kind = TOKEN_PARAM;
    t->param = (uint16_t)n;
    return OK;
}

static uint8_t sign_of_two(uint8_t first, uint8_t second)
{
    static const uint8_t pairs[][3] = { "<=l", ">=g", "<>n", "!=n", "::c", "||o" };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i][0] == first && pairs[i][1] == second) {
            return pairs[i][2];
        }
    }
    return 0;
}

static err lex_sign(struct lexer *l, struct token *t)
{
    uint8_t c = char_at(l, l->at);
    uint8_t two = sign_of_two(c, char_at(l, l->at + 1));

    if (classes[c] != C_SIGN) {
        SQL_FAIL(l->error, "42601", t->at, "a character that has no meaning here");
    }
    t->kind = TOKEN_SIGN;
    t->sign = two != 0 ? two : c;
    l->at += two != 0 ? 2 : 1;
    t->text = text_from(l, t->at);
    return OK;
}

static err lex_name(struct lexer *l, struct token *t)
{
    t->kind = TOKEN_NAME;
    t->plain = true;
    while (in_name(char_at(l, l->at))) {
        l->at++;
    }
    t->text = text_from(l, t->at);
    if (t->text.len == 1 && (t->text.ptr[0] | 0x20) == 'e' && char_at(l, l->at) == '\'') {
        t->kind = TOKEN_ESCAPED_TEXT;
        return lex_quoted(l, t, '\'', true);
    }
    return OK;
}

err lex_next(struct lexer *l, struct token *out)
{
    TRY(skip_blanks(l));
    struct token t = { .at = l->at };
    uint8_t c = char_at(l, l->at);
    err e = OK;

    if (l->at >= l->text.len) {
        t.kind = TOKEN_END;
    } else if (is_digit(c) || (c == '.' && is_digit(char_at(l, l->at + 1)))) {
        e = lex_number(l, &t);
    } else if (c == '\'') {
        t.kind = TOKEN_TEXT;
        e = lex_quoted(l, &t, c, false);
    } else if (classes[c] == C_LETTER) {
        e = lex_name(l, &t);
    } else if (c == '"') {
        t.kind = TOKEN_QUOTED_NAME;
        e = lex_quoted(l, &t, c, false);
    } else if (c == '$') {
        e = lex_param(l, &t);
    } else {
        e = lex_sign(l, &t);
    }
    TRY(e);
    *out = t;
    return OK;
}

bool token_is(const struct token *t, const char *keyword)
{
    if (t->kind != TOKEN_NAME) {
        return false;
    }
    for (size_t i = 0; i < t->text.len; i++) {
        uint8_t c = t->text.ptr[i];
        if ((c >= 'a' && c <= 'z' ? c - 32 : c) != (uint8_t)keyword[i]) {
            return false;
        }
    }
    return keyword[t->text.len] == '\0';
}

/* FNV-1a over the tokens; literals and parameters count as one question mark, a list of them too.
 */
uint64_t sql_fingerprint(struct bytes text)
{
    struct sql_error ignored = { 0 };
    struct lexer l;
    struct token t;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    bool in_list = false;

    if (lex_begin(&l, text, &ignored).code) {
        return 0;
    }
    while (!lex_next(&l, &t).code && t.kind != TOKEN_END) {
        bool literal = t.kind == TOKEN_NUMBER || t.kind == TOKEN_TEXT || t.kind == TOKEN_PARAM ||
                       t.kind == TOKEN_ESCAPED_TEXT || token_is(&t, "NULL") ||
                       token_is(&t, "TRUE") || token_is(&t, "FALSE");
        bool joint = t.kind == TOKEN_SIGN && strchr("(),", t.sign) != NULL;
        bool plus = t.kind == TOKEN_SIGN && (t.sign == '-' || t.sign == '+');
        if (plus || (in_list && (literal || joint))) {
            continue;
        }
        in_list = literal;
        struct bytes part = literal ? BYTES_LIT("?") : t.text;
        for (size_t i = 0; i < part.len; i++) {
            uint8_t c = part.ptr[i];
            c = t.kind == TOKEN_NAME && c >= 'A' && c <= 'Z' ? c + 32 : c;
            hash = (hash ^ c) * UINT64_C(0x100000001b3);
        }
        hash = (hash ^ ' ') * UINT64_C(0x100000001b3);
    }
    return hash;
}
