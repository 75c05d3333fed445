/* SPDX-License-Identifier: Apache-2.0 */
/* Other bills, signed by the utility. */
#include <string.h>

#include "lib/base/test.h"
#include "mutations.h"

static bool changed(struct sample *s)
{
    sample_write_bill(s);
    return true;
}

static bool change_determinant(struct sample *s)
{
    int64_t *d = &s->bill.determinants[mutation_pick(s, DET_COUNT)];

    *d += *d > 0 && mutation_pick(s, 2) == 0 ? -1 : 1;
    return changed(s);
}

static bool move_between_posts(struct sample *s)
{
    if (s->bill.determinants[DET_ENERGY_PEAK] == 0) {
        return false;
    }
    s->bill.determinants[DET_ENERGY_PEAK]--;
    s->bill.determinants[DET_ENERGY_OFF_PEAK]++;
    return changed(s);
}

static bool move_between_flags(struct sample *s)
{
    enum bill_determinant from = DET_FLAG_GREEN;

    while (from <= DET_FLAG_YELLOW && s->bill.determinants[from] == 0) {
        from++;
    }
    if (from > DET_FLAG_YELLOW) {
        return false;
    }
    s->bill.determinants[from == DET_FLAG_RED2 ? DET_FLAG_RED1 : DET_FLAG_RED2] +=
        s->bill.determinants[from];
    s->bill.determinants[from] = 0;
    return changed(s);
}

static struct bill_line *some_line(struct sample *s)
{
    return s->bill.line_count == 0 ? NULL : &s->bill.lines[mutation_pick(s, s->bill.line_count)];
}

static bool change_gross(struct sample *s)
{
    struct bill_line *l = some_line(s);

    if (l == NULL) {
        return false;
    }
    l->gross_c++;
    l->net_c++;
    s->bill.total_c++;
    return changed(s);
}

static bool change_tax(struct sample *s)
{
    struct bill_line *l = some_line(s);

    if (l == NULL) {
        return false;
    }
    *(mutation_pick(s, 2) == 0 ? &l->icms_c : &l->pis_cofins_c) += 1;
    l->net_c--;
    return changed(s);
}

static bool change_net(struct sample *s)
{
    struct bill_line *l = some_line(s);

    if (l == NULL) {
        return false;
    }
    l->net_c++;
    return changed(s);
}

static bool change_quantity(struct sample *s)
{
    struct bill_line *l = some_line(s);

    if (l == NULL) {
        return false;
    }
    l->quantity_milli++;
    return changed(s);
}

static bool change_price(struct sample *s)
{
    struct bill_line *l = some_line(s);

    if (l == NULL) {
        return false;
    }
    l->price_e8++;
    return changed(s);
}

static bool move_a_centavo(struct sample *s)
{
    if (s->bill.line_count < 2) {
        return false;
    }
    s->bill.lines[0].gross_c++;
    s->bill.lines[0].net_c++;
    s->bill.lines[1].gross_c--;
    s->bill.lines[1].net_c--;
    return changed(s);
}

static bool drop_line(struct sample *s)
{
    size_t at = s->bill.line_count == 0 ? 0 : mutation_pick(s, s->bill.line_count);

    if (s->bill.line_count == 0) {
        return false;
    }
    s->bill.total_c -= s->bill.lines[at].gross_c;
    memmove(&s->bill.lines[at], &s->bill.lines[at + 1],
            (s->bill.line_count - at - 1) * sizeof s->bill.lines[0]);
    s->bill.line_count--;
    return changed(s);
}

static bool change_total(struct sample *s)
{
    s->bill.total_c += mutation_pick(s, 2) == 0 ? 1 : -1;
    return changed(s);
}

static bool change_withheld(struct sample *s)
{
    s->bill.withheld_c++;
    s->bill.total_c--;
    return changed(s);
}

static bool swap_tax_rates(struct sample *s)
{
    int32_t icms = s->bill.taxes.icms_ppm;

    s->bill.taxes.icms_ppm = s->bill.taxes.pis_cofins_ppm;
    s->bill.taxes.pis_cofins_ppm = icms;
    return icms != s->bill.taxes.icms_ppm && changed(s);
}

static bool change_contracted(struct sample *s)
{
    const int64_t *d = s->bill.determinants;

    s->bill.parameters.contracted_w += 1;
    /* Between the contract and the overrun limit no amount depends on it. */
    return (d[DET_DEMAND_UNUSED] > 0 || d[DET_DEMAND_OVERRUN] > 0) && changed(s);
}

static bool change_subgroup(struct sample *s)
{
    memcpy(s->bill.parameters.subgroup, "A3", 3);
    return changed(s);
}

static bool deny_simulation(struct sample *s)
{
    s->bill.parameters.simulated = false;
    return changed(s);
}

static bool change_count(struct sample *s)
{
    uint32_t *const counts[] = { &s->bill.meter.expected, &s->bill.meter.received,
                                 &s->bill.meter.measured, &s->bill.meter.estimated };

    *counts[mutation_pick(s, 4)] += 1;
    return changed(s);
}

static bool change_gaps(struct sample *s)
{
    struct bill_meter *m = &s->bill.meter;

    if (m->gap_count > 0) {
        m->gap_count--;
    } else {
        m->gaps[m->gap_count++] = (struct bill_gap){ s->start_s, s->start_s + 900 };
    }
    return changed(s);
}

static bool change_register(struct sample *s)
{
    struct bill_end *e = mutation_pick(s, 2) == 0 ? &s->bill.meter.opening : &s->bill.meter.closing;
    uint64_t *const registers[] = { &e->e_act, &e->e_ind, &e->e_cap };

    *registers[mutation_pick(s, 3)] += 1;
    return changed(s);
}

static bool change_readings_root(struct sample *s)
{
    s->bill.meter.readings_root.octets[mutation_pick(s, 32)] ^= 4;
    return changed(s);
}

static bool change_closing_seal(struct sample *s)
{
    s->bill.meter.closing.seal.octets[mutation_pick(s, 32)] ^= 4;
    return changed(s);
}

static bool change_opening_seal(struct sample *s)
{
    s->bill.meter.opening.seal.octets[mutation_pick(s, 32)] ^= 4;
    return s->has_opening && changed(s);
}

static bool change_certificate_hash(struct sample *s)
{
    s->bill.meter.certificate.octets[mutation_pick(s, 32)] ^= 4;
    return changed(s);
}

static bool change_meter(struct sample *s)
{
    s->bill.meter.id = s->world->meters[1].id;
    return changed(s);
}

static bool extend_period(struct sample *s)
{
    s->bill.end_s += 86400;
    return changed(s);
}

static bool shorten_period(struct sample *s)
{
    s->bill.start_s += 86400;
    return s->bill.start_s < s->bill.end_s && changed(s);
}

static bool change_measurement(struct sample *s)
{
    sample_set(s, AUDIT_APPROVED,
               BYTES_LIT("{\"measurements\":[\"00000000000000000000000000000000"
                         "00000000000000000000000000000001\"],\"schema\":"
                         "\"meterseal.approved/1\"}"));
    return true;
}

static bool add_estimate(struct sample *s)
{
    s->bill.estimate_count = 1;
    s->bill.estimates[0] =
        (struct bill_estimate){ "EST-1", s->records[mutation_pick(s, s->record_count)].sequence,
                                1000 };
    return changed(s);
}

static bool add_estimate_of_nothing(struct sample *s)
{
    s->bill.estimate_count = 1;
    s->bill.estimates[0] = (struct bill_estimate){ "EST-2", 7, 1000 };
    return s->records[0].sequence > 7 && changed(s);
}

static bool add_many_estimates(struct sample *s)
{
    s->bill.estimate_count = 9;
    for (uint32_t i = 0; i < 9; i++) {
        s->bill.estimates[i] = (struct bill_estimate){ "EST-1", i, 1 };
    }
    return changed(s);
}

static bool change_estimates_root(struct sample *s)
{
    s->bill.estimates_root.octets[0] ^= 1;
    return changed(s);
}

/* --- the bill before --- */

static bool previous_of_other_days(struct sample *s)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };

    if (!s->has_previous) {
        return false;
    }
    s->previous_bill.end_s += mutation_pick(s, 2) == 0 ? 86400 : -900;
    assert_ok(bill_write(&s->previous_bill, &json));
    s->bill.previous = bill_hash(buf_bytes(&json));
    sample_set(s, AUDIT_PREVIOUS, buf_bytes(&json));
    return changed(s);
}

static bool previous_with_another_seal(struct sample *s)
{
    AUTO(buf_done) struct buf json = { .max = CANON_BYTES_MAX };

    if (!s->has_previous) {
        return false;
    }
    s->previous_bill.meter.closing.seal.octets[3] ^= 1;
    assert_ok(bill_write(&s->previous_bill, &json));
    s->bill.previous = bill_hash(buf_bytes(&json));
    sample_set(s, AUDIT_PREVIOUS, buf_bytes(&json));
    return changed(s);
}

static bool deny_previous(struct sample *s)
{
    s->bill.has_previous = false;
    return s->has_previous && changed(s);
}

/* --- terms --- */

static bool tariff_of_last_year(struct sample *s)
{
    s->tariff.valid_from_day -= 365;
    s->tariff.valid_to_day -= 365;
    s->bill.tariff = (struct digest){ { 0 } };
    sample_set(s, AUDIT_TARIFF, (struct bytes){ NULL, 0 });
    assert_ok(tariff_write(&s->tariff, &s->files[AUDIT_TARIFF]));
    s->bill.tariff = tariff_hash(buf_bytes(&s->files[AUDIT_TARIFF]));
    return changed(s);
}

static bool production_tariff(struct sample *s)
{
    s->tariff.production = true;
    sample_set(s, AUDIT_TARIFF, (struct bytes){ NULL, 0 });
    assert_ok(tariff_write(&s->tariff, &s->files[AUDIT_TARIFF]));
    s->bill.tariff = tariff_hash(buf_bytes(&s->files[AUDIT_TARIFF]));
    return changed(s);
}

/* The bill is made by another calendar and claims the true one. */
static bool bill_by(struct sample *s, const struct calendar *other)
{
    struct calendar true_one = s->calendar;
    struct digest hash = s->bill.calendar;

    s->calendar = *other;
    sample_issue(s);
    s->calendar = true_one;
    s->bill.calendar = hash;
    return changed(s);
}

static bool another_flag(struct sample *s)
{
    struct calendar other = s->calendar;

    for (size_t i = 0; i < other.flag_count; i++) {
        other.flags[i].colour = (other.flags[i].colour + 1) % FLAG_COLOURS;
    }
    return bill_by(s, &other);
}

static bool ignored_holiday(struct sample *s)
{
    struct calendar other = s->calendar;
    struct bill before = s->bill;

    other.fixed_count = 0;
    other.easter_count = 0;
    bill_by(s, &other);
    return s->bill.determinants[DET_ENERGY_PEAK] != before.determinants[DET_ENERGY_PEAK];
}

static bool calendar_without_holidays(struct sample *s)
{
    struct calendar other = s->calendar;

    other.fixed_count = 0;
    s->calendar = other;
    sample_issue(s); /* names the other calendar; the file is the true one */
    return changed(s);
}

/* --- spelling --- */

static bool respell(struct sample *s, const char *from, const char *to)
{
    AUTO(buf_done) struct buf out = { .max = CANON_BYTES_MAX };
    struct buf *b = &s->files[AUDIT_BILL];

    assert_ok(buf_u8(b, 0));
    const char *at = strstr((const char *)b->ptr, from);
    assert_non_null(at);
    assert_ok(buf_append(&out, (struct bytes){ b->ptr, (size_t)(at - (const char *)b->ptr) }));
    assert_ok(buf_string(&out, to));
    assert_ok(buf_string(&out, at + strlen(from)));
    sample_set(s, AUDIT_BILL, buf_bytes(&out));
    struct digest hash = bill_hash(buf_bytes(&out));
    struct signature signature;
    assert_ok(sign(s->world->utility_key, DIGEST_VIEW(&hash), &signature));
    sample_set(s, AUDIT_SIGNATURE, (struct bytes){ signature.octets, signature.size });
    return true;
}

static bool add_a_space(struct sample *s)
{
    return respell(s, "\"lines\":", "\"lines\": ");
}
static bool write_a_point(struct sample *s)
{
    return respell(s, "\"interval_s\":900", "\"interval_s\":900.0");
}
static bool exchange_keys(struct sample *s)
{
    return respell(s, "\"rounding\":\"half-even/1\",\"schema\":\"meterseal.bill/1\"",
                   "\"schema\":\"meterseal.bill/1\",\"rounding\":\"half-even/1\"");
}
static bool double_key(struct sample *s)
{
    return respell(s, "\"issued\":", "\"issued\":1,\"issued\":");
}
static bool unknown_field(struct sample *s)
{
    return respell(s, "\"issued\":", "\"issue\":1,\"issued\":");
}
static bool another_rounding(struct sample *s)
{
    return respell(s, "half-even/1", "half-down/1");
}

const struct mutation mutations_by_utility[] = {
    { "change a determinant", change_determinant, { E601 } },
    { "move energy between posts", move_between_posts, { E603 } },
    { "move energy between flags", move_between_flags, { E609 } },
    { "change a gross amount", change_gross, { E604, E605 } },
    { "change a tax", change_tax, { E606 } },
    { "change a net amount", change_net, { E606 } },
    { "change a quantity", change_quantity, { E604, E609 } },
    { "change a price", change_price, { E604, E609 } },
    { "move a centavo between lines", move_a_centavo, { E604, E605 } },
    { "drop a line", drop_line, { E604, E609 } },
    { "change the total", change_total, { E607 } },
    { "change the withholding", change_withheld, { E606 } },
    { "swap two tax rates", swap_tax_rates, { E606 } },
    { "change the contracted demand", change_contracted, { E608 } },
    { "change the subgroup", change_subgroup, { E608 } },
    { "deny that readings are simulated", deny_simulation, { E608 } },
    { "change a count", change_count, { E308 } },
    { "change the list of gaps", change_gaps, { E308 } },
    { "change a register at an end", change_register, { E404 } },
    { "change the readings root", change_readings_root, { E402 } },
    { "change the closing seal", change_closing_seal, { E403 } },
    { "change the opening seal", change_opening_seal, { E403 } },
    { "change the certificate's hash", change_certificate_hash, { E201 } },
    { "bill it to another meter", change_meter, { E201 } },
    { "extend the period", extend_period, { E403 } },
    { "shorten the period", shorten_period, { E403 } },
    { "code that is not approved", change_measurement, { E801 } },
    { "an estimate in place of a reading", add_estimate, { E501 } },
    { "an estimate of nothing", add_estimate_of_nothing, { E502 } },
    { "more estimates than the limit", add_many_estimates, { E503 } },
    { "change the root of estimates", change_estimates_root, { E502 } },
    { "a bill before of other days", previous_of_other_days, { E306, E307 } },
    { "a bill before with another seal", previous_with_another_seal, { E306 } },
    { "deny the bill before", deny_previous, { E306 } },
    { "last year's tariff", tariff_of_last_year, { E602 } },
    { "simulated under a production tariff", production_tariff, { E608 } },
    { "another flag", another_flag, { E609 } },
    { "an ignored holiday", ignored_holiday, { E603 } },
    { "a calendar without holidays", calendar_without_holidays, { E603 } },
    { "add a space", add_a_space, { E103 } },
    { "write 900.0", write_a_point, { E103 } },
    { "exchange two keys", exchange_keys, { E103 } },
    { "double a key", double_key, { E101 } },
    { "an unknown field", unknown_field, { E101 } },
    { "another rounding rule", another_rounding, { E101 } },
    { NULL, NULL, { 0 } },
};
