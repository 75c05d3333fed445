/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the parser share: taking tokens, names, literals and lists. */
#pragma once

#include "store/sql/parse.h"

err parse_advance(struct parser *p) MUST_USE;
/* 42601 at the next token. */
err parse_syntax(struct parser *p) MUST_USE;
/* 0A000 at the next token; `what` is a constant. */
err parse_unsupported(struct parser *p, const char *what) MUST_USE;

/* Take it if it is there. */
err parse_accept(struct parser *p, const char *keyword, bool *out_taken) MUST_USE;
err parse_accept_sign(struct parser *p, uint8_t sign, bool *out_taken) MUST_USE;
/* 42601 if it is not there. */
err parse_expect(struct parser *p, const char *keyword) MUST_USE;
err parse_expect_sign(struct parser *p, uint8_t sign) MUST_USE;

bool parse_at_sign(const struct parser *p, uint8_t sign);
err parse_name(struct parser *p, struct sql_name *out) MUST_USE;
/* A table's name, with or without `public.` before it. */
err parse_table_name(struct parser *p, struct sql_name *out) MUST_USE;
err parse_literal(struct parser *p, struct literal *out) MUST_USE;
/* (name, name ..), the opening parenthesis included. */
err parse_name_list(struct parser *p, struct sql_name **out, size_t *out_count) MUST_USE;
err parse_end(struct parser *p) MUST_USE;

/* Room for one more in a list of the arena: *items may move. 54000 above `max`. */
err parse_grow(struct parser *p, void *items, size_t count, size_t size, size_t max) MUST_USE;

err parse_create(struct parser *p, struct statement *out) MUST_USE; /* parse_ddl.c */
err parse_drop(struct parser *p, struct statement *out) MUST_USE;
err parse_select(struct parser *p, struct statement *out) MUST_USE; /* parse_select.c */
err parse_where(struct parser *p, struct statement *out) MUST_USE;  /* parse_where.c */
