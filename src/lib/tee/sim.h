/* SPDX-License-Identifier: Apache-2.0 */
/* Inside lib/tee only: the simulated provider. INSECURE: it measures, and proves nothing. */
#pragma once

#include "lib/tee/tee.h"

extern const struct tee_provider tee_sim;

/* Form, check value and claim of its evidence. ERR_AUTH. */
err sim_verify(struct bytes evidence, const struct digest *claim,
               struct digest *out_measurement) MUST_USE;
