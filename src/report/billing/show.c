/* SPDX-License-Identifier: Apache-2.0 */
#include "report/billing/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/wire/bundle.h"
#include "lib/wire/fixed.h"
#include "lib/wire/meter_id.h"
#include "report/billing/run.h"

#define SHOW_BYTES_MAX (64u << 10)
#define HASH_GROUP 4

static err show_head(const struct bill *b, struct buf *out)
{
    char from[TIME_TEXT_BYTES];
    char to[TIME_TEXT_BYTES];
    const struct bill_meter *m = &b->meter;

    time_format_s(b->start_s, from);
    time_format_s(b->end_s, to);
    TRY(buf_printf(out, "meter %" PRI_METER "   %s to %s\n", m->id, from, to));
    TRY(buf_printf(out, "%s %s, %s, contracted %" PRId64 " W%s%s   tariff %s, utility %s\n",
                   b->parameters.subgroup, b->parameters.modality, b->parameters.class,
                   b->parameters.contracted_w, b->parameters.public_body ? ", public body" : "",
                   b->parameters.simulated ? ", SIMULATED" : "", b->act, b->utility));
    TRY(buf_printf(out, "readings: %u of %u intervals", m->received, m->expected));
    for (size_t i = 0; i < m->gap_count; i++) {
        time_format_s(m->gaps[i].from_s, from);
        time_format_s(m->gaps[i].to_s, to);
        TRY(buf_printf(out, "\n  none from %s to %s", from, to));
    }
    return buf_string(out, "\n\n");
}

static err show_lines(const struct bill *b, struct buf *out)
{
    TRY(buf_printf(out, "%-16s %18s %-4s %10s %14s %12s %12s %14s\n", "line", "quantity", "",
                   "net price", "gross R$", "ICMS", "PIS/COFINS", "net"));
    for (size_t i = 0; i < b->line_count; i++) {
        const struct bill_line *l = &b->lines[i];
        char t[6][FIXED_TEXT_BYTES];
        fixed_format(l->quantity_milli, 6, 3, t[0]);
        fixed_format(l->price_e8, 5, 5, t[1]);
        fixed_format(l->gross_c, 2, 2, t[2]);
        fixed_format(l->icms_c, 2, 2, t[3]);
        fixed_format(l->pis_cofins_c, 2, 2, t[4]);
        fixed_format(l->net_c, 2, 2, t[5]);
        TRY(buf_printf(out, "%-16s %18s %-4s %10s %14s %12s %12s %14s\n", bill_line_name(l->id),
                       t[0], bill_line_is_demand(l->id) ? "kW" : "kWh", t[1], t[2], t[3], t[4],
                       t[5]));
    }
    return OK;
}

static err show_total(const struct bill *b, const struct digest *hash, struct buf *out)
{
    char withheld[FIXED_TEXT_BYTES];
    char total[FIXED_TEXT_BYTES];
    char hex[2 * DIGEST_BYTES + 1];

    fixed_format(-b->withheld_c, 2, 2, withheld);
    fixed_format(b->total_c, 2, 2, total);
    if (b->withheld_c != 0) {
        TRY(buf_printf(out, "%-16s %49s\n", "withheld", withheld));
    }
    TRY(buf_printf(out, "%-16s %49s\n\nbill hash", "total", total));
    hex_encode(DIGEST_VIEW(hash), hex);
    for (size_t i = 0; i < sizeof hex - 1; i += HASH_GROUP) {
        TRY(buf_printf(out, " %.*s", HASH_GROUP, hex + i));
    }
    return buf_string(out, "\n");
}

err show_bill(const struct bill *b, const struct digest *hash, struct buf *out)
{
    TRY(show_head(b, out));
    TRY(show_lines(b, out));
    return show_total(b, hash, out);
}

/* A bill's file, or the folder of its bundle. */
err billing_show(const char *path, bool json)
{
    AUTO(buf_done) struct buf text = { .max = CANON_BYTES_MAX };
    AUTO(buf_done) struct buf out = { .max = SHOW_BYTES_MAX };
    struct bill bill;
    struct stat st;
    char inside[4096];

    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (snprintf(inside, sizeof inside, "%s%s", path, folder ? "/" BUNDLE_BILL : "") >=
        (int)sizeof inside) {
        FAIL(ERR_LIMIT, "%s: path too long", path);
    }
    TRY(file_read(inside, &text));
    TRY(err_context(bill_parse(buf_bytes(&text), &bill), "%s", inside));
    if (json) {
        printf("%.*s\n", (int)text.len, (const char *)text.ptr);
        return OK;
    }
    struct digest hash = bill_hash(buf_bytes(&text));
    TRY(show_bill(&bill, &hash, &out));
    printf("%.*s", (int)out.len, (const char *)out.ptr);
    return OK;
}
