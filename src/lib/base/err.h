/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: one small code to branch on, one message to read.
 *
 * What can fail returns `err`. Operating errors are returned; programmer errors are asserted, and
 * assertions stay on in release builds. Out-parameters are untouched on failure. Callers branch on
 * the code only; the text, kept per thread, is for people and never carries a secret. */
#pragma once

enum err_code {
    ERR_NONE,
    ERR_AGAIN,    /* not now: the same call may succeed later */
    ERR_CLOSED,   /* the peer or the owner ended it */
    ERR_IO,       /* the operating system or a disk failed */
    ERR_PROTO,    /* octets or text that break their format */
    ERR_AUTH,     /* a signature, tag, key or right is wrong */
    ERR_MISSING,  /* no such thing */
    ERR_LIMIT,    /* a named bound is crossed, or memory is full */
    ERR_CONFLICT, /* a condition failed: the thing exists, or has another version */
    ERR_CORRUPT,  /* stored octets are not those that were written */
    ERR_COUNT
};

/* A struct, so that returning it where a number is meant does not compile. */
typedef struct err {
    enum err_code code;
} err;

#define OK ((err){ ERR_NONE })
#define MUST_USE __attribute__((warn_unused_result))

/* Passes an error on to the caller. */
#define TRY(x)               \
    do {                     \
        err try_err_ = (x);  \
        if (try_err_.code) { \
            return try_err_; \
        }                    \
    } while (0)

/* Originates an error: the literal code, and a text that names the thing, the limit, the way out.
 */
#define FAIL(code, ...)                           \
    do {                                          \
        err_set(__FILE__, __LINE__, __VA_ARGS__); \
        return (err){ code };                     \
    } while (0)

/* AUTO(f): call f(&variable) when it leaves its scope. TAKE(p): the value, and NULL left behind. */
#define AUTO(fn) __attribute__((cleanup(fn)))
#define TAKE(p)                    \
    __extension__({                \
        __typeof__(p) take_ = (p); \
        (p) = NULL;                \
        take_;                     \
    })

/* Keeps the text of the newest error of this thread; longer than 512 octets is cut. */
void err_set(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts words in front of the kept text: "reading config: <text>". Returns `e` unchanged. */
err err_context(err e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The newest text of this thread, and where in the source it was set. Borrowed until the next. */
const char *err_text(void);
const char *err_where(void);

/* "limit", "auth", ...: the stable name of a code, for logs and metrics labels. */
const char *err_name(enum err_code code);
