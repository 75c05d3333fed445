/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local long countdown = -1;

void mem_fail_after(long n)
{
    countdown = n;
}

static bool refused(void)
{
    if (countdown < 0) {
        return false;
    }
    if (countdown == 0) {
        return true;
    }
    countdown--;
    return false;
}

void *mem_take(size_t size)
{
    return refused() ? NULL : calloc(1, size > 0 ? size : 1);
}

void *mem_resize(void *old, size_t size)
{
    return refused() ? NULL : realloc(old, size > 0 ? size : 1);
}

void mem_give(void *p)
{
    free(p);
}

void mem_givep(void *address_of_pointer)
{
    void *p;

    memcpy(&p, address_of_pointer, sizeof p);
    mem_give(p);
}
