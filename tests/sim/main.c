/* SPDX-License-Identifier: Apache-2.0 */
/* sim [--seed N] [--seeds COUNT] [--jobs N] [--verbose]
 *
 * Runs COUNT seeds from N on, in that many processes. A seed that breaks an invariant is printed,
 * and `sim --seed N --verbose` shows the same run again. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

#define JOBS_MAX 64
#define REPLAY_EVERY 50 /* so many seeds are run twice, and must leave the same trace */

struct run_options {
    uint64_t seed, seeds, jobs;
    bool verbose;
};

err sim_keys_make(struct sim_keys *k)
{
    TRY(private_key_new(SIGN_RSA2048, &k->collector));
    TRY(public_key_of(k->collector, &k->collector_public));
    for (int i = 0; i < SIM_METERS_MAX; i++) {
        TRY(private_key_new(SIGN_RSA2048, &k->session[i]));
        TRY(public_key_of(k->session[i], &k->session_public[i]));
        TRY(private_key_new(SIGN_P256, &k->signing[i]));
        TRY(public_key_of(k->signing[i], &k->signing_public[i]));
    }
    return OK;
}

void sim_keys_done(struct sim_keys *k)
{
    private_key_free(k->collector);
    public_key_free(k->collector_public);
    for (int i = 0; i < SIM_METERS_MAX; i++) {
        private_key_free(k->session[i]);
        public_key_free(k->session_public[i]);
        private_key_free(k->signing[i]);
        public_key_free(k->signing_public[i]);
    }
}

static bool run_seed(const struct sim_keys *k, uint64_t seed, const struct run_options *o,
                     struct sim_result *out)
{
    char why[512];

    if (!sim_run(k, seed, o->verbose, out, why, sizeof why)) {
        printf("seed %" PRIu64 ": %s (step %" PRIu64 ", trace %016" PRIx64 ")\n", seed, why,
               out->steps, out->trace);
        printf("again: sim --seed %" PRIu64 " --verbose\n", seed);
        return false;
    }
    return true;
}

static bool replays(const struct sim_keys *k, uint64_t seed, uint64_t trace)
{
    struct sim_result again;
    char why[512];
    bool held = sim_run(k, seed, false, &again, why, sizeof why);

    if (!held || again.trace != trace) {
        printf("seed %" PRIu64 ": a second run was another (%016" PRIx64 ", %016" PRIx64 ")\n",
               seed, trace, again.trace);
        return false;
    }
    return true;
}

static int run_share(const struct sim_keys *k, const struct run_options *o, uint64_t share)
{
    struct sim_result sum = { 0 };
    int failed = 0;

    for (uint64_t i = share; i < o->seeds; i += o->jobs) {
        struct sim_result r;
        bool held = run_seed(k, o->seed + i, o, &r);
        if (held && i % REPLAY_EVERY == 0 && !o->verbose) {
            held = replays(k, o->seed + i, r.trace);
        }
        failed += !held;
        sum.steps += r.steps;
        sum.produced += r.produced;
        sum.stored += r.stored;
        sum.sessions += r.sessions;
        sum.crashes += r.crashes;
        if (o->seeds == 1) {
            printf("seed %" PRIu64 ": trace %016" PRIx64 "\n", o->seed + i, r.trace);
        }
    }
    printf("%" PRIu64 " readings produced, %" PRIu64 " stored, %" PRIu64 " sessions, %" PRIu64
           " crashes, %" PRIu64 " steps, %d seeds failed\n",
           sum.produced, sum.stored, sum.sessions, sum.crashes, sum.steps, failed);
    fflush(stdout);
    return failed > 0;
}

static int run_all(const struct sim_keys *k, const struct run_options *o)
{
    int failed = 0;

    if (o->jobs == 1) {
        return run_share(k, o, 0);
    }
    fflush(stdout);
    for (uint64_t i = 0; i < o->jobs; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            perror("fork");
            return 1;
        }
        if (pid == 0) {
            _exit(run_share(k, o, i));
        }
    }
    for (uint64_t i = 0; i < o->jobs; i++) {
        int status = 1;
        failed |= wait(&status) < 0 || status != 0;
    }
    return failed;
}

static bool number(const char *text, uint64_t max, uint64_t *out)
{
    return !decimal_parse(bytes_of_string(text), max, out).code;
}

static bool parse(int argc, char **argv, struct run_options *o)
{
    static const struct option options[] = { { "seed", required_argument, NULL, 's' },
                                             { "seeds", required_argument, NULL, 'n' },
                                             { "jobs", required_argument, NULL, 'j' },
                                             { "verbose", no_argument, NULL, 'v' },
                                             { NULL, 0, NULL, 0 } };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        bool good = true;
        switch (c) {
        case 's': good = number(optarg, UINT32_MAX, &o->seed); break;
        case 'n': good = number(optarg, UINT32_MAX, &o->seeds); break;
        case 'j': good = number(optarg, JOBS_MAX, &o->jobs) && o->jobs > 0; break;
        case 'v': o->verbose = true; break;
        default:  good = false; break;
        }
        if (!good) {
            return false;
        }
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct run_options o = { .seed = 1, .seeds = 1, .jobs = 1 };
    struct sim_keys keys = { 0 };

    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: sim [--seed N] [--seeds COUNT] [--jobs N] [--verbose]\n");
        return 2;
    }
    err e = sim_keys_make(&keys);
    if (e.code) {
        fprintf(stderr, "sim: %s\n", err_text());
        return 1;
    }
    int failed = run_all(&keys, &o);
    sim_keys_done(&keys);
    return failed;
}
