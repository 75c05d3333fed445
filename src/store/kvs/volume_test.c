/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kvs/volume.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/test.h"
#include "store/kvs/volume_dir.h"

int main(void) { return 0; }
