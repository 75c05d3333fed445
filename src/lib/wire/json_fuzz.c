/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "lib/wire/json_read.h"

#define FUZZ_TEXT_MAX 4096
#define FUZZ_DEPTH_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_freep) json_t *doc = NULL;
    struct bytes text;
    int64_t n = 0;

    if (json_read((struct bytes){ data, size }, FUZZ_TEXT_MAX, FUZZ_DEPTH_MAX, &doc).code) {
        assert(doc == NULL);
        return 0;
    }
    assert(size <= FUZZ_TEXT_MAX && (json_is_object(doc) || json_is_array(doc)));
    if (!json_field_int(doc, "n", 0, 9, &n).code) {
        assert(n >= 0 && n <= 9);
    }
    if (!json_field_text(doc, "t", &text).code) {
        assert(text.len <= size);
    }
    return 0;
}
