/* SPDX-License-Identifier: Apache-2.0 */
/* A listener whose places are all taken: who gives way. */
#include <stdio.h>

#include "lib/base/test.h"
#include "lib/net/stream.h"
#include "lib/net/test_pki.h"

#define ENDS_MAX 4

static struct test_pki pki;

struct end {
    struct world *world;
    struct stream *stream;
    bool opened, closed;
};

struct world {
    struct loop *loop;
    struct tls *tls;
    struct stream_listener *listener;
    struct loop_timer guard;
    struct end clients[ENDS_MAX];
    unsigned accepted;
};

static err accepted(void *arg, struct stream *s, const char *peer)
{
    struct world *w = arg;

    (void)s;
    (void)peer;
    w->accepted++;
    loop_stop(w->loop);
    return OK;
}

static err octets(void *arg, struct stream *s, struct bytes in)
{
    (void)arg;
    (void)s;
    (void)in;
    return OK;
}

static void accepted_closed(void *arg, struct stream *s, err why)
{
    (void)arg;
    (void)s;
    (void)why;
}

static err client_opened(void *arg, struct stream *s, const char *peer)
{
    struct end *e = arg;

    (void)s;
    (void)peer;
    e->opened = true;
    loop_stop(e->world->loop);
    return OK;
}

static void client_closed(void *arg, struct stream *s, err why)
{
    struct end *e = arg;

    (void)s;
    (void)why;
    e->closed = true;
    loop_stop(e->world->loop);
}

static const struct stream_events server_events = { accepted, octets, NULL, accepted_closed };
static const struct stream_events client_events = { client_opened, octets, NULL, client_closed };

static void too_long(void *arg)
{
    (void)arg;
    fail_msg("the test takes too long");
}

static void begin(struct world *w, size_t count_max)
{
    struct tls_files files = test_pki_files(&pki, "kvs");

    *w = (struct world){ .accepted = 0 };
    assert_ok(loop_new(&w->loop));
    assert_ok(tls_new(&files, &w->tls));
    loop_timer_init(&w->guard, w->loop, too_long, w);
    assert_ok(loop_timer_at(&w->guard, loop_now_us(w->loop) + 20000000));
    assert_ok(stream_listen(w->loop, "127.0.0.1:0",
                            &(struct stream_options){ .tls = w->tls, .count_max = count_max },
                            &server_events, w, &w->listener));
}

static void end(struct world *w)
{
    loop_timer_cancel(&w->guard);
    stream_listener_close(w->listener);
    loop_free(w->loop);
    tls_free(w->tls);
}

/* A client without TLS connects and says nothing. */
static struct end *connect_to(struct world *w, size_t i, bool with_tls)
{
    struct stream_options o = { .tls = with_tls ? w->tls : NULL };
    char address[32];

    w->clients[i].world = w;
    snprintf(address, sizeof address, "127.0.0.1:%u", stream_listener_port(w->listener));
    assert_ok(stream_connect(w->loop, address, &o, &client_events, &w->clients[i],
                             &w->clients[i].stream));
    return &w->clients[i];
}

static void run_until(struct world *w, const bool *what)
{
    while (!*what) {
        assert_ok(loop_run(w->loop));
    }
}

static void silent_handshakes_do_not_keep_out_who_can_prove_himself(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 2);
    struct end *first = connect_to(&w, 0, false);
    run_until(&w, &first->opened);
    struct end *second = connect_to(&w, 1, false);
    run_until(&w, &second->opened);
    struct end *known = connect_to(&w, 2, true);
    run_until(&w, &known->opened);
    run_until(&w, &first->closed);
    assert_false(second->closed);
    assert_false(known->closed);
    assert_int_equal(stream_listener_refused(w.listener), 1);
    end(&w);
}

static void who_has_proved_himself_keeps_his_place(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 1);
    struct end *known = connect_to(&w, 0, true);
    run_until(&w, &known->opened);
    while (w.accepted == 0) { /* the server's side of the handshake ends later */
        assert_ok(loop_run(w.loop));
    }
    struct end *silent = connect_to(&w, 1, false);
    run_until(&w, &silent->closed);
    assert_false(known->closed);
    assert_int_equal(stream_listener_count(w.listener), 1);
    end(&w);
}

static int make_pki(void **state)
{
    (void)state;
    test_pki_begin(&pki);
    return 0;
}

static int drop_pki(void **state)
{
    (void)state;
    test_pki_end(&pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_handshakes_do_not_keep_out_who_can_prove_himself),
        cmocka_unit_test(who_has_proved_himself_keeps_his_place),
    };
    return cmocka_run_group_tests_name("places", tests, make_pki, drop_pki);
}
