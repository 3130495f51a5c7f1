/* Takes a multipart/form-data body (RFC 7578) apart, in place and without copies of the content.
 * The bytes are a peer's. Ours because Debian 12 has no C library for it that comes without a
 * server of its own (libmicrohttpd, civetweb, ulfius) or a runtime (GLib, APR). */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct err;

#define MULTIPART_PARTS_MAX      1000       /* as many as a form may have fields */
#define MULTIPART_HEAD_BYTES_MAX (8 * 1024) /* the header lines of one part */
#define MULTIPART_NAME_BYTES_MAX 1024       /* a field's name; a file's name */
#define MULTIPART_BOUNDARY_MAX   70         /* RFC 2046 */

struct multipart {
    struct slice rest;                          /* after the last delimiter; borrowed */
    char delimiter[MULTIPART_BOUNDARY_MAX + 5]; /* "\r\n--" and the boundary */
    size_t delimiter_size;
    unsigned count; /* parts so far */
    bool ended;     /* the closing delimiter was met */
};

struct multipart_part {
    char name[MULTIPART_NAME_BYTES_MAX];
    char file_name[MULTIPART_NAME_BYTES_MAX]; /* valid if is_file; may be "" */
    bool is_file;
    struct slice content_type; /* borrowed from the body; size 0 = none given */
    struct slice body;         /* borrowed */
};

/* content_type is the message's header, with its boundary. body must outlive multipart.
 * 0 or -EINVAL. */
int multipart_init(struct multipart *multipart, struct slice content_type, struct slice body,
                   struct err *err);

/* 1 and the next part, 0 = no more, -EINVAL (no multipart body, or cut), -E2BIG (a limit). Names
 * are UTF-8 text without zero bytes. */
int multipart_next(struct multipart *multipart, struct multipart_part *ret_part, struct err *err);

/* The value of a parameter (boundary, name) in a header's value such as
 * 'form-data; name="a"; filename="b"', quotes undone, into text[size], ended by a zero. Returns its
 * length, or -ENOENT (absent), -E2BIG (longer than size - 1), -EINVAL (a zero byte in it). */
int header_parameter(struct slice value, const char *parameter, char *text, size_t size);
