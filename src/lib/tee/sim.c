/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tee/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "/proc/self/exe"
#define PROGRAM_BYTES_MAX (1u << 30)

/* The evidence is text, and whoever looks at it reads first what it is worth:
 *
 *     INSECURE SIM EVIDENCE: proves nothing
 *     measurement HEX
 *     claim HEX
 *     check HEX
 *
 * The check is an HMAC of the lines above under a key that stands here for everybody to read: it
 * finds damage and other formats, no forger. */
#define SIM_TITLE "INSECURE SIM EVIDENCE: proves nothing\n"
#define SIM_MEASUREMENT "measurement "
#define SIM_CLAIM "claim "
#define SIM_CHECK "check "
#define SIM_KEY BYTES_LIT("meterseal sim evidence, public development key")
#define SIM_HEX_CHARS (2 * DIGEST_BYTES)
#define SIM_EVIDENCE_BYTES                                                                         \
    (sizeof SIM_TITLE - 1 + sizeof SIM_MEASUREMENT - 1 + sizeof SIM_CLAIM - 1 + sizeof SIM_CHECK - \
     1 + 3 * (SIM_HEX_CHARS + 1))

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static err read_part(int fd, uint8_t *part, size_t size, size_t *out_len)
{
    ssize_t n;

    do {
        n = read(fd, part, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        FAIL(ERR_IO, "%s: %s", PROGRAM, strerror(errno));
    }
    *out_len = (size_t)n;
    return OK;
}

static err sim_measure(struct digest *out)
{
    AUTO(hash_freep) struct hash *h = NULL;
    AUTO(close_fd) int fd = open(PROGRAM, O_RDONLY | O_CLOEXEC);
    uint8_t part[16384];
    size_t total = 0;

    if (fd < 0) {
        FAIL(ERR_IO, "%s: %s", PROGRAM, strerror(errno));
    }
    TRY(hash_new(&h));
    for (size_t len = 1; len > 0; total += len) {
        TRY(read_part(fd, part, sizeof part, &len));
        hash_add(h, (struct bytes){ part, len });
        if (total > PROGRAM_BYTES_MAX) {
            FAIL(ERR_LIMIT, "%s: larger than %u octets", PROGRAM, PROGRAM_BYTES_MAX);
        }
    }
    *out = hash_finish(h);
    return OK;
}

static err line_put(struct buf *b, const char *name, const struct digest *d)
{
    char hex[SIM_HEX_CHARS + 1];

    hex_encode(DIGEST_VIEW(d), hex);
    TRY(buf_string(b, name));
    TRY(buf_string(b, hex));
    return buf_u8(b, '\n');
}

/* The one evidence for a measurement and a claim. */
static err evidence_make(const struct digest *measurement, const struct digest *claim,
                         struct buf *out)
{
    TRY(buf_string(out, SIM_TITLE));
    TRY(line_put(out, SIM_MEASUREMENT, measurement));
    TRY(line_put(out, SIM_CLAIM, claim));
    struct digest check = hmac_sha256(SIM_KEY, buf_bytes(out));
    return line_put(out, SIM_CHECK, &check);
}

static err sim_quote(const struct digest *claim, struct buf *out)
{
    AUTO(buf_done) struct buf evidence = { .max = SIM_EVIDENCE_BYTES };
    struct digest measurement;

    TRY(sim_measure(&measurement));
    TRY(evidence_make(&measurement, claim, &evidence));
    return buf_append(out, buf_bytes(&evidence));
}

err sim_verify(struct bytes evidence, const struct digest *claim, struct digest *out_measurement)
{
    AUTO(buf_done) struct buf again = { .max = SIM_EVIDENCE_BYTES };
    const size_t at = sizeof SIM_TITLE - 1 + sizeof SIM_MEASUREMENT - 1;
    struct digest measurement;

    if (evidence.len != SIM_EVIDENCE_BYTES ||
        !bytes_have_prefix(evidence, BYTES_LIT(SIM_TITLE SIM_MEASUREMENT))) {
        FAIL(ERR_AUTH, "this is no sim evidence");
    }
    err e = hex_decode((struct bytes){ evidence.ptr + at, SIM_HEX_CHARS }, measurement.octets,
                       sizeof measurement.octets);
    if (e.code) {
        FAIL(ERR_AUTH, "measurement of the sim evidence is no hex");
    }
    /* One text for each measurement and claim: made again, it must be the same. */
    TRY(evidence_make(&measurement, claim, &again));
    if (!bytes_equal(buf_bytes(&again), evidence)) {
        FAIL(ERR_AUTH, "sim evidence is damaged, or for another claim");
    }
    *out_measurement = measurement;
    return OK;
}

const struct tee_provider tee_sim = {
    .name = "sim",
    .secure = false,
    .measure = sim_measure,
    .quote = sim_quote,
};
