/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: cmocka in the order it wants, and our checks. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/bytes.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define assert_ok(call) assert_err(call, ERR_NONE)
#define assert_err(call, want)                                                         \
    do {                                                                               \
        err assert_err_ = (call);                                                      \
        if (assert_err_.code != (want)) {                                              \
            fail_msg("%s: got %s, want %s (%s)", #call, err_name(assert_err_.code),    \
                     err_name(want), err_text());                                      \
        }                                                                              \
    } while (0)

/* The octets equal those written in hex. */
#define assert_hex(got, text)                                                      \
    do {                                                                           \
        struct bytes assert_got_ = (got);                                          \
        char *assert_hex_ = calloc(2, assert_got_.len + 1);                        \
        hex_encode(assert_got_, assert_hex_);                                      \
        assert_string_equal(assert_hex_, text);                                    \
        free(assert_hex_);                                                         \
    } while (0)

/* A view of the octets written in hex, decoded into `room`. */
static inline struct bytes test_unhex(const char *text, uint8_t *room, size_t room_size)
{
    struct bytes hex = bytes_of_string(text);

    if (hex.len > 2 * room_size) {
        fail_msg("%zu hex digits for %zu octets", hex.len, room_size);
    }
    assert_ok(hex_decode(hex, room, hex.len / 2));
    return (struct bytes){ room, hex.len / 2 };
}
#define UNHEX(text) test_unhex((text), (uint8_t[sizeof(text) / 2 + 1]){ 0 }, sizeof(text) / 2 + 1)

/* Repeats the body, failing the 1st, 2nd, 3rd ... allocation, until none fails. */
#define EACH_FAILURE(i) for (long i = 0; mem_fail_after(i), i < 10000; i++)

/* For main of a test whose data are not at hand: says so in TAP. (cmocka's own skip prints "not
 * ok", which meson takes for a failure.) */
static inline int test_skip_all(const char *reason)
{
    printf("1..0 # SKIP %s\n", reason);
    return 0;
}
