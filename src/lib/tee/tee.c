/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tee/tee.h"

#include <string.h>

#include "lib/tee/sim.h"

static const struct tee_provider *const providers[] = { &tee_sim };

#define PROVIDER_COUNT (sizeof providers / sizeof providers[0])

err tee_open(const char *name, const struct tee_provider **out)
{
    AUTO(buf_done) struct buf known = { .max = 256 };

    for (size_t i = 0; i < PROVIDER_COUNT; i++) {
        if (strcmp(providers[i]->name, name) == 0) {
            *out = providers[i];
            return OK;
        }
        TRY(buf_printf(&known, "%s%s", i > 0 ? ", " : "", providers[i]->name));
    }
    FAIL(ERR_MISSING, "no TEE provider \"%.32s\"; known: %.*s", name, (int)known.len,
         (const char *)known.ptr);
}

err tee_verify(struct bytes evidence, const struct digest *claim, struct digest *out_measurement,
               bool *secure)
{
    TRY(sim_verify(evidence, claim, out_measurement));
    *secure = tee_sim.secure;
    return OK;
}
