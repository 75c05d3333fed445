/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/place.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"

#define PORT_FILE_BYTES_MAX 16

const char *place_default_dir(void)
{
    const char *dir = getenv("METERSEAL_DIR");

    return dir != NULL && *dir != '\0' ? dir : "meterseal-data";
}

static err read_first_port(const struct place *p, unsigned *out)
{
    AUTO(buf_done) struct buf text = { .max = PORT_FILE_BYTES_MAX };
    struct place_path path = place_path(p, "etc/ports");
    uint64_t port;

    err e = file_read(path.text, &text);
    if (e.code == ERR_MISSING) {
        FAIL(ERR_MISSING, "%s is no Meterseal directory; make one with: meterseal init %s", p->dir,
             p->dir);
    }
    TRY(e);
    struct bytes digits = buf_bytes(&text);
    if (digits.len > 0 && digits.ptr[digits.len - 1] == '\n') {
        digits.len--;
    }
    e = decimal_parse(digits, 65535 - PLACE_PORTS, &port);
    if (e.code) {
        return err_context(e, "%s", path.text);
    }
    *out = (unsigned)port;
    return OK;
}

err place_open(const char *dir, struct place *out)
{
    struct place p = { .first_port = 0 };
    char real[PATH_MAX];

    if (realpath(dir, real) == NULL) {
        FAIL(ERR_MISSING, "%s: no such directory; make one with: meterseal init %s", dir, dir);
    }
    /* Room for the longest name below it. */
    if (strlen(real) > PATH_MAX - 256) {
        FAIL(ERR_LIMIT, "%s: path too long", dir);
    }
    snprintf(p.dir, sizeof p.dir, "%s", real);
    TRY(read_first_port(&p, &p.first_port));
    *out = p;
    return OK;
}

struct place_path place_path(const struct place *p, const char *format, ...)
{
    struct place_path path;
    va_list args;

    int n = snprintf(path.text, sizeof path.text, "%s/", p->dir);
    assert(n > 0 && (size_t)n < sizeof path.text);
    va_start(args, format);
    int m = vsnprintf(path.text + n, sizeof path.text - (size_t)n, format, args);
    va_end(args);
    assert(m >= 0 && (size_t)(n + m) < sizeof path.text);
    return path;
}

struct place_path place_address(const struct place *p, enum place_port port)
{
    struct place_path path;

    snprintf(path.text, sizeof path.text, "127.0.0.1:%u", p->first_port + (unsigned)port);
    return path;
}

struct place_path place_url(const struct place *p, enum place_port port)
{
    struct place_path path;

    snprintf(path.text, sizeof path.text, "https://127.0.0.1:%u", p->first_port + (unsigned)port);
    return path;
}
