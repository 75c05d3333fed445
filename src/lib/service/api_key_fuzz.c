/* SPDX-License-Identifier: Apache-2.0 */
/* The first line of the input is an Authorization header, the rest a file of keys: nothing that is
 * refused crashes, and what is let in covers nothing it should not. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/service/api_key.h"

static const char *file_path(void)
{
    static char path[] = "/tmp/api_key_fuzz.XXXXXX";
    static int fd = -1;

    if (fd < 0) {
        fd = mkstemp(path);
        assert(fd >= 0);
    }
    return path;
}

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

    assert(!file_write(file_path(), (struct bytes){ data + file_at, size - file_at }, 0600).code);
    if (!api_keys_load(file_path(), &k).code) {
        check(k, (struct bytes){ data, header_len });
        api_keys_free(k);
    }
    unlink(file_path());
    return 0;
}
