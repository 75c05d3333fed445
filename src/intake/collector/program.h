/* SPDX-License-Identifier: Apache-2.0 */
/* The collector as a service. */
#pragma once

#include "lib/service/service.h"

extern const struct service collector_service;
