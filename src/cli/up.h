/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and stopping an installation from another verb. */
#pragma once

#include "lib/service/place.h"

#define UP_PATIENCE_S 60
#define DOWN_PATIENCE_S 240 /* each service may take STOP_PATIENCE_MS */

/* Starts a supervisor in the background and waits until every service is ready. */
err installation_up(const struct place *p) MUST_USE;
/* Asks the supervisor to stop and waits until it has. ERR_MISSING when none runs. */
err installation_down(const struct place *p) MUST_USE;
