/* SPDX-License-Identifier: Apache-2.0 */
/* Links. Those of the mesh carry whole frames that may be lost, doubled, reordered or changed;
 * those under TLS carry octets in order, in any pieces, until they break. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define MESH_BYTES_MAX 16384
#define CONNECT_US_MAX (2 * US_PER_S)
#define CLOSE_US_MAX (US_PER_S)

static struct sim_link *link_of(struct sim *s, uint64_t id)
{
    assert(id > 0 && id <= s->link_count);
    return &s->links[id - 1];
}

static int end_of(const struct sim_link *l, const struct sim_node *n)
{
    return l->ends[0] == n ? 0 : 1;
}

static bool is_alive(const struct sim_link *l, int end)
{
    return l->ends[end]->up && l->ends[end]->life == l->lives[end];
}

/* An end that may still be told something. */
static bool hears(const struct sim_link *l, int end)
{
    return l->told[end] && is_alive(l, end);
}

static uint64_t latency(struct sim *s, const struct sim_link *l)
{
    return 1000 + sim_below(s, l->mesh ? s->faults.mesh_us_max : s->faults.tls_us_max);
}

static uint8_t *copy_of(struct bytes octets)
{
    uint8_t *copy = malloc(octets.len > 0 ? octets.len : 1);

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, octets.ptr, octets.len);
    return copy;
}

/* --- sending --- */

static void carry(struct sim *s, uint64_t id, int to, struct bytes octets, bool in_order)
{
    struct sim_link *l = link_of(s, id);
    uint64_t in_us = latency(s, l);

    if (in_order && s->now_us + in_us < l->last_us[to]) {
        in_us = l->last_us[to] - s->now_us;
    }
    if (s->now_us + in_us > l->last_us[to]) {
        l->last_us[to] = s->now_us + in_us;
    }
    l->under_way[to] += octets.len;
    sim_event_add(s, in_us, (struct sim_event){ .kind = SIM_DELIVER, .dir = (uint8_t)to, .link = id,
                                                .octets = copy_of(octets), .size = octets.len });
}

static void carry_mesh(struct sim *s, uint64_t id, int to, struct bytes octets)
{
    uint8_t changed[4096];

    assert(octets.len <= sizeof changed);
    if (sim_chance(s, s->faults.lose)) {
        return;
    }
    memcpy(changed, octets.ptr, octets.len);
    if (sim_chance(s, s->faults.change)) {
        changed[sim_below(s, octets.len)] ^= (uint8_t)(1 + sim_below(s, 255));
    }
    struct bytes frame = { changed, octets.len };
    carry(s, id, to, frame, !sim_chance(s, s->faults.reorder));
    if (sim_chance(s, s->faults.twice)) {
        carry(s, id, to, frame, false);
    }
}

err net_send(struct sim_node *from, uint64_t id, struct bytes octets)
{
    struct sim *s = from->sim;
    struct sim_link *l = link_of(s, id);
    int end = end_of(l, from), to = 1 - end;
    size_t max = l->mesh ? MESH_BYTES_MAX : s->faults.tls_bytes_max;

    if (!l->up || !hears(l, end)) {
        FAIL(ERR_CLOSED, "link %llu is gone", (unsigned long long)id);
    }
    if (l->under_way[to] > 0 && l->under_way[to] + octets.len > max) {
        l->full[end] = true;
        FAIL(ERR_LIMIT, "link %llu is full", (unsigned long long)id);
    }
    if (from->kind == SIM_METER || from->kind == SIM_AGGREGATOR ||
        l->ends[to]->kind == SIM_AGGREGATOR) {
        check_clear(s, octets);
    }
    if (l->mesh) {
        carry_mesh(s, id, to, octets);
    } else {
        carry(s, id, to, octets, true);
    }
    return OK;
}

/* --- the end of a link --- */

static void tell_closed(struct sim *s, uint64_t id, int end)
{
    sim_event_add(s, 1000 + sim_below(s, CLOSE_US_MAX),
                  (struct sim_event){ .kind = SIM_CLOSED, .dir = (uint8_t)end, .link = id });
}

static void cut(struct sim *s, uint64_t id)
{
    struct sim_link *l = link_of(s, id);

    if (!l->up) {
        return;
    }
    l->up = false;
    for (int end = 0; end < 2; end++) {
        while (l->waiting[end] != NULL) {
            struct sim_piece *p = l->waiting[end];
            l->waiting[end] = p->next;
            free(p->octets);
            free(p);
        }
    }
}

void net_close(struct sim_node *from, uint64_t id)
{
    struct sim *s = from->sim;
    struct sim_link *l = link_of(s, id);
    int end = end_of(l, from);

    sim_log(s, "link %llu closed by end %d", (unsigned long long)id, end);
    l->told[end] = false; /* it hears no more */
    if (l->up) {
        cut(s, id);
        tell_closed(s, id, 1 - end);
    }
}

void net_break(struct sim *s, uint64_t id)
{
    struct sim_link *l = link_of(s, id);

    if (l->up) {
        sim_log(s, "link %llu breaks", (unsigned long long)id);
        cut(s, id);
        tell_closed(s, id, 0);
        tell_closed(s, id, 1);
    }
}

void net_node_gone(struct sim_node *n)
{
    struct sim *s = n->sim;

    for (uint64_t id = 1; id <= s->link_count; id++) {
        struct sim_link *l = link_of(s, id);
        if (l->up && (l->ends[0] == n || l->ends[1] == n)) {
            cut(s, id);
            tell_closed(s, id, 1 - end_of(l, n));
        }
    }
}

static void retry_uplink(struct sim_node *n)
{
    n->uplink = 0;
    sim_event_add(n->sim, US_PER_S / 5 + sim_below(n->sim, 4 * US_PER_S),
                  (struct sim_event){ .kind = SIM_CONNECT, .node = (uint16_t)(n - n->sim->nodes),
                                      .life = n->life });
}

void net_closed(struct sim *s, const struct sim_event *e)
{
    struct sim_link *l = link_of(s, e->link);
    struct sim_node *n = l->ends[e->dir];

    if (hears(l, e->dir)) {
        l->told[e->dir] = false;
        node_closed(n, e->link);
    }
    if (e->dir == 0 && is_alive(l, 0) && n->uplink == e->link) {
        retry_uplink(n);
    }
}

/* --- the beginning of one --- */

static struct sim_node *choose_above(struct sim_node *n)
{
    struct sim *s = n->sim;
    uint8_t kind = (uint8_t)(n->kind + 1);
    struct sim_node *found[SIM_NODES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < s->node_count; i++) {
        if (s->nodes[i].kind == kind && s->nodes[i].up) {
            found[count++] = &s->nodes[i];
        }
    }
    return count > 0 ? found[sim_below(s, count)] : NULL;
}

static bool open_end(struct sim *s, uint64_t id, int end)
{
    struct sim_link *l = link_of(s, id);
    bool refused = false;

    l->told[end] = true;
    node_opened(l->ends[end], id, end == 0, &refused);
    if (refused) {
        l->told[end] = false;
        cut(s, id);
    }
    return !refused;
}

void net_connect(struct sim_node *from)
{
    struct sim *s = from->sim;
    struct sim_node *to = choose_above(from);

    if (from->kind == SIM_COLLECTOR || from->uplink != 0) {
        return;
    }
    if (to == NULL || sim_chance(s, 1000)) {
        retry_uplink(from);
        return;
    }
    if (s->link_count == SIM_LINKS_MAX) {
        sim_break(s, "more than %d links in one run", SIM_LINKS_MAX);
        return;
    }
    uint64_t id = ++s->link_count;
    struct sim_link *l = link_of(s, id);
    *l = (struct sim_link){ .ends = { from, to }, .lives = { from->life, to->life }, .up = true,
                            .mesh = from->kind == SIM_METER };
    from->uplink = id;
    sim_log(s, "link %llu: kind %d %u -> %u", (unsigned long long)id, from->kind, from->index,
            to->index);
    if (!open_end(s, id, 1)) {
        retry_uplink(from);
    } else {
        open_end(s, id, 0);
    }
}

/* --- receiving --- */

static void tell_room(struct sim *s, uint64_t id, int to, size_t size)
{
    struct sim_link *l = link_of(s, id);
    size_t max = l->mesh ? MESH_BYTES_MAX : s->faults.tls_bytes_max;
    int sender = 1 - to;

    l->under_way[to] -= size;
    if (l->full[sender] && l->under_way[to] <= max / 2) {
        l->full[sender] = false;
        sim_event_add(s, 1, (struct sim_event){ .kind = SIM_READY, .dir = (uint8_t)sender,
                                                .link = id });
    }
}

void net_ready(struct sim *s, const struct sim_event *e)
{
    struct sim_link *l = link_of(s, e->link);

    if (l->up && hears(l, e->dir)) {
        node_ready(l->ends[e->dir], e->link);
    }
}

/* The end said that the octets are bad: it closes and is told so. */
static void ended_by(struct sim *s, uint64_t id, int end)
{
    struct sim_link *l = link_of(s, id);
    struct sim_node *n = l->ends[end];

    sim_log(s, "link %llu: bad octets at end %d", (unsigned long long)id, end);
    cut(s, id);
    l->told[end] = false;
    node_closed(n, id);
    if (end == 0 && n->uplink == id) {
        retry_uplink(n);
    }
    tell_closed(s, id, 1 - end);
}

/* In one, two or three pieces. */
static bool hand_over(struct sim *s, struct sim_node *n, uint64_t id, struct bytes octets)
{
    while (octets.len > 0) {
        size_t size = 1 + sim_below(s, octets.len);
        if (sim_below(s, 2) == 0) {
            size = octets.len;
        }
        struct bytes piece = { octets.ptr, size };
        octets = (struct bytes){ octets.ptr + size, octets.len - size };
        if (!node_octets(n, id, piece)) {
            return false;
        }
        if (!hears(link_of(s, id), end_of(link_of(s, id), n))) {
            return true; /* it closed the link itself */
        }
    }
    return true;
}

static void receive(struct sim *s, uint64_t id, int end, struct bytes octets)
{
    struct sim_link *l = link_of(s, id);

    if (!hears(l, end)) {
        return;
    }
    tell_room(s, id, end, octets.len);
    if (!hand_over(s, l->ends[end], id, octets)) {
        ended_by(s, id, end);
    }
}

void net_deliver(struct sim *s, const struct sim_event *e)
{
    struct sim_link *l = link_of(s, e->link);

    if (!l->up) {
        return; /* lost with the link */
    }
    if (!l->held[e->dir] && l->waiting[e->dir] == NULL) {
        receive(s, e->link, e->dir, (struct bytes){ e->octets, e->size });
        return;
    }
    struct sim_piece *p = malloc(sizeof *p), **at = &l->waiting[e->dir];
    if (p == NULL) {
        abort();
    }
    *p = (struct sim_piece){ NULL, copy_of((struct bytes){ e->octets, e->size }), e->size };
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = p;
}

void net_release(struct sim *s, const struct sim_event *e)
{
    struct sim_link *l = link_of(s, e->link);

    while (l->up && !l->held[e->dir] && l->waiting[e->dir] != NULL) {
        struct sim_piece *p = l->waiting[e->dir];
        l->waiting[e->dir] = p->next;
        receive(s, e->link, e->dir, (struct bytes){ p->octets, p->size });
        free(p->octets);
        free(p);
    }
}

void net_hold(struct sim_node *from, uint64_t id, bool on)
{
    struct sim *s = from->sim;
    struct sim_link *l = link_of(s, id);
    int end = end_of(l, from);

    if (l->held[end] && !on) {
        sim_event_add(s, 1, (struct sim_event){ .kind = SIM_RELEASE, .dir = (uint8_t)end,
                                                .link = id });
    }
    l->held[end] = on;
}

void net_done(struct sim *s)
{
    for (uint64_t id = 1; id <= s->link_count; id++) {
        cut(s, id);
    }
}
