/* SPDX-License-Identifier: Apache-2.0 */
/* A batch in JSON, for people and scripts:
 *
 *     {"space":"s","ops":[
 *         {"op":"put","key":"a","value":"1","if_absent":true,"ttl_s":60},
 *         {"op":"delete","key64":"_w","if_rev":7},
 *         {"op":"check","space":"t","key":"b","if_rev":3},
 *         {"op":"get","key":"c"}]}
 *
 * It is turned into an MSB1 and goes on as one. Keys and values that are no UTF-8 come as key64 and
 * value64 in base64url. The space of an operation is that of the batch unless it names its own. */
#pragma once

#include "lib/wire/kvs_api.h"

/* Appends an MSB1 to `out`. ERR_PROTO, ERR_LIMIT name the field, never its content; `out_op`,
 * always set, is the operation that is wrong. */
err batch_json_read(struct bytes text, size_t size_max, struct buf *out, uint32_t *out_op) MUST_USE;

/* {"rev":9,"results":[{"status":"done","rev":9}, {"status":"found","rev":3,"value":"x"},
 * {"status":"absent"}]}: an MSR1 of a batch that was done. */
err batch_json_results(const struct kvs_msr *msr, struct bytes ops, struct buf *out) MUST_USE;
/* "failures":[{"op":2,"rev":5}, {"op":4}]: of one that was not. */
err batch_json_failures(const struct kvs_msr *msr, struct buf *out) MUST_USE;
