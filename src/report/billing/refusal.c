/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/refusal.h"

#include <stdarg.h>
#include <stdio.h>

const char *refusal_name(enum refusal_reason r)
{
    static const char *const names[REFUSAL_REASONS] = {
        [REFUSAL_CONTRACT] = "contract",
        [REFUSAL_CERTIFICATE] = "certificate",
        [REFUSAL_OPENING] = "opening",
        [REFUSAL_SEAL_MISSING] = "seal_missing",
        [REFUSAL_SEAL_BROKEN] = "seal_broken",
        [REFUSAL_PREVIOUS] = "previous",
        [REFUSAL_READING_MISSING] = "reading_missing",
        [REFUSAL_READING_DOUBLED] = "reading_doubled",
        [REFUSAL_READING_FOREIGN] = "reading_foreign",
        [REFUSAL_GAP] = "gap",
        [REFUSAL_QUALITY] = "quality",
        [REFUSAL_ESTIMATED] = "estimated",
        [REFUSAL_REGISTER] = "register",
        [REFUSAL_TEST] = "test",
        [REFUSAL_RANGE] = "range",
    };

    return names[r];
}

void refusal_add(struct refusals *r, enum refusal_reason reason, int64_t from_s, int64_t to_s,
                 const char *format, ...)
{
    if (r->count < REFUSALS_MAX) {
        struct refusal *new = &r->list[r->count];
        va_list args;
        *new = (struct refusal){ .reason = reason, .from_s = from_s, .to_s = to_s };
        va_start(args, format);
        vsnprintf(new->text, sizeof new->text, format, args);
        va_end(args);
    }
    r->count++;
}
