/* SPDX-License-Identifier: Apache-2.0 */
/* The first line of the input is an Authorization header, the rest a file of keys: nothing that is
 * refused crashes, and what is let in covers nothing it should not. */
#include <assert.h>
#include <string.h>

#include "lib/service/api_key.h"

static void check(const struct api_keys *k, struct bytes header)
{
    const struct api_grant *g;

    if (!api_keys_check(k, header, 1, &g).code) {
        assert(strlen(api_grant_id(g)) == 8);
        assert(!api_grant_covers(g, 0, BYTES_LIT("s"), BYTES_LIT("k")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t header_len = end != NULL ? (size_t)(end - data) : size;
    size_t file_at = end != NULL ? header_len + 1 : size;
    struct api_keys *k;

    if (!api_keys_read((struct bytes){ data + file_at, size - file_at }, &k).code) {
        check(k, (struct bytes){ data, header_len });
        api_keys_free(k);
    }
    return 0;
}
