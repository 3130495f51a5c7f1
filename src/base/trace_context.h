/* Which trace a request belongs to: W3C Trace Context, https://www.w3.org/TR/trace-context/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct trace_context { /* ids of zeros: none */
    bool known;
    bool sampled;
    unsigned char trace_id[16];
    unsigned char parent_id[8]; /* the client's span */
    unsigned char span_id[8];   /* of the request, here */
    unsigned char hop_id[8];    /* of the call to a worker */
    unsigned char exec_id[8];   /* of its execution there */
};

#define TRACE_PARENT_SIZE 55 /* bytes of a header traceparent of version 00 */

/* Reads a header traceparent: trace_id, parent_id and sampled; known is set. False: it is none, and
 * nothing is changed. A later version is read as far as it is like version 00. */
bool trace_context_read(struct trace_context *context, struct slice traceparent);

/* Makes the ids that are not set yet but for the parent's; random: state of random_bits. */
void trace_context_make(struct trace_context *context, uint64_t *random);

/* The header for whoever is called within span, into text[TRACE_PARENT_SIZE]. */
void trace_context_write(const struct trace_context *context, const unsigned char span_id[8],
                         char *text);

/* count * 2 hexadecimal digits. */
void trace_hex(const unsigned char *bytes, size_t count, char *text);
