/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/batch: all or nothing, in MSB1 or JSON. */
#include "store/kvs/batch_json.h"
#include "store/kvs/gateway_impl.h"

/* --- the answer --- */

/* Who may not read a key is not told which rev is in the way: zeroed in the answer, in place. */
static void failures_censor(struct ask *a, const struct kvs_msr *msr)
{
    struct bytes results = msr->results;
    struct kvs_result r;

    for (uint32_t i = 0; i < msr->count; i++) {
        uint8_t *at = a->request.answer.ptr + (results.ptr - a->request.answer.ptr);
        struct bytes ops = a->request.ops;
        struct kvs_op op = { 0 };
        if (kvs_result_take(&results, &r).code || r.value.len != 4) {
            return;
        }
        for (uint32_t n = load_u32(r.value.ptr) + 1; n > 0; n--) {
            if (kvs_msb_op_take(&ops, a->request.space_count, &op).code) {
                return;
            }
        }
        struct bytes space = bytes_of_string(a->request.spaces[op.space]->name);
        if (!api_grant_covers(a->grant, API_READ, space, op.key)) {
            store_u64(at + 1, 0);
        }
    }
}

static err failed_body(const struct kvs_msr *msr, struct buf *out)
{
    TRY(refusal_write(REFUSE_PRECONDITION, NULL, true, out));
    TRY(buf_u8(out, ','));
    TRY(batch_json_failures(msr, out));
    return buf_u8(out, '}');
}

static void answer_json(struct ask *a, const struct kvs_msr *msr)
{
    AUTO(buf_done) struct buf body = { .max = KVS_ANSWER_BYTES_MAX };
    err e = msr->status == 200 ? batch_json_results(msr, a->request.ops, &body)
                               : failed_body(msr, &body);

    if (e.code) {
        ask_refuse(a, REFUSE_ANSWER_LARGE, NULL);
        return;
    }
    ask_answer(a, msr->status, "application/json", buf_bytes(&body));
}

static void batch_answer(struct ask *a)
{
    struct kvs_msr msr;

    if (kvs_msr_read(buf_bytes(&a->request.answer), &msr).code) {
        ask_refuse(a, REFUSE_IO, NULL);
        return;
    }
    if (msr.status == 412) {
        count_refusal(REFUSE_PRECONDITION);
        failures_censor(a, &msr);
    }
    if (a->json) {
        answer_json(a, &msr);
        return;
    }
    ask_answer(a, msr.status, KVS_ANSWER_TYPE, buf_bytes(&a->request.answer));
}

/* --- the request --- */

static enum api_verb verb_of(enum kvs_op_type type)
{
    return type == KVS_PUT ? API_WRITE : type == KVS_DELETE ? API_DELETE : API_READ;
}

/* Every operation must be covered, before anything tells whether a space exists. */
static bool scopes_cover(struct ask *a, const struct kvs_msb *msb, bool *out_gets_alone)
{
    struct bytes ops = msb->ops;
    struct kvs_op op;

    *out_gets_alone = true;
    for (uint32_t i = 0; i < msb->count; i++) {
        if (kvs_msb_op_take(&ops, msb->space_count, &op).code ||
            !ask_scope(a, verb_of(op.type), msb->spaces[op.space], op.key)) {
            return false;
        }
        *out_gets_alone = *out_gets_alone && op.type == KVS_GET;
    }
    return true;
}

static bool spaces_hold(struct ask *a, const struct kvs_msb *msb)
{
    for (uint8_t i = 0; i < msb->space_count; i++) {
        struct space *s = engine_space(a->gateway->engine, msb->spaces[i]);
        if (s == NULL) {
            ask_refuse_later(a, REFUSE_NO_SPACE, "space");
            return false;
        }
        a->request.spaces[a->request.space_count++] = s;
    }
    return true;
}

static void refuse_format(struct ask *a, err e, uint32_t op)
{
    const struct refusal_detail detail = { .field = "ops", .message = err_text(), .has_op = true,
                                           .op = op };

    ask_refuse(a, e.code == ERR_LIMIT && !a->json ? REFUSE_BATCH_LARGE : REFUSE_BATCH, &detail);
}

static bool type_is(struct ask *a, const char *want)
{
    struct bytes type;

    return http_header(a->exchange, "content-type", &type) &&
           bytes_equal(type, bytes_of_string(want));
}

err batch_piece(void *arg, struct http_exchange *x, struct bytes part, bool last)
{
    struct ask *a = http_user(x);

    (void)last;
    if (a == NULL) {
        a = ask_new(arg, x, VERB_BATCH);
        if (a == NULL) {
            FAIL(ERR_LIMIT, "memory is full");
        }
        a->json = type_is(a, "application/json");
        if (!a->json && !type_is(a, KVS_BATCH_TYPE)) {
            ask_refuse_later(a, REFUSE_FIELD, "Content-Type");
        }
    }
    return ask_body_piece(a, part, a->json ? BATCH_JSON_BYTES_MAX : KVS_BATCH_BYTES_MAX,
                          REFUSE_BATCH_LARGE);
}

/* JSON is put in the place of the body as an MSB1: from there on there is one way. */
static err body_from_json(struct ask *a, uint32_t *out_op)
{
    struct buf msb = { .max = KVS_BATCH_BYTES_MAX };
    err e = batch_json_read(buf_bytes(&a->body), BATCH_JSON_BYTES_MAX, &msb, out_op);

    if (e.code) {
        buf_done(&msb);
        return e;
    }
    buf_done(&a->body);
    a->body = msb;
    return OK;
}

static err body_read(struct ask *a, struct kvs_msb *msb, uint32_t *out_op)
{
    if (a->json) {
        TRY(body_from_json(a, out_op));
    }
    return kvs_msb_read(buf_bytes(&a->body), msb, out_op);
}

void batch_handle(void *arg, struct http_exchange *x)
{
    struct ask *a = http_user(x);
    struct kvs_msb msb;
    uint32_t op;
    bool gets_alone;

    (void)arg;
    if (a->refused != REFUSE_NOTHING) {
        ask_refuse(a, a->refused, NULL);
        return;
    }
    err e = body_read(a, &msb, &op);
    if (e.code) {
        refuse_format(a, e, op);
        return;
    }
    a->request.is_batch = true;
    a->request.ops = msb.ops;
    a->request.op_count = msb.count;
    a->request.octets = a->body.len;
    if (!scopes_cover(a, &msb, &gets_alone) || !spaces_hold(a, &msb)) {
        ask_refuse(a, a->refused, NULL);
    } else if (gets_alone) {
        ask_read(a, read_multi_get, batch_answer);
    } else {
        ask_commit(a, batch_answer);
    }
}
