/* SPDX-License-Identifier: Apache-2.0 */
/* Memory from one place, so that tests can fail the n-th request and tools can count. */
#pragma once

#include <stddef.h>

/* As calloc(1, size) and free; NULL when memory is full. A size of 0 gives a unique pointer. */
void *mem_take(size_t size);
void *mem_resize(void *old, size_t size); /* as realloc; `old` is untouched on failure */
void mem_give(void *p);                   /* accepts NULL */

/* For tests: the (n+1)-th request from now on fails; -1 switches it off. Per thread. */
void mem_fail_after(long n);

/* For AUTO on pointers from mem_take. */
void mem_givep(void *address_of_pointer);
