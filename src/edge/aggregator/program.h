/* SPDX-License-Identifier: Apache-2.0 */
/* The aggregator as a service. */
#pragma once

#include "lib/service/service.h"

extern const struct service aggregator_service;
