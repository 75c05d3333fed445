/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/config.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/service/config_yaml.h"

/* Where a value comes from, for errors. */
struct origin {
    const char *file; /* NULL: the command line or the table */
    const char *option;
};

static err fail_value(const struct setting *t, const struct origin *from, enum err_code code,
                      const char *what)
{
    if (from->file != NULL) {
        err_set(__FILE__, __LINE__, "%s: setting '%s' %s", from->file, t->name, what);
    } else if (from->option != NULL) {
        err_set(__FILE__, __LINE__, "option %s %s", from->option, what);
    } else {
        err_set(__FILE__, __LINE__, "setting '%s' %s", t->name, what);
    }
    return (err){ code };
}

/* ---- values ---- */

static void *place_of(const struct setting *t, void *config)
{
    return (char *)config + t->offset;
}

static uint64_t max_of(const struct setting *t)
{
    return t->max != 0 ? t->max : UINT64_MAX;
}

static err set_uint(const struct setting *t, const struct origin *from, const char *text,
                    void *config)
{
    char what[160];
    uint64_t v;
    err e = decimal_parse(bytes_of_string(text), UINT64_MAX, &v);

    if (e.code || v < t->min || v > max_of(t)) {
        snprintf(what, sizeof what, "must be a number from %llu to %llu%s%s",
                 (unsigned long long)t->min, (unsigned long long)max_of(t),
                 t->unit != NULL ? " " : "", t->unit != NULL ? t->unit : "");
        return fail_value(t, from, e.code == ERR_PROTO ? ERR_PROTO : ERR_LIMIT, what);
    }
    memcpy(place_of(t, config), &v, sizeof v);
    return OK;
}

static err set_bool(const struct setting *t, const struct origin *from, const char *text,
                    void *config)
{
    bool v = strcmp(text, "true") == 0;

    if (!v && strcmp(text, "false") != 0) {
        return fail_value(t, from, ERR_PROTO, "must be true or false");
    }
    memcpy(place_of(t, config), &v, sizeof v);
    return OK;
}

static bool address_plausible(const char *text)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;

    return colon != NULL && colon != text && strcspn(text, " \t/@") == strlen(text) &&
           decimal_parse(bytes_of_string(colon + 1), 65535, &port).code == ERR_NONE;
}

static bool url_plausible(const char *text)
{
    bool secure = strncmp(text, "https://", 8) == 0;
    bool loopback = strncmp(text, "http://127.0.0.1:", 17) == 0;

    return (secure || loopback) && address_plausible(strstr(text, "//") + 2);
}

static err check_text(const struct setting *t, const struct origin *from, const char *text)
{
    bool may_be_empty = t->default_value != NULL && t->default_value[0] == '\0';

    if (text[0] == '\0') {
        return may_be_empty ? OK : fail_value(t, from, ERR_PROTO, "must not be empty");
    }
    if (strlen(text) > CONFIG_VALUE_BYTES_MAX) {
        return fail_value(t, from, ERR_LIMIT, "may have 4096 octets");
    }
    for (const char *c = text; *c != '\0'; c++) {
        if ((uint8_t)*c < ' ' || *c == 0x7f) {
            return fail_value(t, from, ERR_PROTO, "must not have control characters");
        }
    }
    if (t->kind == SETTING_ADDRESS && !address_plausible(text)) {
        return fail_value(t, from, ERR_PROTO, "must be host:port");
    }
    if (t->kind == SETTING_URL && !url_plausible(text)) {
        return fail_value(t, from, ERR_PROTO, "must be https://host:port");
    }
    return OK;
}

/* Paths in a file are seen from the file; those of the command line from where it was typed. */
static err text_make(const struct setting *t, const char *base, const char *text, char **out)
{
    const char *slash = base != NULL ? strrchr(base, '/') : NULL;
    bool relative = t->kind == SETTING_PATH && text[0] != '/' && text[0] != '\0' && slash != NULL;
    size_t before = relative ? (size_t)(slash - base) + 1 : 0;
    size_t len = strlen(text);
    char *made = mem_take(before + len + 1);

    if (made == NULL) {
        FAIL(ERR_LIMIT, "no memory for settings");
    }
    memcpy(made, base != NULL ? base : "", before);
    memcpy(made + before, text, len + 1);
    *out = made;
    return OK;
}

static bool is_text(const struct setting *t)
{
    return t->kind != SETTING_UINT && t->kind != SETTING_BOOL;
}

static void text_give(const struct setting *t, void *config)
{
    char *old;

    memcpy(&old, place_of(t, config), sizeof old);
    mem_give(old);
}

static err set_text(const struct setting *t, const struct origin *from, const char *base,
                    const char *text, void *config)
{
    char *made;

    TRY(check_text(t, from, text));
    TRY(text_make(t, base, text, &made));
    text_give(t, config);
    memcpy(place_of(t, config), &made, sizeof made);
    return OK;
}

static err set_value(const struct setting *t, const struct origin *from, const char *base,
                     const char *text, void *config)
{
    switch (t->kind) {
    case SETTING_UINT: return set_uint(t, from, text, config);
    case SETTING_BOOL: return set_bool(t, from, text, config);
    default: return set_text(t, from, base, text, config);
    }
}

/* ---- options ---- */

/* "--health-listen=x" and "--health_listen=x" name health_listen. */
static bool option_names(const char *option, const char *name, const char **value)
{
    if (strncmp(option, "--", 2) != 0) {
        return false;
    }
    for (option += 2; *name != '\0'; option++, name++) {
        if (*option != *name && !(*option == '-' && *name == '_')) {
            return false;
        }
    }
    *value = option + 1;
    return *option == '=';
}

static err set_option(const struct settings *s, const char *option, void *config, bool *given)
{
    const char *value;

    for (size_t i = 0; i < s->count; i++) {
        if (option_names(option, s->table[i].name, &value)) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(option, "="), option);
            const struct origin from = { .option = name };
            given[i] = true;
            return set_value(&s->table[i], &from, NULL, value, config);
        }
    }
    FAIL(ERR_PROTO, "option '%.64s' is not known; options have the form --name=value, see --help",
         option);
}

/* ---- loading ---- */

struct filling {
    const struct settings *s;
    const char *path;
    char **texts; /* of the file */
    bool *given;
    void *config;
};

static err fill_files_and_defaults(const struct filling *f)
{
    for (size_t i = 0; i < f->s->count; i++) {
        const struct setting *t = &f->s->table[i];
        const struct origin from_file = { .file = f->path };
        const struct origin from_table = { 0 };
        if (f->texts[i] != NULL) {
            f->given[i] = true;
            TRY(set_value(t, &from_file, f->path, f->texts[i], f->config));
        } else if (t->default_value != NULL) {
            f->given[i] = true;
            TRY(set_value(t, &from_table, f->path, t->default_value, f->config));
        }
    }
    return OK;
}

static err check_given(const struct filling *f)
{
    for (size_t i = 0; i < f->s->count; i++) {
        if (!f->given[i]) {
            FAIL(ERR_MISSING, "%s%ssetting '%s' must be given: %s",
                 f->path != NULL ? f->path : "", f->path != NULL ? ": " : "", f->s->table[i].name,
                 f->s->table[i].help);
        }
    }
    return OK;
}

static err fill(const struct filling *f, int argc, char *const *argv)
{
    if (f->path != NULL) {
        TRY(config_yaml_read(f->s, f->path, f->texts));
    }
    TRY(fill_files_and_defaults(f));
    for (int i = 0; i < argc; i++) {
        TRY(set_option(f->s, argv[i], f->config, f->given));
    }
    return check_given(f);
}

err settings_load(const struct settings *s, const char *path, int argc, char *const *argv,
                  void *config)
{
    struct filling f = { .s = s, .path = path };

    f.texts = mem_take(s->count * sizeof f.texts[0]);
    f.given = mem_take(s->count * sizeof f.given[0]);
    f.config = mem_take(s->config_size);
    err e = { ERR_LIMIT };
    if (f.texts != NULL && f.given != NULL && f.config != NULL) {
        e = fill(&f, argc, argv);
    } else {
        err_set(__FILE__, __LINE__, "no memory for settings");
    }
    if (!e.code) {
        memcpy(config, f.config, s->config_size);
    } else if (f.config != NULL) {
        settings_done(s, f.config);
    }
    for (size_t i = 0; f.texts != NULL && i < s->count; i++) {
        mem_give(f.texts[i]);
    }
    mem_give(f.texts);
    mem_give(f.given);
    mem_give(f.config);
    return e;
}

void settings_done(const struct settings *s, void *config)
{
    for (size_t i = 0; i < s->count; i++) {
        if (is_text(&s->table[i])) {
            text_give(&s->table[i], config);
            memset(place_of(&s->table[i], config), 0, sizeof(char *));
        }
    }
}

/* ---- for people ---- */

static const char *kind_text(const struct setting *t)
{
    static const char *const names[] = {
        [SETTING_UINT] = "NUMBER", [SETTING_TEXT] = "TEXT", [SETTING_PATH] = "PATH",
        [SETTING_ADDRESS] = "HOST:PORT", [SETTING_URL] = "URL", [SETTING_BOOL] = "true|false",
    };

    return names[t->kind];
}

static err range_text(const struct setting *t, struct buf *out)
{
    if (t->kind != SETTING_UINT) {
        return OK;
    }
    if (t->max == 0) {
        return buf_printf(out, "at least %llu", (unsigned long long)t->min);
    }
    return buf_printf(out, "%llu to %llu", (unsigned long long)t->min, (unsigned long long)t->max);
}

static err help_line(const struct setting *t, struct buf *out)
{
    size_t start = out->len;

    TRY(buf_string(out, "  --"));
    for (const char *c = t->name; *c != '\0'; c++) {
        TRY(buf_u8(out, (uint8_t)(*c == '_' ? '-' : *c)));
    }
    TRY(buf_printf(out, "=%s", kind_text(t)));
    int pad = 34 - (int)(out->len - start);
    TRY(buf_printf(out, "%*s %s (", pad > 0 ? pad : 0, "", t->help));
    if (t->kind == SETTING_UINT) {
        TRY(range_text(t, out));
        TRY(buf_printf(out, "%s%s; ", t->unit != NULL ? " " : "", t->unit != NULL ? t->unit : ""));
    }
    if (t->default_value == NULL) {
        return buf_string(out, "must be given)\n");
    }
    bool none = t->default_value[0] == '\0';
    return buf_printf(out, "default %s)\n", none ? "none" : t->default_value);
}

err settings_help(const struct settings *s, struct buf *out)
{
    for (size_t i = 0; i < s->count; i++) {
        TRY(help_line(&s->table[i], out));
    }
    return OK;
}

err settings_markdown(const struct settings *s, struct buf *out)
{
    TRY(buf_string(out, "| Setting | Default | Range | Meaning |\n|---|---|---|---|\n"));
    for (size_t i = 0; i < s->count; i++) {
        const struct setting *t = &s->table[i];
        const char *value = t->default_value;
        TRY(buf_printf(out, "| `%s` | ", t->name));
        if (value == NULL) {
            TRY(buf_string(out, "must be given"));
        } else if (value[0] != '\0') {
            TRY(buf_printf(out, "`%s`", value));
        }
        TRY(buf_string(out, " | "));
        TRY(range_text(t, out));
        TRY(buf_printf(out, "%s%s | %s |\n", t->unit != NULL ? " " : "",
                       t->unit != NULL ? t->unit : "", t->help));
    }
    return OK;
}
