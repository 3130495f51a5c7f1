#include "cli/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/alloc.h"
#include "base/buf.h"

#define GAP          2 /* blanks between columns */
#define COLUMN_LEAST 8 /* cut no further: a name must stay recognisable */

struct cell {
    char *text; /* owned */
    enum text_colour colour;
};

struct column {
    char *title; /* owned */
    enum table_align align;
};

struct table {
    size_t column_count;
    struct column columns[TABLE_COLUMNS_MAX];
    struct cell *cells; /* row by row; owned */
    size_t cell_count;
    size_t cell_capacity;
};

struct table *table_new(void)
{
    return xcalloc(1, sizeof(struct table));
}

struct table *table_free(struct table *table)
{
    for (size_t i = 0; table && i < table->cell_count; i++) {
        free(table->cells[i].text);
    }
    for (size_t i = 0; table && i < table->column_count; i++) {
        free(table->columns[i].title);
    }
    if (table) {
        free(table->cells);
    }
    free(table);
    return NULL;
}

void table_column(struct table *table, const char *title, enum table_align align)
{
    assert(table->cell_count == 0);
    assert(table->column_count < TABLE_COLUMNS_MAX);
    table->columns[table->column_count++] =
        (struct column){.title = xstrdup(title), .align = align};
}

/* What comes from elsewhere must not move the cursor or change the screen's colours. */
static void blank_controls(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7f) {
            *at = ' ';
        } else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) { /* C1 controls */
            at[0] = ' ';
            at[1] = ' ';
        }
    }
}

void table_cell(struct table *table, const char *text, enum text_colour colour)
{
    assert(table->column_count > 0);
    if (table->cell_count == table->cell_capacity) {
        table->cell_capacity = table->cell_capacity ? 2 * table->cell_capacity : 64;
        table->cells = xrealloc(table->cells, table->cell_capacity * sizeof(struct cell));
    }
    struct cell cell = {.text = xstrdup(text), .colour = colour};
    blank_controls(cell.text);
    table->cells[table->cell_count++] = cell;
}

void table_cell_format(struct table *table, enum text_colour colour, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP(str_free) char *text = xvasprintf(format, args);
    va_end(args);
    table_cell(table, text, colour);
}

size_t table_rows(const struct table *table)
{
    return table->column_count ? table->cell_count / table->column_count : 0;
}

const char *colour_escape(enum text_colour colour)
{
    static const char *const escapes[] = {"",         "\x1b[32m", "\x1b[33m",
                                          "\x1b[31m", "\x1b[2m",  "\x1b[1m"};
    return escapes[colour];
}

/* The next character of text and the columns it takes; 0 at the end. Bytes that are no UTF-8 count
 * as one column each. */
static size_t next_character(const char *text, size_t *ret_columns)
{
    if (*text == '\0') {
        return 0;
    }
    wchar_t wide = 0;
    mbstate_t state = {0};
    size_t bytes = mbrtowc(&wide, text, MB_CUR_MAX, &state);
    if (bytes == (size_t)-1 || bytes == (size_t)-2) {
        *ret_columns = 1;
        return 1;
    }
    int columns = wcwidth(wide);
    *ret_columns = columns < 0 ? 1 : (size_t)columns;
    return bytes;
}

size_t text_columns(const char *text)
{
    size_t total = 0;
    size_t columns = 0;
    for (size_t bytes; (bytes = next_character(text, &columns)) > 0; text += bytes) {
        total += columns;
    }
    return total;
}

static void measure(const struct table *table, size_t widths[TABLE_COLUMNS_MAX])
{
    for (size_t i = 0; i < table->column_count; i++) {
        widths[i] = text_columns(table->columns[i].title);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t columns = text_columns(table->cells[i].text);
        size_t *width = &widths[i % table->column_count];
        *width = columns > *width ? columns : *width;
    }
}

/* Takes columns from the widest until a line fits, or all are at their least. */
static void fit(size_t *widths, size_t count, size_t screen)
{
    size_t total = GAP * (count - 1);
    for (size_t i = 0; i < count; i++) {
        total += widths[i];
    }
    while (total > screen) {
        size_t widest = 0;
        for (size_t i = 1; i < count; i++) {
            widest = widths[i] > widths[widest] ? i : widest;
        }
        if (widths[widest] <= COLUMN_LEAST) {
            return;
        }
        widths[widest]--;
        total--;
    }
}

static void pad(struct buf *out, size_t columns)
{
    buf_printf(out, "%*s", (int)columns, "");
}

/* text in at most width columns; what is cut ends in an ellipsis. Returns the columns taken. */
static size_t append_cut(struct buf *out, const char *text, size_t width)
{
    bool cut = text_columns(text) > width;
    size_t room = cut ? width - 1 : width;
    size_t taken = 0;
    size_t columns = 0;
    for (size_t bytes; (bytes = next_character(text, &columns)) > 0; text += bytes) {
        if (taken + columns > room) {
            break;
        }
        buf_printf(out, "%.*s", (int)bytes, text);
        taken += columns;
    }
    if (cut) {
        buf_printf(out, "…");
        taken++;
    }
    return taken;
}

struct painter {
    const struct table *table;
    size_t widths[TABLE_COLUMNS_MAX];
    bool colour;
    struct buf *out;
};

static void paint_cell(struct painter *painter, size_t column, const char *text,
                       enum text_colour colour)
{
    struct buf *out = painter->out;
    size_t width = painter->widths[column];
    bool last = column + 1 == painter->table->column_count;
    bool right = painter->table->columns[column].align == TABLE_RIGHT;
    size_t columns = text_columns(text);
    bool painted = painter->colour && colour != COLOUR_NONE;

    if (right && columns < width) {
        pad(out, width - columns);
    }
    if (painted) {
        buf_printf(out, "%s", colour_escape(colour));
    }
    size_t taken = append_cut(out, text, width);
    if (painted) {
        buf_printf(out, COLOUR_END);
    }
    if (!last) {
        pad(out, GAP + (right ? 0 : width - taken));
    }
    if (last) {
        buf_printf(out, "\n");
    }
}

void table_render(const struct table *table, size_t width, bool colour, struct buf *out)
{
    struct painter painter = {.table = table, .colour = colour, .out = out};
    if (table->column_count == 0) {
        return;
    }
    measure(table, painter.widths);
    if (width > 0) {
        fit(painter.widths, table->column_count, width);
    }
    for (size_t i = 0; i < table->column_count; i++) {
        paint_cell(&painter, i, table->columns[i].title, COLOUR_BOLD);
    }
    for (size_t i = 0; i < table_rows(table) * table->column_count; i++) {
        paint_cell(&painter, i % table->column_count, table->cells[i].text, table->cells[i].colour);
    }
}
