/* SPDX-License-Identifier: Apache-2.0 */
/* meterseal bill: bills, and what an auditor needs to prove them. */
#include <stdio.h>
#include <string.h>

#include "lib/base/options.h"
#include "lib/service/place.h"
#include "report/billing/run.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2

static const char usage[] =
    "usage: meterseal bill run --period YYYY-MM | --from TIME --to TIME\n"
    "           --meter ID | --all [--dir DIR] [--tariff FILE] [--calendar FILE]\n"
    "           [--out DIR] [--previous DIR] [--json]\n"
    "       meterseal bill export --period YYYY-MM | --out DIR  --meter ID | --all\n"
    "           [--dir DIR] [--json]\n"
    "       meterseal bill show FILE [--json]\n\n"
    "run: one bundle per meter: the bill, its signature, readings, seals, certificates, tariff "
    "and\n"
    "calendar. Bundles that are there are kept, so a run can be repeated. Exit 1 when somebody\n"
    "could not be billed; the reasons are listed.\n"
    "export: readings and seals beside existing bills once more, as the store holds them now.\n"
    "show: a bill, or the bill of a bundle, for people.\n"
    "  --period    a civil month of the calendar\n"
    "  --from --to civil days YYYY-MM-DD, or UTC times; both edges of civil days\n"
    "  --meter     id, 16 hex digits\n"
    "  --tariff    YAML (default DIR/etc/tariff.yaml; examples: deploy/tariff)\n"
    "  --calendar  YAML (default DIR/etc/calendar.yaml)\n"
    "  --out       folder of the bundles (default DIR/bills/PERIOD)\n"
    "  --previous  folder with the bundles of the period before (default: any of DIR/bills)\n";

static int fail(err e)
{
    (void)e;
    fprintf(stderr, "meterseal bill: %s\n", err_text());
    return EXIT_FAILED;
}

static int wrong_usage(void)
{
    fprintf(stderr, "meterseal bill: %s\n%s", err_text(), usage);
    return EXIT_USAGE;
}

static err options_check(const char *verb, const struct billing_options *o)
{
    bool export = strcmp(verb, "export") == 0;
    bool from_to = o->from != NULL && o->to != NULL;
    uint64_t meter;

    if (!export && strcmp(verb, "run") != 0) {
        FAIL(ERR_PROTO, "which verb: run, export or show");
    }
    if (o->all == (o->meter != NULL)) {
        FAIL(ERR_PROTO, "which consumers: --meter ID, or --all");
    }
    if (export && (o->out != NULL) == (o->period != NULL)) {
        FAIL(ERR_PROTO, "which bills: --period YYYY-MM, or --out DIR");
    }
    if (!export && (from_to == (o->period != NULL) || (o->from != NULL) != (o->to != NULL))) {
        FAIL(ERR_PROTO, "which period: --period YYYY-MM, or --from TIME and --to TIME");
    }
    return o->meter != NULL ? billing_meter_id(o->meter, &meter) : OK;
}

static int verb_run(const char *verb, const struct billing_options *o)
{
    int status = 0;
    err e = strcmp(verb, "run") == 0 ? billing_run(o, &status) : billing_export(o, &status);

    return e.code ? fail(e) : status;
}

int main(int argc, char **argv)
{
    struct billing_options o = { .dir = place_default_dir() };
    bool help = false;
    int plain = 0;
    const struct option_spec specs[] = {
        { "dir", NULL, &o.dir },       { "period", NULL, &o.period },
        { "from", NULL, &o.from },     { "to", NULL, &o.to },
        { "meter", NULL, &o.meter },   { "all", &o.all, NULL },
        { "tariff", NULL, &o.tariff }, { "calendar", NULL, &o.calendar },
        { "out", NULL, &o.out },       { "previous", NULL, &o.previous },
        { "json", &o.json, NULL },     { "help", &help, NULL },
    };

    if (options_parse(argc - 1, argv + 1, specs, OPTION_COUNT(specs), &plain).code) {
        return wrong_usage();
    }
    if (help) {
        printf("%s", usage);
        return 0;
    }
    const char *verb = plain > 0 ? argv[1] : "";
    if (plain == 2 && strcmp(verb, "show") == 0) {
        err e = billing_show(argv[2], o.json);
        return e.code ? fail(e) : 0;
    }
    if (plain != 1) {
        err_set(__FILE__, __LINE__, "which verb: run, export, or show FILE");
        return wrong_usage();
    }
    if (options_check(verb, &o).code) {
        return wrong_usage();
    }
    return verb_run(verb, &o);
}
