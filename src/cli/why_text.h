/* A policy's decision in words. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct json_object;
struct trace_history;

struct why { /* all borrowed */
    const char *module;
    const char *policy;
    struct json_object *answer; /* the decision */
    const char *since;          /* time of the decision, for people; "" = not known */
    size_t since_line;          /* of the history: what was measured before was of another world */
    const struct trace_history *history; /* NULL = none */
    bool ended;                          /* another policy runs now, or none */
};

/* Appends sentences, each on a line of its own: where the module is, what decided that, with
 * figures and units, what was tried, and whether a policy may move it at all. */
void why_text(const struct why *why, struct buf *out);
