/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the text, parsing ends with a statement or a refusal that names a place within it. */
#include <assert.h>
#include <string.h>

#include "store/sql/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static err read_rows(struct parser *p, struct statement *s)
{
    struct literal l;
    bool more = true, last;

    while (more) {
        TRY(parse_row_open(p));
        for (last = false; !last;) {
            TRY(parse_row_value(p, &l, &last));
        }
        TRY(parse_row_next(p, &more));
    }
    return parse_insert_tail(p, s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_done) struct arena arena = { .max = 1u << 24 };
    struct sql_error error = { .at = SQL_NOWHERE };
    struct parser p;
    struct statement s;

    err e = parse_begin(&p, (struct bytes){ data, size }, &arena, &error, &s);
    if (!e.code && s.kind == STATEMENT_INSERT) {
        e = read_rows(&p, &s);
    }
    if (e.code) {
        assert(strlen(error.state) == 5 && error.message[0] != '\0');
        assert(error.at == SQL_NOWHERE || error.at <= size);
    }
    (void)sql_fingerprint((struct bytes){ data, size });
    return 0;
}
