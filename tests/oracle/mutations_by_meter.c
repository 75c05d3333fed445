/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong readings and seals, signed with the meter's own key. */
#include <string.h>

#include "lib/base/test.h"
#include "mutations.h"

/* Seals the changed readings, and has the bill name the new seals. */
static bool resealed(struct sample *s)
{
    sample_seal(s);
    sample_join(s);
    sample_write_all(s);
    return true;
}

static bool sealed_register_back(struct sample *s)
{
    size_t at = 1 + mutation_pick(s, s->record_count - 1);

    s->records[at].e_ind = s->records[at - 1].e_ind > 0 ? s->records[at - 1].e_ind - 1 : 0;
    return s->records[at - 1].e_ind > 0 && resealed(s);
}

static bool sealed_clock_leap(struct sample *s)
{
    size_t at = 1 + mutation_pick(s, s->record_count - 2);

    /* One interval lost without a word: sequences go on, time leaps. */
    for (size_t i = at; i + 1 < s->record_count; i++) {
        uint32_t sequence = s->records[i].sequence;
        s->records[i] = s->records[i + 1];
        s->records[i].sequence = sequence;
    }
    s->record_count--;
    return (s->records[at].status & STATUS_POWER_LOST) == 0 && resealed(s);
}

static bool sealed_reset(struct sample *s)
{
    s->records[mutation_pick(s, s->record_count)].status |= STATUS_REGISTER_RESET;
    return resealed(s);
}

static bool sealed_estimate(struct sample *s)
{
    s->records[mutation_pick(s, s->record_count)].status |= STATUS_ESTIMATED;
    return resealed(s);
}

static bool sealed_overlap(struct sample *s)
{
    size_t at = 1 + mutation_pick(s, s->record_count - 1);

    s->records[at].end_s = s->records[at - 1].end_s;
    return resealed(s);
}

static bool sealed_another_epoch(struct sample *s)
{
    size_t first = s->has_opening ? 1 : 0;
    size_t last = s->seal_count - 1;

    if (last == first && !s->has_opening) {
        return false;
    }
    s->seals[last].seal.key_epoch++;
    assert_ok(seal_sign(&s->seals[last].seal, s->meter->key, &s->seals[last]));
    sample_join(s);
    sample_write_all(s);
    return true;
}

/* The seal's registers are not those of the day's last reading. */
static bool sealed_other_registers(struct sample *s)
{
    size_t last = s->seal_count - 1;

    s->seals[last].seal.e_act += 1 + mutation_pick(s, 1000);
    assert_ok(seal_sign(&s->seals[last].seal, s->meter->key, &s->seals[last]));
    sample_join(s);
    sample_write_all(s);
    return true;
}

/* A reading left out of the day before sealing, its number used for another time. */
static bool sealed_hole(struct sample *s)
{
    size_t at = 1 + mutation_pick(s, s->record_count - 2);

    memmove(&s->records[at], &s->records[at + 1],
            (s->record_count - at - 1) * sizeof s->records[0]);
    s->record_count--;
    return resealed(s);
}

const struct mutation mutations_by_meter[] = {
    { "a sealed register goes back", sealed_register_back, { E405 } },
    { "a sealed leap of the clock", sealed_clock_leap, { E406 } },
    { "a sealed register reset", sealed_reset, { E205 } },
    { "a sealed estimate", sealed_estimate, { E502 } },
    { "sealed overlapping intervals", sealed_overlap, { E304 } },
    { "a sealed change of key", sealed_another_epoch, { E205 } },
    { "sealed registers of another time", sealed_other_registers, { E404 } },
    { "a sealed hole", sealed_hole, { E308 } },
    { NULL, NULL, { 0 } },
};
