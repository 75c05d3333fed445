/* SPDX-License-Identifier: Apache-2.0 */
/* The seals of the period: one a day, from edge to edge, each naming the one before; and the bill
 * before, whose closing seal is the opening seal of this one. */

#include "lib/base/mem.h"
#include "lib/wire/meter_id.h"
#include "report/audit/inside.h"

err audit_seals_read(struct audit *a)
{
    struct bytes file = a->files->octets[AUDIT_SEALS];
    size_t room = file.len / (SEAL_BODY_BYTES + 2) + 1;

    room = room > BUNDLE_SEALS_MAX ? BUNDLE_SEALS_MAX : room;
    a->seals = mem_take(room * sizeof a->seals[0]);
    if (a->seals == NULL) {
        FAIL(ERR_LIMIT, "no memory for the seals");
    }
    err e = bundle_seals_parse(file, a->seals, room, &a->seal_count);
    if (e.code) {
        found(a, E101, NOWHERE, "%s", err_text());
    }
    if (a->seal_count == 0) {
        found(a, E403, AT_DAY(a->bill.start_s), "no seals");
    }
    a->has_opening = a->seal_count > 0 && a->seals[0].seal.end_s <= a->bill.start_s;
    return OK;
}

static bool check_link(struct audit *a, const struct seal *s, const struct seal *before)
{
    struct digest want = seal_hash(before);
    struct digest own = seal_hash(s);
    struct finding_place where = AT_DAY(s->start_s);
    bool good = true;

    if (digest_equal(&own, &want)) {
        found(a, E403, where, "the seal is there twice");
        return false;
    }
    if (!digest_equal(&s->previous, &want)) {
        found_digests(a, E403, where, &want, &s->previous, "the chain of seals is broken");
        good = false;
    }
    if (s->start_s != before->end_s) {
        found_values(a, E403, where, before->end_s, s->start_s, "a seal is missing or doubled");
        good = false;
    }
    if (s->first != before->last + 1) {
        found_values(a, E301, (struct finding_place){ before->last + INT64_C(1), s->start_s },
                     before->last + INT64_C(1), s->first, "sequences between two seals");
    }
    if (s->key_epoch != before->key_epoch || s->alg != before->alg ||
        (s->flags & SEAL_FIRST) != 0 || (before->flags & SEAL_LAST) != 0) {
        found(a, E205, where, "meter or key changed without change record");
    }
    if (s->e_act < before->e_act || s->e_ind < before->e_ind || s->e_cap < before->e_cap) {
        found(a, E405, where, "a sealed register went back");
    }
    return good;
}

static void check_seal(struct audit *a, const struct seal *s)
{
    if (s->meter != a->bill.meter.id) {
        found(a, E204, AT_DAY(s->start_s), "a seal of meter %" PRI_METER, s->meter);
    }
    if (a->has_calendar &&
        (!own_is_day_edge(&a->calendar, s->start_s) || !own_is_day_edge(&a->calendar, s->end_s))) {
        found(a, E403, AT_DAY(s->start_s), "the seal does not cover one civil day");
    } else if (s->end_s - s->start_s > 26 * 3600) {
        found(a, E403, AT_DAY(s->start_s), "the seal covers more than a day");
    }
}

static void check_ends(struct audit *a)
{
    const struct bill_end *opening = &a->bill.meter.opening;
    const struct seal *first = &a->seals[0].seal;
    struct digest closing = seal_hash(&a->seals[a->seal_count - 1].seal);
    struct digest hash = seal_hash(first);

    if (opening->sealed && (!a->has_opening || !digest_equal(&opening->seal, &hash))) {
        found_digests(a, E403, AT_DAY(first->start_s), &opening->seal, &hash,
                      "the first seal is not the opening seal of the bill");
    }
    if (!opening->sealed && (a->has_opening || (first->flags & SEAL_FIRST) == 0)) {
        found(a, E403, AT_DAY(first->start_s),
              "the bill has no opening seal, but the meter was not new");
    }
    if (!digest_equal(&a->bill.meter.closing.seal, &closing)) {
        found_digests(a, E403, AT_DAY(a->bill.end_s - 1), &a->bill.meter.closing.seal, &closing,
                      "the last seal is not the closing seal of the bill");
    }
}

/* The seals cover the period exactly. */
static bool check_cover(struct audit *a)
{
    const struct seal *first = &a->seals[a->has_opening ? 1 : 0].seal;
    const struct seal *last = &a->seals[a->seal_count - 1].seal;
    bool good = true;

    if (a->has_opening && a->seals[0].seal.end_s != a->bill.start_s) {
        found_values(a, E403, AT_DAY(a->bill.start_s), a->bill.start_s, a->seals[0].seal.end_s,
                     "the opening seal does not end where the period starts");
        good = false;
    }
    if (a->has_opening && a->seal_count == 1) {
        found(a, E403, AT_DAY(a->bill.start_s), "no seal of the period");
        return false;
    }
    if (first->start_s != a->bill.start_s) {
        found_values(a, E403, AT_DAY(a->bill.start_s), a->bill.start_s, first->start_s,
                     "the first seal does not start with the period");
        good = false;
    }
    if (last->end_s != a->bill.end_s) {
        found_values(a, E403, AT_DAY(last->end_s), a->bill.end_s, last->end_s,
                     "the last seal does not end with the period");
        good = false;
    }
    return good;
}

void audit_chain(struct audit *a)
{
    bool good = true;

    if (a->seal_count == 0) {
        return;
    }
    for (size_t i = 0; i < a->seal_count; i++) {
        check_seal(a, &a->seals[i].seal);
        if (i > 0) {
            good &= check_link(a, &a->seals[i].seal, &a->seals[i - 1].seal);
        }
    }
    good &= check_cover(a);
    check_ends(a);
    a->seals_chained = good;
}

static void check_join(struct audit *a, const struct bill *before)
{
    const struct bill_end *opening = &a->bill.meter.opening;

    if (before->meter.id != a->bill.meter.id) {
        found(a, E205, NOWHERE, "the bill before is of meter %" PRI_METER, before->meter.id);
    }
    if (!digest_equal(&before->contract, &a->bill.contract)) {
        found_digests(a, E608, NOWHERE, &before->contract, &a->bill.contract,
                      "the bill before is of another contract");
    }
    if (before->end_s != a->bill.start_s) {
        found_values(a, before->end_s < a->bill.start_s ? E306 : E307, NOWHERE, before->end_s,
                     a->bill.start_s, "the period does not join the bill before");
    } else if (!opening->sealed || !digest_equal(&opening->seal, &before->meter.closing.seal)) {
        found_digests(a, E306, NOWHERE, &before->meter.closing.seal, &opening->seal,
                      "the opening seal is not the closing seal of the bill before");
    }
}

void audit_previous(struct audit *a)
{
    struct bytes text = a->files->octets[AUDIT_PREVIOUS];
    struct bill before;

    if (!a->bill.has_previous && !a->files->present[AUDIT_PREVIOUS]) {
        return;
    }
    if (!a->bill.has_previous) {
        found(a, E306, NOWHERE, "the bill names no bill before, and there is one");
        return;
    }
    if (!a->files->present[AUDIT_PREVIOUS]) {
        found(a, E306, NOWHERE, "%s is missing", BUNDLE_PREVIOUS);
        return;
    }
    struct digest hash = bill_hash(text);
    if (!digest_equal(&hash, &a->bill.previous)) {
        found_digests(a, E306, NOWHERE, &a->bill.previous, &hash,
                      "the bill before has another hash");
    }
    err e = bill_parse(text, &before);
    if (e.code) {
        found(a, e.code == ERR_CORRUPT ? E103 : E101, NOWHERE, "%s: %s", BUNDLE_PREVIOUS,
              err_text());
        return;
    }
    check_join(a, &before);
}
