/* SPDX-License-Identifier: Apache-2.0 */
/* Prints bills with all that they rest on, one JSON object a line, for tests/oracle/bills.py.
 * Usage: cases FIRST_SEED COUNT */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/test.h"
#include "sample.h"

static void print_file(const char *key, const struct sample *s, enum audit_file file)
{
    struct bytes octets = buf_bytes(&s->files[file]);

    printf("\"%s\":%.*s,", key, (int)octets.len, (const char *)octets.ptr);
}

static void print_case(const struct sample *s)
{
    printf("{");
    print_file("bill", s, AUDIT_BILL);
    print_file("tariff", s, AUDIT_TARIFF);
    print_file("calendar", s, AUDIT_CALENDAR);
    printf("\"records\":[");
    for (size_t i = 0; i < s->record_count; i++) {
        const struct record *r = &s->records[i];
        printf("%s[%u,%llu,%llu,%llu,%d]", i > 0 ? "," : "", r->end_s, (unsigned long long)r->e_act,
               (unsigned long long)r->e_ind, (unsigned long long)r->e_cap,
               (int)r->reads[READ_DEMAND]);
    }
    printf("]}\n");
}

int main(int argc, char **argv)
{
    static struct world w;
    static struct sample s;
    uint64_t first = 0;
    uint64_t count = 0;

    if (argc != 3 || decimal_parse(bytes_of_string(argv[1]), UINT32_MAX, &first).code ||
        decimal_parse(bytes_of_string(argv[2]), 1000000, &count).code) {
        fprintf(stderr, "usage: cases FIRST_SEED COUNT\n");
        return 2;
    }
    world_new(&w);
    for (uint64_t seed = first; seed < first + count; seed++) {
        sample_new(&w, seed, &s);
        print_case(&s);
        sample_done(&s);
    }
    world_done(&w);
    return 0;
}
