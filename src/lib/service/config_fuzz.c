/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a configuration file: they load within the ranges of the table, or are an error. */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/service/config_yaml.h"

static const struct setting table[] = {
    { "listen", SETTING_ADDRESS, 0, NULL, 0, 0, NULL, "where" },
    { "cache_bytes", SETTING_UINT, 8, "1024", 16, 4096, "octets", "how much" },
    { "quiet", SETTING_BOOL, 16, "false", 0, 0, NULL, "says less" },
};
static const struct settings settings = { table, 3, 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *texts[3] = { NULL, NULL, NULL };
    err e = config_yaml_parse(&settings, (struct bytes){ data, size }, "input", texts);

    for (size_t i = 0; i < 3; i++) {
        assert(!e.code || texts[i] == NULL);
        assert(texts[i] == NULL || strlen(texts[i]) <= CONFIG_VALUE_BYTES_MAX);
        mem_give(texts[i]);
    }
    assert(!e.code || err_text()[0] != '\0');
    return 0;
}
