/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/service/core_host.h"

#define PATIENCE_US (10 * US_PER_S)
#define BIG_BYTES (1u << 20)

/* A core that remembers what it was told. */
struct probe {
    const struct host *host;
    struct loop *loop;
    uint64_t link; /* the newest */
    size_t opened, closed, ready, ticks, octets;
    bool refuse_octets, refuse_links, echo;
    size_t stop_at_octets; /* stop the loop at so many */
    bool stop_at_open, stop_at_close;
};

static err probe_opened(void *core, uint64_t now_us, uint64_t link, bool uplink)
{
    struct probe *p = core;

    (void)now_us;
    (void)uplink;
    if (p->refuse_links) {
        FAIL(ERR_LIMIT, "not wanted");
    }
    p->opened++;
    p->link = link;
    if (p->stop_at_open) {
        loop_stop(p->loop);
    }
    return OK;
}

static err probe_octets(void *core, uint64_t now_us, uint64_t link, struct bytes in)
{
    struct probe *p = core;

    (void)now_us;
    p->octets += in.len;
    if (p->refuse_octets) {
        FAIL(ERR_PROTO, "octets that nobody wants");
    }
    if (p->echo) {
        assert_ok(p->host->send(p->host->self, link, in));
    }
    if (p->stop_at_octets != 0 && p->octets >= p->stop_at_octets) {
        loop_stop(p->loop);
    }
    return OK;
}

static void probe_closed(void *core, uint64_t now_us, uint64_t link)
{
    struct probe *p = core;

    (void)now_us;
    (void)link;
    p->closed++;
    if (p->stop_at_close) {
        loop_stop(p->loop);
    }
}

static void probe_ready(void *core, uint64_t now_us, uint64_t link)
{
    struct probe *p = core;

    (void)now_us;
    (void)link;
    p->ready++;
    loop_stop(p->loop);
}

static void probe_tick(void *core, uint64_t now_us)
{
    struct probe *p = core;

    (void)now_us;
    p->ticks++;
    loop_stop(p->loop);
}

static const struct core_ops probe_ops = { probe_opened, probe_octets, probe_closed, probe_ready,
                                           probe_tick };

struct fixture {
    struct loop *loop;
    struct loop_timer patience;
    struct core_host *below; /* listens */
    struct core_host *above; /* connects to it */
    struct probe down, up;
    int stopped;
    bool late;
};

static void on_patience(void *arg)
{
    struct fixture *f = arg;

    f->late = true;
    loop_stop(f->loop);
}

/* Runs until a probe stops the loop. */
static void run(struct fixture *f)
{
    assert_ok(loop_timer_at(&f->patience, loop_now_us(f->loop) + PATIENCE_US));
    assert_ok(loop_run(f->loop));
    assert_false(f->late);
}

static void start_listening(struct fixture *f)
{
    struct core_host_options o = { .ops = &probe_ops, .listen = "127.0.0.1:0" };

    memset(f, 0, sizeof *f);
    assert_ok(loop_new(&f->loop));
    loop_timer_init(&f->patience, f->loop, on_patience, f);
    f->down.loop = f->up.loop = f->loop;
    assert_ok(core_host_new(f->loop, &o, &f->below));
    f->down.host = core_host_host(f->below);
    assert_ok(core_host_start(f->below, &f->down));
}

static void start_uplink(struct fixture *f)
{
    static char address[32];
    struct core_host_options o = { .ops = &probe_ops, .uplink = address };

    snprintf(address, sizeof address, "127.0.0.1:%u", core_host_port(f->below));
    assert_ok(core_host_new(f->loop, &o, &f->above));
    f->up.host = core_host_host(f->above);
    assert_ok(core_host_start(f->above, &f->up));
}

static void start(struct fixture *f)
{
    start_listening(f);
    start_uplink(f);
    f->down.stop_at_open = true;
    while (f->up.opened == 0 || f->down.opened == 0) {
        f->up.stop_at_open = f->up.opened == 0;
        run(f);
    }
    f->down.stop_at_open = f->up.stop_at_open = false;
}

static void on_stopped(void *arg)
{
    struct fixture *f = arg;

    f->stopped++;
    if (f->stopped == 2) {
        loop_stop(f->loop);
    }
}

static void end(struct fixture *f)
{
    core_host_stop(f->below, on_stopped, f);
    if (f->above != NULL) {
        core_host_stop(f->above, on_stopped, f);
    } else {
        on_stopped(f);
    }
    if (f->stopped < 2) {
        run(f);
    }
    loop_timer_cancel(&f->patience);
    core_host_free(f->below);
    core_host_free(f->above);
    loop_free(f->loop);
}

static void octets_go_both_ways(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    f.down.echo = true;
    f.up.stop_at_octets = 5;
    assert_ok(f.up.host->send(f.up.host->self, f.up.link, BYTES_LIT("hello")));
    run(&f);
    assert_int_equal(f.down.octets, 5);
    assert_int_equal(f.up.octets, 5);
    assert_true(core_host_uplink_is_open(f.above));
    end(&f);
}

static void an_error_of_the_core_ends_the_link_and_the_uplink_comes_back(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    f.down.refuse_octets = true;
    f.down.stop_at_close = true;
    assert_ok(f.up.host->send(f.up.host->self, f.up.link, BYTES_LIT("hello")));
    run(&f);
    assert_int_equal(f.down.closed, 1);
    f.down.refuse_octets = false;
    uint64_t before = f.up.link;
    f.up.stop_at_open = true;
    while (f.up.opened < 2) {
        run(&f);
    }
    assert_int_equal(f.up.closed, 1);
    assert_int_not_equal(f.up.link, before); /* ids are never used twice */
    assert_err(f.up.host->send(f.up.host->self, before, BYTES_LIT("x")), ERR_CLOSED);
    end(&f);
}

static void a_link_that_the_core_closed_is_heard_of_no_more(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    f.down.host->close(f.down.host->self, f.down.link);
    assert_err(f.down.host->send(f.down.host->self, f.down.link, BYTES_LIT("x")), ERR_CLOSED);
    f.up.stop_at_close = true;
    run(&f);
    assert_int_equal(f.down.closed, 0);
    assert_int_equal(f.up.closed, 1);
    end(&f);
}

static void a_refused_link_is_closed_without_further_words(void **state)
{
    struct fixture f;

    (void)state;
    start_listening(&f);
    f.down.refuse_links = true;
    start_uplink(&f);
    f.up.stop_at_close = true;
    run(&f);
    assert_int_equal(f.down.opened, 0);
    assert_int_equal(f.down.closed, 0);
    end(&f);
}

static void a_held_link_is_not_read_and_its_sender_is_told_when_there_is_room(void **state)
{
    struct fixture f;
    static uint8_t big[BIG_BYTES];
    size_t sent = 0;

    (void)state;
    start(&f);
    f.down.host->hold(f.down.host->self, f.down.link, true);
    for (int i = 0; i < 1000; i++) {
        err e = f.up.host->send(f.up.host->self, f.up.link, BYTES_OF(big));
        if (e.code) {
            assert_err(e, ERR_LIMIT);
            break;
        }
        sent += sizeof big;
    }
    assert_int_equal(f.down.octets, 0);
    f.down.host->hold(f.down.host->self, f.down.link, false);
    run(&f); /* the probe stops at ready */
    assert_int_equal(f.up.ready, 1);
    f.down.stop_at_octets = sent;
    if (f.down.octets < sent) {
        run(&f);
    }
    assert_int_equal(f.down.octets, sent);
    end(&f);
}

static void the_core_is_woken_when_it_wished(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    uint64_t at_us = loop_now_us(f.loop) + 5000;
    f.down.host->wake_at(f.down.host->self, at_us + 50 * US_PER_S);
    f.down.host->wake_at(f.down.host->self, at_us); /* replaces the wish before */
    run(&f);
    assert_int_equal(f.down.ticks, 1);
    assert_true(loop_now_us(f.loop) >= at_us);
    end(&f);
}

static void a_peer_that_is_away_is_tried_again_and_stopping_does_not_wait_for_it(void **state)
{
    struct fixture f;
    struct core_host_options o = { .ops = &probe_ops, .uplink = "127.0.0.1:1" };

    (void)state;
    start_listening(&f);
    assert_ok(core_host_new(f.loop, &o, &f.above));
    f.up.host = core_host_host(f.above);
    assert_ok(core_host_start(f.above, &f.up));
    f.down.host->wake_at(f.down.host->self, loop_now_us(f.loop) + 400000);
    run(&f);
    assert_int_equal(f.up.opened, 0);
    assert_false(core_host_uplink_is_open(f.above));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_go_both_ways),
        cmocka_unit_test(an_error_of_the_core_ends_the_link_and_the_uplink_comes_back),
        cmocka_unit_test(a_link_that_the_core_closed_is_heard_of_no_more),
        cmocka_unit_test(a_refused_link_is_closed_without_further_words),
        cmocka_unit_test(a_held_link_is_not_read_and_its_sender_is_told_when_there_is_room),
        cmocka_unit_test(the_core_is_woken_when_it_wished),
        cmocka_unit_test(a_peer_that_is_away_is_tried_again_and_stopping_does_not_wait_for_it),
    };
    return cmocka_run_group_tests_name("core_host", tests, NULL, NULL);
}
