/* Shows results: as JSON for programs, as tables for people, and in a file when asked. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct err;
struct json_object;
struct table;

enum output_format {
    OUTPUT_AUTO, /* a table for what is a list, on a terminal; else JSON */
    OUTPUT_JSON,
    OUTPUT_TABLE,
};

struct output {
    enum output_format format;
    const char *file; /* borrowed; NULL = none: what is shown is also written there */
    FILE *stream;     /* where results go */
    bool terminal;    /* stream is one */
    bool colour;
    size_t width; /* of the terminal; 0 = unbounded */
};

/* option: value of --output (NULL = not given): "json", "table", or a file name. */
void output_init(struct output *output, FILE *stream, const char *option);

/* Tables rather than JSON, for commands that have a table of their own. */
bool output_wants_table(const struct output *output);

/* A result of the API. A text is shown without quotes, unless JSON was asked for. 0 or what writing
 * the file gave. */
int output_value(const struct output *output, struct json_object *value, struct err *err);

/* table for people or value for programs, as output_wants_table says. */
int output_table(const struct output *output, const struct table *table, struct json_object *value,
                 struct err *err);

/* Text that was made here, colours and all. */
int output_text(const struct output *output, const char *text, size_t size, struct err *err);

/* Bytes as they are, to the file alone when one was named: a picture is nothing to look at. */
int output_bytes(const struct output *output, const char *data, size_t size, struct err *err);

/* The table that a list or map shows as; NULL when value has no such shape. Owned by the caller. */
struct table *output_make_table(struct json_object *value);
