/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's store, by the client of the key-value store. */
#pragma once

#include "store/sql/engine.h"

/* `client` is borrowed; it needs a loop. */
struct sql_store store_kvs(struct kvs_client *client);
