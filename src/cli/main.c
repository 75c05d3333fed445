/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

struct verb {
    const char *name;
    int (*run)(int argc, char **argv); /* NULL: `program` runs with the arguments as they are */
    const char *program;
    const char *help;
};

static const struct verb verbs[] = {
    { "init", verb_init, NULL, "make a directory that holds an installation: keys, settings" },
    { "up", verb_up, NULL, "start all services of a directory and keep them running" },
    { "down", verb_down, NULL, "stop them; nothing acknowledged is lost" },
    { "status", verb_status, NULL, "what runs, since when, and whether it is ready" },
    { "demo", verb_demo, NULL, "the whole way once, from meters to bills, audits and fraud" },
    { "meter", NULL, "meter", "enrol meters, run a fleet, replay a real series" },
    { "kv", verb_kv, NULL, "get, put, delete and list keys of the store" },
    { "sql", verb_sql, NULL, "run SQL statements" },
    { "bill", NULL, "billing", "make bills and export what an auditor needs" },
    { "audit", NULL, "audit", "prove offline that a bill rests on every reading, each once" },
    { "fraud", NULL, "fraud", "rank consumers by suspicion" },
    { "bench", NULL, "bench", "measure the system" },
    { "doctor", verb_doctor, NULL, "look for what commonly goes wrong, and say the way out" },
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static void print_usage(FILE *to)
{
    fprintf(to, "usage: meterseal VERB [options]    (meterseal VERB --help tells more)\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        fprintf(to, "  %-8s %s\n", verbs[i].name, verbs[i].help);
    }
    fprintf(to, "\nThe directory of an installation is --dir DIR, else METERSEAL_DIR, else "
                "./meterseal-data.\nExit status: 0 done, 1 failed, 2 wrong usage; the audit has "
                "its own.\n");
}

static int run_program(const char *program, char **argv)
{
    struct place_path path;
    err e = cli_program(program, &path);

    if (e.code) {
        return cli_fail(e);
    }
    execv(path.text, argv);
    fprintf(stderr, "meterseal: cannot run %s\n", path.text);
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("meterseal %s\n", METERSEAL_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].run != NULL ? verbs[i].run(argc - 2, argv + 2)
                                        : run_program(verbs[i].program, argv + 1);
        }
    }
    fprintf(stderr, "meterseal: no verb %s\n\n", argv[1]);
    print_usage(stderr);
    return EXIT_USAGE;
}
