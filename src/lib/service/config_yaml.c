/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/config_yaml.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include "lib/base/file.h"
#include "lib/base/mem.h"

#define SETTING_COUNT_MAX 128

/* ---- what libcyaml says, as one sentence ---- */

/* The first line it logs tells what is wrong, the first "line: N" of its trace about where. */
struct complaint {
    char text[256];
    char field[128];
    unsigned line;
};

static void trim_end(char *text)
{
    size_t n = strlen(text);

    while (n > 0 && (uint8_t)text[n - 1] <= ' ') {
        text[--n] = '\0';
    }
}

__attribute__((format(printf, 3, 0)))
static void on_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
    struct complaint *c = context;
    char line[256];

    (void)level;
    vsnprintf(line, sizeof line, format, args);
    trim_end(line);
    const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
    const char *at = strstr(text, "(line: ");
    if (at != NULL) {
        if (c->line == 0) {
            sscanf(at, "(line: %u", &c->line);
            sscanf(text, "  in mapping field '%127[^']'", c->field);
        }
    } else if (c->text[0] == '\0' && strcmp(text, "Backtrace:") != 0) {
        snprintf(c->text, sizeof c->text, "%s", text);
    }
}

static void known_keys(const struct settings *s, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < s->count && len < size; i++) {
        int n = snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : "", s->table[i].name);
        len += n > 0 ? (size_t)n : 0;
    }
}

/* libcyaml reports where the mapping stood, which is a line or more before an unknown key. */
static unsigned line_of_key(struct bytes text, const char *key, bool last)
{
    size_t len = strlen(key);
    unsigned line = 1, found = 0;

    for (size_t i = 0; i < text.len; line++) {
        size_t start = i;
        const uint8_t *end = memchr(text.ptr + i, '\n', text.len - i);
        i = end != NULL ? (size_t)(end - text.ptr) + 1 : text.len;
        while (start < i && text.ptr[start] == ' ') {
            start++;
        }
        bool here = i - start > len && memcmp(text.ptr + start, key, len) == 0 &&
                    (text.ptr[start + len] == ':' || text.ptr[start + len] == ' ');
        if (here && (found == 0 || last)) {
            found = line;
        }
    }
    return found;
}

static err fail_unknown(const struct settings *s, struct bytes text, const char *name,
                        const char *key)
{
    char known[1024];

    known_keys(s, known, sizeof known);
    FAIL(ERR_PROTO, "%s: line %u: unknown setting '%.64s'; known are %s", name,
         line_of_key(text, key, false), key, known);
}

static err fail_load(const struct settings *s, struct bytes text, const char *name,
                     cyaml_err_t code, const struct complaint *c)
{
    static const char unexpected[] = "Unexpected key: ";
    static const char seen[] = "Mapping field already seen: ";

    if (code == CYAML_ERR_OOM) {
        FAIL(ERR_LIMIT, "%s: no memory to read it", name);
    }
    if (strncmp(c->text, unexpected, sizeof unexpected - 1) == 0) {
        return fail_unknown(s, text, name, c->text + sizeof unexpected - 1);
    }
    if (strncmp(c->text, seen, sizeof seen - 1) == 0) {
        const char *key = c->text + sizeof seen - 1;
        FAIL(ERR_PROTO, "%s: line %u: setting '%s' is given twice", name,
             line_of_key(text, key, true), key);
    }
    if (code == CYAML_ERR_ALIAS) {
        FAIL(ERR_PROTO, "%s: line %u: aliases (*name) are not allowed", name, c->line);
    }
    if (code == CYAML_ERR_STRING_LENGTH_MAX) {
        FAIL(ERR_LIMIT, "%s: line %u: setting '%s' may have %d octets", name, c->line, c->field,
             CONFIG_VALUE_BYTES_MAX);
    }
    if (code == CYAML_ERR_INVALID_VALUE && c->field[0] != '\0') {
        FAIL(ERR_PROTO, "%s: line %u: setting '%s' must be one value, not a list or a mapping",
             name, c->line, c->field);
    }
    if (code == CYAML_ERR_INVALID_VALUE) {
        FAIL(ERR_PROTO, "%s: settings must be lines of the form 'name: value'", name);
    }
    FAIL(ERR_PROTO, "%s: line %u: not YAML: %s", name, c->line,
         c->text[0] != '\0' ? c->text : cyaml_strerror(code));
}

/* ---- loading ---- */

static void *take_or_give(void *context, void *p, size_t size)
{
    (void)context;
    if (size == 0) {
        mem_give(p);
        return NULL;
    }
    return mem_resize(p, size);
}

/* libcyaml reads the first document and drops the rest without a word. */
static err check_one_document(struct bytes text, const char *name)
{
    bool begun = false;
    unsigned line = 1;

    if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL) {
        FAIL(ERR_PROTO, "%s: has a NUL inside", name);
    }
    for (size_t i = 0; i < text.len; line++) {
        const uint8_t *at = text.ptr + i;
        const uint8_t *end = memchr(at, '\n', text.len - i);
        size_t n = end != NULL ? (size_t)(end - at) : text.len - i;
        bool mark = n >= 3 && (memcmp(at, "---", 3) == 0 || memcmp(at, "...", 3) == 0);
        if (mark && begun) {
            FAIL(ERR_PROTO, "%s: line %u: only one document is allowed", name, line);
        }
        begun = begun || mark || (n > 0 && at[0] != '#' && at[0] != '\r');
        i += n + 1;
    }
    return OK;
}

static void texts_give(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mem_give(texts[i]);
        texts[i] = NULL;
    }
}

static err texts_copy(char *const *from, char **to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i] == NULL) {
            continue;
        }
        size_t size = strlen(from[i]) + 1;
        to[i] = mem_take(size);
        if (to[i] == NULL) {
            texts_give(to, i);
            FAIL(ERR_LIMIT, "no memory for settings");
        }
        memcpy(to[i], from[i], size);
    }
    return OK;
}

/* Every setting is an optional text to libcyaml; what the text must be is checked by our table. */
static void schema_make(const struct settings *s, cyaml_schema_field_t *fields)
{
    memset(fields, 0, (s->count + 1) * sizeof fields[0]);
    for (size_t i = 0; i < s->count; i++) {
        fields[i].key = s->table[i].name;
        fields[i].data_offset = (uint32_t)(i * sizeof(char *));
        fields[i].value.type = CYAML_STRING;
        fields[i].value.flags = (enum cyaml_flag)(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL);
        fields[i].value.data_size = 1;
        fields[i].value.string.max = CONFIG_VALUE_BYTES_MAX;
    }
}

err config_yaml_parse(const struct settings *s, struct bytes text, const char *name, char **texts)
{
    cyaml_schema_field_t fields[SETTING_COUNT_MAX + 1];
    struct complaint complaint = { .line = 0 };
    const cyaml_config_t config = {
        .log_fn = on_log,
        .log_ctx = &complaint,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = take_or_give,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    void *loaded = NULL;

    assert(s->count <= SETTING_COUNT_MAX);
    if (text.len > CONFIG_BYTES_MAX) {
        FAIL(ERR_LIMIT, "%s: has more than %u octets", name, CONFIG_BYTES_MAX);
    }
    TRY(check_one_document(text, name));
    schema_make(s, fields);
    const cyaml_schema_value_t schema = {
        .type = CYAML_MAPPING,
        .flags = CYAML_FLAG_POINTER,
        .data_size = (uint32_t)(s->count * sizeof(char *)),
        .mapping = { .fields = fields },
    };
    cyaml_err_t code = cyaml_load_data(text.len > 0 ? text.ptr : (const uint8_t *)"", text.len,
                                       &config, &schema, &loaded, NULL);
    if (code != CYAML_OK) {
        return fail_load(s, text, name, code, &complaint);
    }
    memset(texts, 0, s->count * sizeof texts[0]);
    err e = loaded != NULL ? texts_copy(loaded, texts, s->count) : OK;
    cyaml_free(&config, &schema, loaded, 0);
    return e;
}

err config_yaml_read(const struct settings *s, const char *path, char **texts)
{
    AUTO(buf_done) struct buf text = { .max = CONFIG_BYTES_MAX };

    TRY(file_read(path, &text));
    return config_yaml_parse(s, buf_bytes(&text), path, texts);
}
