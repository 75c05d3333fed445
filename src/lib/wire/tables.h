/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the metering side, in SQL that PostgreSQL would take as well. The collector creates
 * them at its start. Times are UTC seconds, quantities the scaled integers of the record. */
#pragma once

/* The paper's table: primary key (client, time stamp), then the attributes. */
#define TABLE_READING                                                                              \
    "CREATE TABLE IF NOT EXISTS reading ("                                                         \
    "meter_id int8 NOT NULL, ts int8 NOT NULL, seq int8 NOT NULL, flags int2 NOT NULL, "           \
    "status int4 NOT NULL, interval_s int4 NOT NULL, quality int2 NOT NULL, "                      \
    "v_a int4, v_b int4, v_c int4, v_ab int4, v_bc int4, v_ca int4, i_a int4, i_b int4, "          \
    "i_c int4, ang_a int4, ang_b int4, ang_c int4, p3 int4, q3 int4, s3 int4, pf_a int4, "         \
    "pf_b int4, pf_c int4, pf_3 int4, thd_v_a int4, thd_v_b int4, thd_v_c int4, thd_i_a int4, "    \
    "thd_i_b int4, thd_i_c int4, freq int4, demand int4, e_act int8, e_ind int8, e_cap int8, "     \
    "PRIMARY KEY (meter_id, ts))"

/* stored: the seal in its stored form (lib/wire/seal.h). */
#define TABLE_SEAL                                                                                 \
    "CREATE TABLE IF NOT EXISTS seal ("                                                            \
    "meter_id int8 NOT NULL, end_s int8 NOT NULL, start_s int8 NOT NULL, first_seq int8 NOT NULL, "\
    "last_seq int8 NOT NULL, records int8 NOT NULL, stored bytea NOT NULL, "                       \
    "PRIMARY KEY (meter_id, end_s))"

/* Known missing: never asked for again. reason as in lib/wire/record.h. */
#define TABLE_GAP                                                                                  \
    "CREATE TABLE IF NOT EXISTS gap ("                                                             \
    "meter_id int8 NOT NULL, first_seq int8 NOT NULL, last_seq int8 NOT NULL, "                    \
    "reason int2 NOT NULL, PRIMARY KEY (meter_id, first_seq))"

/* What deserves a person's eye: conflict, clock, record, inner_crc ... n numbers events of a
 * second. */
#define TABLE_EVENT                                                                                \
    "CREATE TABLE IF NOT EXISTS event ("                                                           \
    "meter_id int8 NOT NULL, at_s int8 NOT NULL, n int8 NOT NULL, code text NOT NULL, "            \
    "value int8 NOT NULL, PRIMARY KEY (meter_id, at_s, n))"

/* The register of meters. spki: session key (DER); certificate: of the signing key (PEM). */
#define TABLE_METER                                                                                \
    "CREATE TABLE IF NOT EXISTS meter ("                                                           \
    "meter_id int8 NOT NULL, suite int2 NOT NULL, spki bytea NOT NULL, certificate text NOT NULL, "\
    "class text NOT NULL, un_cv int4 NOT NULL, imax_ma int4 NOT NULL, installed_s int8 NOT NULL, " \
    "PRIMARY KEY (meter_id))"

/* What billing must know of a consumer; one meter a consumer so far. contract: 64 hex digits. */
#define TABLE_CONTRACT                                                                             \
    "CREATE TABLE IF NOT EXISTS contract ("                                                        \
    "meter_id int8 NOT NULL, valid_from int8 NOT NULL, contract text NOT NULL, "                   \
    "subgroup text NOT NULL, modality text NOT NULL, contracted_w int8 NOT NULL, "                 \
    "class text NOT NULL, public_body bool NOT NULL, PRIMARY KEY (meter_id, valid_from))"

/* quality codes of a reading */
enum quality { QUALITY_VALID = 0, QUALITY_SUSPECT = 1, QUALITY_INVALID = 2, QUALITY_MISSING = 3,
               QUALITY_ESTIMATED = 4, QUALITY_EDITED = 5 };
