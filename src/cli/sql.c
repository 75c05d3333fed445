/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/calls.h"
#include "cli/cli.h"

#define STATEMENT_BYTES_MAX SQL_BODY_BYTES_MAX
#define COLUMN_WIDTH_MAX 40

static const char usage[] =
    "usage: meterseal sql [-c STATEMENT] [--dir DIR] [--json]\n\n"
    "Runs a statement, or those of standard input (each ends with ; and a line end).\n"
    "--json prints each answer as one line: {\"columns\",\"rows\",\"command\"}.\n";

/* A value as one cell; texts as they are, everything else as JSON writes it. */
static void cell_text(const json_t *v, char *out, size_t size)
{
    if (json_is_string(v)) {
        snprintf(out, size, "%s", json_string_value(v));
        return;
    }
    char *text = json_is_null(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    snprintf(out, size, "%s", text != NULL ? text : "");
    free(text);
}

static void print_row(const json_t *row, const size_t *widths, size_t count)
{
    char text[1024];

    for (size_t i = 0; i < count; i++) {
        cell_text(json_array_get(row, i), text, sizeof text);
        printf("%s%-*s", i > 0 ? " | " : "", (int)widths[i], text);
    }
    printf("\n");
}

static void take_width(size_t *width, const char *text)
{
    size_t len = strlen(text);

    if (len > *width) {
        *width = len < COLUMN_WIDTH_MAX ? len : COLUMN_WIDTH_MAX;
    }
}

#define COLUMNS_MAX 1664

static void print_table(const json_t *columns, const json_t *rows)
{
    static size_t widths[COLUMNS_MAX];
    size_t count = json_array_size(columns) < COLUMNS_MAX ? json_array_size(columns) : COLUMNS_MAX;
    char text[1024];

    for (size_t i = 0; i < count; i++) {
        widths[i] = 0;
        take_width(&widths[i],
                   json_string_value(json_object_get(json_array_get(columns, i), "name")));
        for (size_t r = 0; r < json_array_size(rows); r++) {
            cell_text(json_array_get(json_array_get(rows, r), i), text, sizeof text);
            take_width(&widths[i], text);
        }
    }
    for (size_t i = 0; i < count; i++) {
        printf("%s%-*s", i > 0 ? " | " : "", (int)widths[i],
               json_string_value(json_object_get(json_array_get(columns, i), "name")));
    }
    printf("\n");
    for (size_t r = 0; r < json_array_size(rows); r++) {
        print_row(json_array_get(rows, r), widths, count);
    }
}

static void print_answer(const json_t *answer, bool json)
{
    const json_t *columns = json_object_get(answer, "columns");
    const char *command = json_string_value(json_object_get(answer, "command"));

    if (json) {
        char *text = json_dumps(answer, JSON_COMPACT);
        printf("%s\n", text != NULL ? text : "null");
        free(text);
        return;
    }
    if (json_array_size(columns) > 0) {
        print_table(columns, json_object_get(answer, "rows"));
    }
    printf("%s\n", command != NULL ? command : "");
}

static err run_statement(struct sql_client *c, struct bytes statement, bool json)
{
    json_t *answer = NULL;

    TRY(sql_wait(c, statement, (struct bytes){ NULL, 0 }, &answer));
    print_answer(answer, json);
    json_decref(answer);
    return OK;
}

static bool blank(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.ptr[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Statements of standard input; on a terminal an error is told and the next one awaited. */
static err run_input(struct sql_client *c, bool json)
{
    AUTO(buf_done) struct buf text = { .max = STATEMENT_BYTES_MAX };
    bool person = isatty(STDIN_FILENO) == 1;
    char line[65536];

    for (;;) {
        if (person) {
            printf(text.len == 0 ? "meterseal=> " : "meterseal-> ");
            fflush(stdout);
        }
        if (fgets(line, sizeof line, stdin) == NULL) {
            break;
        }
        TRY(buf_string(&text, line));
        struct bytes whole = buf_bytes(&text);
        while (whole.len > 0 && strchr(" \t\r\n", whole.ptr[whole.len - 1]) != NULL) {
            whole.len--;
        }
        if (whole.len == 0 || whole.ptr[whole.len - 1] != ';') {
            continue;
        }
        whole.len--;
        err e = run_statement(c, whole, json);
        if (e.code && !person) {
            return e;
        }
        if (e.code) {
            cli_fail(e);
        }
        buf_clear(&text);
    }
    return blank(buf_bytes(&text)) ? OK : run_statement(c, buf_bytes(&text), json);
}

static err run_in_place(const struct options *o, const char *statement)
{
    AUTO(sql_client_freep) struct sql_client *c = NULL;
    struct place p;

    TRY(place_open(o->dir, &p));
    TRY(calls_sql(&p, &c));
    if (statement != NULL) {
        return run_statement(c, bytes_of_string(statement), o->json);
    }
    return run_input(c, o->json);
}

int verb_sql(int argc, char **argv)
{
    static char long_c[] = "--c";
    const char *statement = NULL;
    const struct option_spec specs[] = { { "c", NULL, &statement } };
    struct options o;
    int count;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0) { /* as psql writes it */
            argv[i] = long_c;
        }
    }
    err e = cli_options(argc, argv, specs, 1, &o, &count);
    if (e.code || count > 0) {
        return e.code ? (cli_fail(e), EXIT_USAGE) : cli_usage(usage);
    }
    if (o.help) {
        printf("%s", usage);
        return EXIT_DONE;
    }
    e = run_in_place(&o, statement);
    return e.code ? cli_fail(e) : EXIT_DONE;
}
