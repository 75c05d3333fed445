/* SPDX-License-Identifier: Apache-2.0 */
/* The authenticator as a service. */
#pragma once

#include "lib/service/service.h"

extern const struct service authenticator_service;
