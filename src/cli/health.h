/* SPDX-License-Identifier: Apache-2.0 */
/* What the services of a directory say of themselves on their loopback health listeners. */
#pragma once

#include "cli/installation.h"

struct service_health {
    bool alive; /* answers /healthz */
    bool ready; /* answers /readyz with 200 */
    int pid;    /* by its pid file; 0 = unknown */
    char reason[128]; /* why it is not ready */
};

/* Asks one service; never fails: silence is "not alive". At most two seconds. */
struct service_health health_of(const struct place *p, const struct installed_service *s);
