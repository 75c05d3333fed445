/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor that decodes is consistent: every place it names exists. */
#include <assert.h>
#include <string.h>

#include "lib/wire/dictionary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(table_def_freep) struct table_def *t = NULL;

    if (table_def_decode((struct bytes){ data, size }, &t).code) {
        return 0;
    }
    assert(t->key_count > 0 && t->key_count <= t->column_count);
    for (uint16_t i = 0; i < t->column_count; i++) {
        const struct table_column *c = &t->columns[i];
        assert(c->key_index < (int)t->key_count);
        assert(c->key_index >= 0 ? t->key[c->key_index] == i : c->slot < table_slots(t));
        assert(strlen(c->name) <= TABLE_NAME_BYTES_MAX);
    }
    return 0;
}
