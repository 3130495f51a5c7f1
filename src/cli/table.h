/* A table of text for people: columns as wide as their content, cut to the terminal's width. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct buf;
struct table;

#define TABLE_COLUMNS_MAX 32 /* more do not fit on any screen */

enum table_align { TABLE_LEFT, TABLE_RIGHT };

enum text_colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_WARN, COLOUR_BAD, COLOUR_DIM, COLOUR_BOLD };

/* Never NULL; the caller owns it. */
struct table *table_new(void);
struct table *table_free(struct table *table);
DEFINE_CLEANUP(struct table *, table_free)

/* Before the first cell. title is copied. */
void table_column(struct table *table, const char *title, enum table_align align);

/* The next cell, left to right, row by row. text is copied, with control characters as spaces. */
void table_cell(struct table *table, const char *text, enum text_colour colour);
void table_cell_format(struct table *table, enum text_colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

size_t table_rows(const struct table *table);

/* Appends the table. width: columns of the screen, 0 = unbounded; the widest columns are cut (with
 * an ellipsis) until a line fits. colour: with terminal escapes. */
void table_render(const struct table *table, size_t width, bool colour, struct buf *out);

/* The escape that begins a colour; "" for COLOUR_NONE. */
const char *colour_escape(enum text_colour colour);
#define COLOUR_END "\x1b[0m"

/* Columns that UTF-8 text takes on a screen; the locale must be a UTF-8 one. */
size_t text_columns(const char *text);
