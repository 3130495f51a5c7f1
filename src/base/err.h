/* An error that a person may read: what went wrong, with one context a layer.
 * Text: lower case, subject quoted, cause last after a colon, no full stop. */
#pragma once

#define ERR_TEXT_MAX 2048 /* long enough for a Python traceback's last lines */

struct err {
    int code; /* positive errno; 0 = no error */
    char text[ERR_TEXT_MAX];
};

/* Sets code and text; err may be NULL. Returns -code. */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, and appends ": " and the system's text for code. */
int err_errno(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts a context and ": " before the text; err may be NULL. Returns -err->code (-EIO if NULL). */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
