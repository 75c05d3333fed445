/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, taxes, withholding and total, from the determinants that the bill states. */
#include <stdlib.h>
#include <string.h>

#include "report/audit/inside.h"

#define PPM 1000000

struct amounts {
    own_wide gross, icms, pis_cofins;
};

/* Taxes are inside the price: gross = net / ((1 - i)(1 - p)); price is 10^-8 R$, quantity milli. */
static struct amounts amounts_of(const struct bill_line *l, uint32_t icms_ppm, uint32_t pis_ppm,
                                 enum own_rule rule)
{
    struct amounts m;
    own_wide n = (own_wide)l->quantity_milli * (own_wide)l->price_e8 * 1000;
    own_wide d = (own_wide)(PPM - icms_ppm) * (PPM - pis_ppm);

    m.gross = own_divide(n, d, rule);
    m.icms = own_divide(m.gross * icms_ppm, PPM, OWN_HALF_EVEN);
    m.pis_cofins = own_divide((m.gross - m.icms) * pis_ppm, PPM, OWN_HALF_EVEN);
    return m;
}

static bool by_another_rule(const struct bill_line *l, uint32_t icms_ppm, uint32_t pis_ppm)
{
    for (enum own_rule rule = OWN_HALF_UP; rule <= OWN_UP; rule++) {
        struct amounts other = amounts_of(l, icms_ppm, pis_ppm, rule);
        if (other.gross == (own_wide)l->gross_c) {
            return true;
        }
    }
    return false;
}

static void check_amounts(struct audit *a, const struct bill_line *l)
{
    uint32_t icms = l->id == LINE_DEMAND_UNUSED ? 0 : (uint32_t)a->bill.taxes.icms_ppm;
    uint32_t pis = (uint32_t)a->bill.taxes.pis_cofins_ppm;
    const char *name = bill_line_name(l->id);

    if (icms >= PPM || pis >= PPM || l->gross_c < 0) {
        found(a, l->gross_c < 0 ? E604 : E606, NOWHERE, "line %s: rate or amount out of range",
              name);
        return;
    }
    struct amounts want = amounts_of(l, icms, pis, OWN_HALF_EVEN);
    if (want.gross != (own_wide)l->gross_c) {
        found_values(a, by_another_rule(l, icms, pis) ? E605 : E604, NOWHERE, (int64_t)want.gross,
                     l->gross_c, name);
    }
    /* Taxes are those of the gross amount that the bill states. */
    own_wide icms_c = own_divide((own_wide)l->gross_c * icms, PPM, OWN_HALF_EVEN);
    own_wide rest = (own_wide)l->gross_c - icms_c;
    own_wide pis_c = own_divide(rest * pis, PPM, OWN_HALF_EVEN);
    if (l->icms_c < 0 || icms_c != (own_wide)l->icms_c) {
        found_values(a, E606, NOWHERE, (int64_t)icms_c, l->icms_c, "ICMS of a line");
    }
    if (l->pis_cofins_c < 0 || pis_c != (own_wide)l->pis_cofins_c) {
        found_values(a, E606, NOWHERE, (int64_t)pis_c, l->pis_cofins_c, "PIS/COFINS of a line");
    }
    if (l->net_c != l->gross_c - l->icms_c - l->pis_cofins_c) {
        found_values(a, E606, NOWHERE, l->gross_c - l->icms_c - l->pis_cofins_c, l->net_c,
                     "net of a line");
    }
}

/* What each line is made of. */
static int64_t quantity_of(const struct bill *b, enum bill_line_id id)
{
    const int64_t *d = b->determinants;

    switch (id) {
    case LINE_DEMAND: return d[DET_DEMAND_MEASURED];
    case LINE_DEMAND_UNUSED: return d[DET_DEMAND_UNUSED];
    case LINE_OVERRUN: return d[DET_DEMAND_OVERRUN];
    case LINE_TE_OFF_PEAK:
    case LINE_TUSD_OFF_PEAK: return d[DET_ENERGY_OFF_PEAK] * 1000;
    case LINE_TE_PEAK:
    case LINE_TUSD_PEAK: return d[DET_ENERGY_PEAK] * 1000;
    case LINE_FLAG_GREEN:
    case LINE_FLAG_RED1:
    case LINE_FLAG_RED2:
    case LINE_FLAG_YELLOW: return d[DET_FLAG_GREEN + (id - LINE_FLAG_GREEN)] * 1000;
    case LINE_REACTIVE_ENERGY: return d[DET_REACTIVE_EXCESS_OFF_PEAK] + d[DET_REACTIVE_EXCESS_PEAK];
    case LINE_REACTIVE_DEMAND: return d[DET_REACTIVE_DEMAND_EXCESS];
    case LINE_COUNT:
    default: return 0;
    }
}

static int64_t price_of(const struct tariff *t, enum bill_line_id id)
{
    static const enum tariff_price prices[LINE_COUNT] = {
        [LINE_DEMAND] = PRICE_DEMAND,
        [LINE_DEMAND_UNUSED] = PRICE_DEMAND,
        [LINE_OVERRUN] = PRICE_DEMAND,
        [LINE_TE_OFF_PEAK] = PRICE_TE_OFF_PEAK,
        [LINE_TE_PEAK] = PRICE_TE_PEAK,
        [LINE_TUSD_OFF_PEAK] = PRICE_TUSD_OFF_PEAK,
        [LINE_TUSD_PEAK] = PRICE_TUSD_PEAK,
        [LINE_REACTIVE_ENERGY] = PRICE_REACTIVE_ENERGY,
        [LINE_REACTIVE_DEMAND] = PRICE_REACTIVE_DEMAND,
    };

    if (id >= LINE_FLAG_GREEN && id <= LINE_FLAG_YELLOW) {
        return t->flags_e8[id - LINE_FLAG_GREEN];
    }
    return t->prices_e8[prices[id]] * (id == LINE_OVERRUN ? t->overrun_factor : 1);
}

static const struct bill_line *line_of(const struct bill *b, enum bill_line_id id)
{
    for (size_t i = 0; i < b->line_count; i++) {
        if (b->lines[i].id == id) {
            return &b->lines[i];
        }
    }
    return NULL;
}

static void check_line(struct audit *a, enum bill_line_id id)
{
    bool flag = id >= LINE_FLAG_GREEN && id <= LINE_FLAG_YELLOW;
    enum audit_code code = flag ? E609 : E604;
    const struct bill_line *l = line_of(&a->bill, id);
    int64_t quantity = quantity_of(&a->bill, id);
    int64_t price = price_of(&a->tariff, id);

    if (l == NULL && quantity != 0 && price != 0) {
        found(a, code, NOWHERE, "line %s is missing", bill_line_name(id));
    }
    if (l == NULL) {
        return;
    }
    if (l->quantity_milli != quantity || quantity == 0) {
        found_values(a, code, NOWHERE, quantity, l->quantity_milli, bill_line_name(id));
    }
    if (l->price_e8 != price || price == 0) {
        found_values(a, code, NOWHERE, price, l->price_e8, bill_line_name(id));
    }
}

static void check_total(struct audit *a)
{
    const struct bill *b = &a->bill;
    int64_t energy = 0;
    int64_t demand = 0;
    own_wide withheld = 0;

    for (size_t i = 0; i < b->line_count; i++) {
        if (bill_line_is_demand(b->lines[i].id)) {
            demand += b->lines[i].gross_c;
        } else {
            energy += b->lines[i].gross_c;
        }
    }
    if (b->parameters.public_body && energy >= 0 && demand >= 0) {
        withheld = own_divide((own_wide)energy * (uint32_t)b->taxes.withheld_energy_ppm +
                                  (own_wide)demand * (uint32_t)b->taxes.withheld_demand_ppm,
                              PPM, OWN_HALF_EVEN);
    }
    if (b->withheld_c < 0 || withheld != (own_wide)b->withheld_c) {
        found_values(a, E606, NOWHERE, (int64_t)withheld, b->withheld_c, "withheld income tax");
    }
    if (b->total_c != energy + demand - b->withheld_c) {
        found_values(a, E607, NOWHERE, energy + demand - b->withheld_c, b->total_c, "total");
    }
}

void audit_amounts(struct audit *a)
{
    for (enum bill_line_id id = 0; a->has_tariff && id < LINE_COUNT; id++) {
        check_line(a, id);
    }
    for (size_t i = 0; i < a->bill.line_count; i++) {
        check_amounts(a, &a->bill.lines[i]);
    }
    check_total(a);
}

/* --- the code that made the bill --- */

#define APPROVED_MAX 1000

static err approved_find(struct bytes text, const struct digest *measurement, bool *out)
{
    static const char *const fields[] = { "measurements", "schema", NULL };
    AUTO(json_freep) json_t *doc = NULL;
    json_t *list;
    bool known = false;

    TRY(canon_read(text, &doc));
    TRY(canon_fields(doc, fields));
    TRY(json_field_array(doc, "measurements", &list));
    if (json_array_size(list) > APPROVED_MAX) {
        FAIL(ERR_LIMIT, "more than %d approved measurements", APPROVED_MAX);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        char hex[2 * DIGEST_BYTES + 1];
        const char *entry = json_string_value(json_array_get(list, i));
        hex_encode(DIGEST_VIEW(measurement), hex);
        known |= entry != NULL && strcmp(entry, hex) == 0;
    }
    *out = known;
    return OK;
}

void audit_app(struct audit *a)
{
    struct digest evidence = sha256(a->files->octets[AUDIT_EVIDENCE]);
    bool known = false;

    if (!a->files->present[AUDIT_EVIDENCE]) {
        found(a, E802, NOWHERE, "%s is missing", BUNDLE_EVIDENCE);
    } else if (!digest_equal(&evidence, &a->bill.app.evidence)) {
        found_digests(a, E802, NOWHERE, &a->bill.app.evidence, &evidence,
                      "the evidence is not the one the bill names");
    }
    bool own = a->options->approved.len > 0;
    if (!own && !a->files->present[AUDIT_APPROVED]) {
        return;
    }
    struct bytes approved = own ? a->options->approved : a->files->octets[AUDIT_APPROVED];
    err e = approved_find(approved, &a->bill.app.measurement, &known);
    if (e.code) {
        found(a, e.code == ERR_CORRUPT ? E103 : E101, NOWHERE, "%s: %s", BUNDLE_APPROVED,
              err_text());
    } else if (!known) {
        found(a, E801, NOWHERE, "the code that made the bill is not approved");
    }
}
