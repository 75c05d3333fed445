/* SPDX-License-Identifier: Apache-2.0 */
/* meterseal bill export: readings and seals of existing bills once more, as the store holds them
 * now, so that an audit sees what became of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "report/billing/store.h"

struct export
{
    struct store store;
    bool one;
    uint64_t meter;
    uint64_t bundles, readings;
};

static void export_done(struct export *x)
{
    store_close(&x->store);
}

static err export_bundle(void *arg, const char *path, uint64_t meter)
{
    AUTO(collected_done) struct collected c = { 0 };
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };
    struct export *x = arg;
    struct bill bill;
    char folder[PATH_MAX];

    if (x->one && meter != x->meter) {
        return OK;
    }
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    err e = bundle_read_bill(folder, meter, &json, &bill);
    if (e.code == ERR_MISSING) {
        return OK; /* a bundle that was never finished */
    }
    TRY(e);
    TRY(collect(x->store.readings, meter, bill.start_s, bill.end_s, &c));
    TRY(bundle_write_readings(path, &c));
    x->bundles++;
    x->readings += c.point_count;
    return OK;
}

err billing_export(const struct billing_options *o, int *out_exit)
{
    AUTO(export_done) struct export x = { .one = o->meter != NULL };
    char folder[PATH_MAX];

    if (x.one) {
        TRY(billing_meter_id(o->meter, &x.meter));
    }
    TRY(store_open(o, &x.store));
    struct place_path own =
        place_path(&x.store.place, "bills/%.32s", o->period != NULL ? o->period : "");
    snprintf(folder, sizeof folder, "%s", o->out != NULL ? o->out : own.text);
    TRY(bundle_each(folder, export_bundle, &x));
    if (x.bundles == 0) {
        FAIL(ERR_MISSING, "%s has no such bill", folder);
    }
    if (o->json) {
        printf("{\"bundles\":%" PRIu64 ",\"readings\":%" PRIu64 "}\n", x.bundles, x.readings);
    } else {
        printf("exported %" PRIu64 " readings beside %" PRIu64 " bills in %s\n", x.readings,
               x.bundles, folder);
    }
    *out_exit = 0;
    return OK;
}
