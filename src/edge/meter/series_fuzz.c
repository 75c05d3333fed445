/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "edge/meter/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_zone(struct bytes text, const struct series_zone *zone)
{
    struct series_columns columns;
    struct series s;
    uint64_t wh = 0;

    if (series_columns_parse(NULL, &columns).code ||
        series_parse(text, &columns, zone, &s).code) {
        return;
    }
    for (size_t i = 0; i < s.count; i++) {
        assert(s.rows[i].end_s % RECORD_INTERVAL_S == 0);
        assert(i == 0 || s.rows[i].end_s >= s.rows[i - 1].end_s);
        assert(s.rows[i].again == (i > 0 && s.rows[i].end_s == s.rows[i - 1].end_s));
        wh += s.rows[i].again ? 0 : s.rows[i].energy.wh;
    }
    assert(wh == s.wh);
    series_done(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_zone((struct bytes){ data, size }, &(struct series_zone){ .offset_s = -10800 });
    try_zone((struct bytes){ data, size }, &(struct series_zone){ .kind = ZONE_LOS_ANGELES });
    return 0;
}
