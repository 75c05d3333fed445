/* SPDX-License-Identifier: Apache-2.0 */
/* meterseal init: the development PKI, API keys, root key and settings of an embedded installation.
 *
 * Attestation comes later; until then the private keys of all services lie here in files (0600),
 * and everything that runs from such a directory says INSECURE. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/installation.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/crypto/cert.h"
#include "lib/crypto/random.h"
#include "lib/service/api_key.h"
#include "lib/wire/json_write.h"

#define FIRST_PORT_DEFAULT 17400
#define PORT_TRIES 64
#define YEAR_S (INT64_C(365) * S_PER_DAY)
#define FILE_BYTES_MAX 16384

static const char usage[] =
    "usage: meterseal init [DIR] [--first-port PORT|auto] [--json]\n\n"
    "Makes DIR (default: as --dir) with everything an installation on one machine needs: a\n"
    "development PKI, API keys, the root key of the store, settings of each service.\n"
    "--first-port  the services listen on this and the next 19 ports of 127.0.0.1 (default\n"
    "              17400); auto chooses a free range\n";

static err write_text(const struct place *p, const char *name, struct bytes text, unsigned mode)
{
    return file_write(place_path(p, "%s", name).text, text, mode);
}

static void wipe_buf(struct buf *b)
{
    if (b->ptr != NULL) {
        wipe(b->ptr, b->cap);
    }
    buf_done(b);
}

struct authority { /* a CA: its private key and its certificate */
    struct private_key *key;
    struct buf pem;
};

static void authority_done(struct authority *a)
{
    private_key_free(a->key);
    buf_done(&a->pem);
}

static err write_pair(const struct place *p, const char *name, const struct private_key *key,
                      struct bytes certificate)
{
    AUTO(wipe_buf) struct buf pem = { .max = FILE_BYTES_MAX };

    TRY(private_key_to_pem(key, &pem));
    TRY(file_write(place_path(p, "pki/%s.key", name).text, buf_bytes(&pem), 0600));
    if (certificate.len == 0) {
        return OK;
    }
    return file_write(place_path(p, "pki/%s.crt", name).text, certificate, 0644);
}

static struct cert_request request_for(enum cert_use use, const char *name, int64_t years)
{
    int64_t now_s = (int64_t)(time_utc_us() / US_PER_S);

    return (struct cert_request){ use, name, now_s - S_PER_DAY, now_s + years * YEAR_S };
}

/* A root of its own: one for the services' TLS, one for the metrology institute. */
static err make_authority(const struct place *p, const char *name, const char *title,
                          struct authority *out)
{
    AUTO(authority_done) struct authority a = { .pem = { .max = FILE_BYTES_MAX } };
    AUTO(public_key_freep) struct public_key *public = NULL;
    struct cert_request request = request_for(CERT_CA, title, 20);

    TRY(private_key_new(SIGN_P256, &a.key));
    TRY(public_key_of(a.key, &public));
    TRY(cert_issue(&request, public, a.key, (struct bytes){ NULL, 0 }, &a.pem));
    TRY(write_pair(p, name, a.key, buf_bytes(&a.pem)));
    *out = a;
    a = (struct authority){ .pem = { .max = FILE_BYTES_MAX } };
    return OK;
}

static err make_certificate(const struct place *p, const char *role, const struct authority *ca)
{
    AUTO(private_key_freep) struct private_key *key = NULL;
    AUTO(public_key_freep) struct public_key *public = NULL;
    AUTO(buf_done) struct buf pem = { .max = FILE_BYTES_MAX };
    struct cert_request request = request_for(CERT_SERVICE, role, 2);

    TRY(private_key_new(SIGN_P256, &key));
    TRY(public_key_of(key, &public));
    TRY(cert_issue(&request, public, ca->key, buf_bytes(&ca->pem), &pem));
    return write_pair(p, role, key, buf_bytes(&pem));
}

/* The key pair of the collector side that every meter knows; its private half is for the
 * authenticators alone. */
static err make_session_key(const struct place *p)
{
    AUTO(private_key_freep) struct private_key *key = NULL;
    AUTO(public_key_freep) struct public_key *public = NULL;
    AUTO(buf_done) struct buf spki = { .max = SPKI_BYTES_MAX };

    TRY(private_key_new(SIGN_RSA2048, &key));
    TRY(public_key_of(key, &public));
    TRY(public_key_to_spki(public, &spki));
    TRY(write_pair(p, "collector-session", key, (struct bytes){ NULL, 0 }));
    return write_text(p, "pki/collector-session.spki", buf_bytes(&spki), 0644);
}

static err make_pki(const struct place *p)
{
    AUTO(authority_done) struct authority ca = { 0 };
    AUTO(authority_done) struct authority institute = { 0 };

    TRY(make_authority(p, "ca", "Meterseal development CA", &ca));
    TRY(make_authority(p, "institute", "Meterseal development metrology institute", &institute));
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        TRY(make_certificate(p, installed_services[i].name, &ca));
    }
    /* The utility signs its bills with this one. */
    TRY(make_certificate(p, "utility", &ca));
    return make_session_key(p);
}

static err make_root_key(const struct place *p)
{
    uint8_t key[32];
    char text[2 * sizeof key + 2];

    random_fill(key, sizeof key);
    hex_encode(BYTES_OF(key), text);
    text[2 * sizeof key] = '\n';
    err e = write_text(p, "secrets/root.key", (struct bytes){ (uint8_t *)text, 2 * sizeof key + 1 },
                       0600);
    wipe(key, sizeof key);
    wipe(text, sizeof text);
    return e;
}

static err make_api_keys_of(const struct place *p, const char *service)
{
    AUTO(buf_done) struct buf lines = { .max = FILE_BYTES_MAX };

    for (size_t i = 0; i < installed_key_count; i++) {
        const struct installed_key *k = &installed_keys[i];
        AUTO(wipe_buf) struct buf text = { .max = FILE_BYTES_MAX };
        if (strcmp(k->service, service) != 0) {
            continue;
        }
        TRY(buf_printf(&lines, "# %s\n", k->user));
        TRY(api_key_make(k->scopes, 0, &text, &lines));
        TRY(file_write(place_path(p, "secrets/%s-%s.key", service, k->user).text, buf_bytes(&text),
                       0600));
    }
    return file_write(place_path(p, "etc/%s.keys", service).text, buf_bytes(&lines), 0600);
}

static err make_settings(const struct place *p)
{
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        AUTO(buf_done) struct buf text = { .max = FILE_BYTES_MAX };
        TRY(installation_settings(p, &installed_services[i], &text));
        TRY(file_write(place_path(p, "etc/%s.yaml", installed_services[i].name).text,
                       buf_bytes(&text), 0644));
    }
    return OK;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static bool port_is_free(unsigned port)
{
    AUTO(close_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int yes = 1;

    if (fd < 0) {
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
}

/* Below the range from which the kernel takes ports for outgoing connections. */
static err choose_ports(unsigned *out)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t r;
        random_fill(&r, sizeof r);
        unsigned first = 10240u + r % 1000u * PLACE_PORTS;
        unsigned taken = 0;
        for (unsigned k = 0; k < PLACE_PORTS && taken == 0; k++) {
            taken = !port_is_free(first + k);
        }
        if (!taken) {
            *out = first;
            return OK;
        }
    }
    FAIL(ERR_LIMIT, "no free range of %d ports found; give one with --first-port", PLACE_PORTS);
}

static err parse_first_port(const char *text, unsigned *out)
{
    uint64_t port = FIRST_PORT_DEFAULT;

    if (text != NULL && strcmp(text, "auto") == 0) {
        return choose_ports(out);
    }
    if (text != NULL) {
        TRY(option_number("first-port", text, 1024, 65535 - PLACE_PORTS, &port));
    }
    *out = (unsigned)port;
    return OK;
}

/* An example tariff and calendar, so that billing works at once; real ones replace them. */
static err copy_examples(const struct place *p)
{
    static const struct {
        const char *from, *to;
    } files[] = { { "a4-green-example.yaml", "etc/tariff.yaml" },
                  { "calendar-meters.yaml", "etc/calendar.yaml" } };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        AUTO(buf_done) struct buf text = { .max = FILE_BYTES_MAX };
        struct place_path from;
        TRY(cli_shared_file(files[i].from, &from));
        TRY(file_read(from.text, &text));
        TRY(write_text(p, files[i].to, buf_bytes(&text), 0644));
    }
    return OK;
}

/* A folder that was there before may be one that somebody else has prepared: who can change it can
 * put keys of his own in the place of ours. Only DIR itself may be a link. */
static err check_own(const char *path, bool may_be_link)
{
    struct stat st;

    if ((may_be_link ? stat(path, &st) : lstat(path, &st)) != 0) {
        FAIL(ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        FAIL(ERR_AUTH, "%s is a link; remove it, or choose another directory", path);
    }
    if (st.st_uid != geteuid()) {
        FAIL(ERR_AUTH, "%s belongs to another user; choose another directory", path);
    }
    if ((st.st_mode & 022) != 0) {
        FAIL(ERR_AUTH, "%s can be changed by others; choose another directory, or: chmod go-w %s",
             path, path);
    }
    return OK;
}

static err make_folders(const char *dir)
{
    static const char *const folders[] = { "etc",    "pki", "secrets", "data", "data/kvs",
                                           "meters", "log", "run",     "bills" };
    char path[PATH_MAX];

    TRY(file_make_dirs(dir, 0700));
    TRY(check_own(dir, true));
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (snprintf(path, sizeof path, "%s/%s", dir, folders[i]) >= (int)sizeof path - 256) {
            FAIL(ERR_LIMIT, "%s: path too long", dir);
        }
        TRY(file_make_dirs(path, 0700));
        TRY(check_own(path, false));
    }
    return OK;
}

err installation_make(const char *dir, const char *first_port, struct place *out)
{
    struct place p = { .first_port = 0 };
    char text[16];
    struct stat st;

    char marker[PATH_MAX];
    if (snprintf(marker, sizeof marker, "%s/etc/ports", dir) >= (int)sizeof marker) {
        FAIL(ERR_LIMIT, "%s: path too long", dir);
    }
    if (stat(marker, &st) == 0) {
        FAIL(ERR_CONFLICT, "%s is already a Meterseal directory; choose another, or remove it",
             dir);
    }
    TRY(parse_first_port(first_port, &p.first_port));
    TRY(make_folders(dir));
    snprintf(p.dir, sizeof p.dir, "%s", dir);
    TRY(make_pki(&p));
    TRY(make_root_key(&p));
    TRY(make_api_keys_of(&p, "kvs"));
    TRY(make_api_keys_of(&p, "sql"));
    TRY(make_settings(&p));
    TRY(copy_examples(&p));
    /* Last: this file makes the directory an installation. */
    snprintf(text, sizeof text, "%u\n", p.first_port);
    TRY(write_text(&p, "etc/ports", bytes_of_string(text), 0644));
    return place_open(dir, out);
}

static err print_json(const struct place *p)
{
    AUTO(buf_done) struct buf out = { .max = FILE_BYTES_MAX };
    struct json_writer w;

    json_write_begin(&w, &out);
    json_write_object(&w);
    json_write_key(&w, "dir");
    json_write_string(&w, p->dir);
    json_write_key(&w, "first_port");
    json_write_uint(&w, p->first_port);
    json_write_key(&w, "tee");
    json_write_string(&w, "sim");
    json_write_key(&w, "secure");
    json_write_bool(&w, false);
    json_write_object_end(&w);
    TRY(json_write_finish(&w));
    printf("%.*s\n", (int)out.len, (const char *)out.ptr);
    return OK;
}

int verb_init(int argc, char **argv)
{
    const char *first_port = NULL;
    const struct option_spec specs[] = { { "first-port", NULL, &first_port } };
    struct options o;
    struct place p;
    int count;

    err e = cli_options(argc, argv, specs, 1, &o, &count);
    if (!e.code && o.help) {
        printf("%s", usage);
        return EXIT_DONE;
    }
    if (e.code || count > 1) {
        return e.code ? (cli_fail(e), EXIT_USAGE) : cli_usage(usage);
    }
    e = installation_make(count == 1 ? argv[0] : o.dir, first_port, &p);
    if (e.code) {
        return cli_fail(e);
    }
    if (o.json) {
        e = print_json(&p);
        return e.code ? cli_fail(e) : EXIT_DONE;
    }
    printf("made %s (ports %u to %u on 127.0.0.1)\n", p.dir, p.first_port,
           p.first_port + PLACE_PORTS - 1);
    printf("INSECURE: attestation is simulated; keys lie in files of this directory\n");
    printf("next: meterseal up --dir %s\n", p.dir);
    return EXIT_DONE;
}
