/* SPDX-License-Identifier: Apache-2.0 */
/* The file side of lib/service/config.h: YAML to one text a setting. Nobody else includes it. */
#pragma once

#include "lib/service/config.h"

#define CONFIG_BYTES_MAX (64u << 10)
#define CONFIG_VALUE_BYTES_MAX 4096

/* Gives a text for each setting that the file has (from mem_take), NULL for the others; `texts`
 * has s->count entries. Errors name file, line where known, and key. */
err config_yaml_read(const struct settings *s, const char *path, char **texts) MUST_USE;
err config_yaml_parse(const struct settings *s, struct bytes text, const char *name,
                      char **texts) MUST_USE;
