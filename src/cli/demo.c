/* SPDX-License-Identifier: Apache-2.0 */
/* meterseal demo: the whole way once, on this machine, over the real programs. */
#include "cli/demo.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/installation.h"
#include "cli/up.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/wire/json_write.h"

#define JSON_BYTES_MAX 16384

static const char usage[] =
    "usage: meterseal demo [--meters N] [--days N] [--dir DIR] [--json [FILE]] [--keep]\n\n"
    "Starts everything in a new directory, lets a fleet of simulated meters send their days,\n"
    "bills every consumer, audits every bill, tampers with three stored readings and audits\n"
    "again, and ranks the consumers, of which five steal.\n"
    "  --meters  3 to 10000 (default 100)\n"
    "  --days    9 to 366, the last 7 with thieves (default 35)\n"
    "  --dir     where (default: a new directory below /tmp, removed at the end)\n"
    "  --keep    keep the directory; the services are stopped\n"
    "  --json    the figures as JSON, to FILE or to standard output\n";

struct demo_arguments {
    const char *meters, *days, *dir, *json_file;
    bool keep, json, help;
};

static err parse(int argc, char **argv, struct demo_arguments *a, struct demo *d)
{
    const struct option_spec specs[] = {
        { "meters", NULL, &a->meters }, { "days", NULL, &a->days }, { "dir", NULL, &a->dir },
        { "keep", &a->keep, NULL },     { "json", &a->json, NULL }, { "help", &a->help, NULL },
    };
    int plain;

    d->meters = 100;
    d->days = 35;
    TRY(options_parse(argc, argv, specs, OPTION_COUNT(specs), &plain));
    if (a->meters != NULL) {
        TRY(option_number("meters", a->meters, DEMO_TAMPERED, DEMO_METERS_MAX, &d->meters));
    }
    if (a->days != NULL) {
        TRY(option_number("days", a->days, DEMO_TEST_DAYS + 2, DEMO_DAYS_MAX, &d->days));
    }
    /* "--json FILE": the file is a plain argument. */
    if (plain > 1 || (plain == 1 && !a->json)) {
        FAIL(ERR_PROTO, "the demo takes no argument %s", argv[0]);
    }
    a->json_file = plain == 1 ? argv[0] : NULL;
    return OK;
}

/* The newest local midnight, and as many days before it. */
static void choose_days(struct demo *d)
{
    int64_t now_s = (int64_t)(time_utc_us() / US_PER_S) + DEMO_ZONE_OFFSET_S;

    d->to_s = now_s / S_PER_DAY * S_PER_DAY - DEMO_ZONE_OFFSET_S;
    d->from_s = d->to_s - (int64_t)d->days * S_PER_DAY;
    d->thieves = d->meters >= 2 * DEMO_THIEVES ? DEMO_THIEVES : 1;
}

static err make_place(struct demo *d, const char *dir)
{
    char made[] = "/tmp/meterseal-demo-XXXXXX";

    if (dir == NULL && mkdtemp(made) == NULL) {
        FAIL(ERR_IO, "cannot make a directory below /tmp");
    }
    return installation_make(dir != NULL ? dir : made, "auto", &d->place);
}

static uint64_t tree_bytes;

static int add_size(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path;
    (void)at;
    tree_bytes += type == FTW_F ? (uint64_t)st->st_blocks * 512 : 0;
    return 0;
}

static uint64_t size_of(const char *dir)
{
    tree_bytes = 0;
    nftw(dir, add_size, 16, FTW_PHYS);
    return tree_bytes;
}

static const struct {
    const char *name;
    err (*run)(struct demo *d);
} steps[] = {
    { "the fleet sends its days", demo_fleet },
    { "every consumer is billed", demo_bills },
    { "every bill is audited", demo_audits },
    { "three stored readings are tampered with, and audited again", demo_tamper },
    { "consumers are ranked by suspicion", demo_fraud },
};

static err run_steps(struct demo *d)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        uint64_t start_us = time_monotonic_us();
        if (!d->quiet) {
            fprintf(stderr, "%zu/%zu  %s ...\n", i + 1, sizeof steps / sizeof steps[0],
                    steps[i].name);
        }
        TRY(steps[i].run(d));
        if (!d->quiet) {
            fprintf(stderr, "     done in %.1f s\n",
                    (double)(time_monotonic_us() - start_us) / 1e6);
        }
    }
    return OK;
}

static err run_in_place(struct demo *d)
{
    uint64_t start_us = time_monotonic_us();

    TRY(installation_up(&d->place));
    err e = run_steps(d);
    d->seconds = (double)(time_monotonic_us() - start_us) / 1e6;
    char kept[512];
    snprintf(kept, sizeof kept, "%s", err_text());
    err down = installation_down(&d->place);
    if (e.code) {
        FAIL(ERR_IO, "%s", kept);
    }
    d->directory_bytes = size_of(d->place.dir);
    d->sealed_bytes = size_of(place_path(&d->place, "data").text);
    return down;
}

/* Whether all is as it must be: what was sent is stored, and the audit names exactly the three. */
static bool demo_good(const struct demo *d)
{
    return d->sent == d->acknowledged && d->acknowledged == d->stored && d->bills == d->meters &&
           d->audits_clean == d->bills && d->tampered_caught == DEMO_TAMPERED &&
           d->wrongly_accused == 0;
}

static void print_screen(const struct demo *d)
{
    bool equal = d->sent == d->acknowledged && d->acknowledged == d->stored;

    printf("\n  %" PRIu64 " meters, %" PRIu64 " days\n\n", d->meters, d->days);
    printf("  readings   %" PRIu64 " sent %s %" PRIu64 " acknowledged %s %" PRIu64 " stored\n",
           d->sent, equal ? "=" : "|", d->acknowledged, equal ? "=" : "|", d->stored);
    printf("  bills      %" PRIu64 " made, %" PRIu64 " audits clean\n", d->bills, d->audits_clean);
    for (size_t i = 0; i < DEMO_TAMPERED; i++) {
        const struct tampering *t = &d->tampered[i];
        printf("  tampered   meter %s: one reading %s: %s%s\n", t->meter, t->what,
               t->caught ? "caught, " : "NOT CAUGHT", t->codes);
    }
    printf("  accused    %" PRIu64 " meters that nobody touched\n", d->wrongly_accused);
    printf("  fraud      %" PRIu64 " thieves, area under the ROC curve %.3f\n", d->thieves, d->auc);
    printf("  time       %.1f s in all; the fleet %.1f s = %.0f readings/s\n", d->seconds,
           d->fleet_seconds, (double)d->acknowledged / d->fleet_seconds);
    printf("  disk       %.1f MiB, of it %.1f MiB sealed store\n",
           (double)d->directory_bytes / 1048576, (double)d->sealed_bytes / 1048576);
    printf("\n  INSECURE: attestation is simulated (tee: sim); for development only\n");
}

static err write_json(const struct demo *d, struct buf *out)
{
    struct json_writer w;

    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_key(&w, "readings");
    json_write_object(&w);
    json_write_key(&w, "sent");
    json_write_uint(&w, d->sent);
    json_write_key(&w, "acknowledged");
    json_write_uint(&w, d->acknowledged);
    json_write_key(&w, "stored");
    json_write_uint(&w, d->stored);
    json_write_object_end(&w);
    json_write_key(&w, "bills");
    json_write_uint(&w, d->bills);
    json_write_key(&w, "audits");
    json_write_object(&w);
    json_write_key(&w, "clean");
    json_write_uint(&w, d->audits_clean);
    json_write_key(&w, "tampered_injected");
    json_write_uint(&w, DEMO_TAMPERED);
    json_write_key(&w, "tampered_caught");
    json_write_uint(&w, d->tampered_caught);
    json_write_key(&w, "wrongly_accused");
    json_write_uint(&w, d->wrongly_accused);
    json_write_object_end(&w);
    json_write_key(&w, "fraud");
    json_write_object(&w);
    json_write_key(&w, "thieves");
    json_write_uint(&w, d->thieves);
    json_write_key(&w, "auc");
    json_write_number(&w, d->auc);
    json_write_object_end(&w);
    json_write_key(&w, "seconds");
    json_write_number(&w, d->seconds);
    json_write_key(&w, "readings_per_second");
    json_write_number(&w, (double)d->acknowledged / d->fleet_seconds);
    json_write_key(&w, "directory_bytes");
    json_write_uint(&w, d->directory_bytes);
    json_write_object_end(&w);
    return json_write_finish(&w);
}

static err report(const struct demo *d, const struct demo_arguments *a)
{
    AUTO(buf_done) struct buf text = { .max = JSON_BYTES_MAX };

    if (a->json) {
        TRY(write_json(d, &text));
        TRY(buf_string(&text, "\n"));
    }
    if (a->json && a->json_file == NULL) {
        printf("%.*s", (int)text.len, (const char *)text.ptr);
        return OK;
    }
    if (a->json) {
        TRY(file_write(a->json_file, buf_bytes(&text), 0644));
    }
    print_screen(d);
    return OK;
}

static void print_next(const struct demo *d, bool kept)
{
    if (!kept) {
        printf("\n  next: meterseal demo --keep keeps the directory to look into; docs/tour.md "
               "walks along\n");
        return;
    }
    printf("\n  look into %s:\n", d->place.dir);
    printf("    meterseal up --dir %s\n", d->place.dir);
    printf("    meterseal sql --dir %s -c 'SELECT * FROM meter LIMIT 5'\n", d->place.dir);
    printf("    meterseal bill show %s/bills/%s/bill.json\n", d->place.dir, d->tampered[0].meter);
    printf("    meterseal audit %s/bills/%s\n", d->place.dir, d->tampered[0].meter);
}

int verb_demo(int argc, char **argv)
{
    struct demo_arguments a = { 0 };
    static struct demo d;

    err e = parse(argc, argv, &a, &d);
    if (e.code) {
        cli_fail(e);
        return EXIT_USAGE;
    }
    if (a.help) {
        printf("%s", usage);
        return EXIT_DONE;
    }
    d.quiet = a.json && a.json_file == NULL;
    choose_days(&d);
    e = make_place(&d, a.dir);
    if (e.code) {
        return cli_fail(e);
    }
    e = run_in_place(&d);
    if (!e.code) {
        e = report(&d, &a);
    }
    if (e.code) {
        cli_fail(e);
        fprintf(stderr, "meterseal: %s is kept; its logs are in %s/log\n", d.place.dir,
                d.place.dir);
        return EXIT_FAILED;
    }
    bool kept = a.keep || a.dir != NULL;
    if (!d.quiet) {
        print_next(&d, kept);
    }
    if (!kept) {
        file_remove_all(d.place.dir);
    }
    return demo_good(&d) ? EXIT_DONE : EXIT_FAILED;
}
