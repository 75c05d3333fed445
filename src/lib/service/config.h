/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: one declared table gives the YAML schema, checks, --help and the reference page.
 *
 * Files are YAML (libcyaml), at most 64 KiB, flat, without aliases; unknown keys are errors. The
 * command line may override any key: --listen=127.0.0.1:8443. Secrets are no settings: settings
 * name files. */
#pragma once

#include "lib/base/buf.h"

enum setting_kind {
    SETTING_UINT,    /* uint64_t */
    SETTING_TEXT,    /* const char * */
    SETTING_PATH,    /* const char *; relative to the configuration file's directory */
    SETTING_ADDRESS, /* const char *; host:port */
    SETTING_URL,     /* const char *; https://host:port */
    SETTING_BOOL,    /* bool */
};

struct setting {
    const char *name; /* YAML key; --name-with-dashes on the command line */
    enum setting_kind kind;
    size_t offset;             /* in the service's config struct */
    const char *default_value; /* as text; NULL = must be given */
    uint64_t min, max;         /* numbers; max 0 = no bound */
    const char *unit;          /* "octets", "s", ...; NULL = none */
    const char *help;          /* one line */
};

struct settings {
    const struct setting *table;
    size_t count;
    size_t config_size;
};

/* Fills `config` (settings.config_size octets): defaults, then the file (NULL = none), then
 * `--name=value` arguments (argv holds nothing else). ERR_PROTO, ERR_LIMIT, ERR_MISSING name the
 * key, the bound and the file. Texts are owned by the config: settings_done. A text may be empty
 * where its default is. Relative paths of the file, and defaults, are seen from the file. */
err settings_load(const struct settings *s, const char *path, int argc, char *const *argv,
                  void *config) MUST_USE;
void settings_done(const struct settings *s, void *config);

/* One line a setting: name, unit, default, range, help. */
err settings_help(const struct settings *s, struct buf *out) MUST_USE;
/* The same as rows of a Markdown table, for docs/operation.md. */
err settings_markdown(const struct settings *s, struct buf *out) MUST_USE;
