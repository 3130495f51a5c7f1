#include "cli/table.h"

#include <locale.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/test.h"

/* The table as text; the caller frees it. */
static char *rendered(const struct table *table, size_t width, bool colour)
{
    struct buf out = {0};
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    table_render(table, width, colour, &out);
    char *text = xstrndup(out.data ? out.data : "", buf_size(&out));
    buf_done(&out);
    return text;
}

static struct table *two_rows(const char *name, const char *calls)
{
    struct table *table = table_new();
    table_column(table, "name", TABLE_LEFT);
    table_column(table, "calls", TABLE_RIGHT);
    table_column(table, "place", TABLE_LEFT);
    table_cell(table, name, COLOUR_NONE);
    table_cell(table, calls, COLOUR_NONE);
    table_cell(table, "module", COLOUR_GOOD);
    table_cell(table, "b", COLOUR_NONE);
    table_cell_format(table, COLOUR_NONE, "%d", 7);
    table_cell(table, "remote", COLOUR_NONE);
    return table;
}

static void aligns_columns(void)
{
    CLEANUP(table_free) struct table *table = two_rows("text", "12345");
    CLEANUP(str_free) char *text = rendered(table, 0, false);
    EXPECT_STR(text, "name  calls  place\n"
                     "text  12345  module\n"
                     "b         7  remote\n");
    EXPECT_INT(table_rows(table), 2);
}

static void measures_columns_on_the_screen_not_bytes(void)
{
    CLEANUP(table_free) struct table *table = two_rows("Größe", "1");
    CLEANUP(str_free) char *text = rendered(table, 0, false);
    EXPECT(strstr(text, "Größe      1  module\n") != NULL);
    EXPECT(strstr(text, "b          7  remote\n") != NULL);
    EXPECT_INT(text_columns("日本"), 4);
    EXPECT_INT(text_columns("\xff\xfe"), 2); /* no UTF-8: a column a byte */
}

static void cuts_the_widest_column_to_fit(void)
{
    CLEANUP(table_free) struct table *table = two_rows("a_rather_long_module_name", "12345");
    CLEANUP(str_free) char *text = rendered(table, 30, false);
    EXPECT_STR(text, "name             calls  place\n"
                     "a_rather_long_…  12345  module\n"
                     "b                    7  remote\n");
}

static void keeps_columns_recognisable_on_a_narrow_screen(void)
{
    CLEANUP(table_free) struct table *table = two_rows("a_rather_long_module_name", "12345");
    CLEANUP(str_free) char *text = rendered(table, 5, false);
    EXPECT(strstr(text, "a_rathe…  12345  module\n") != NULL);
}

static void lets_no_control_character_through(void)
{
    CLEANUP(table_free) struct table *table = two_rows("a\x1b[2Jb\nc\xc2\x9b", "1");
    CLEANUP(str_free) char *text = rendered(table, 0, false);
    EXPECT(strchr(text, '\x1b') == NULL);
    EXPECT(strstr(text, "a [2Jb c") != NULL);
    EXPECT(strstr(text, "\xc2\x9b") == NULL);
}

static void paints_only_when_asked(void)
{
    CLEANUP(table_free) struct table *table = two_rows("text", "1");
    CLEANUP(str_free) char *text = rendered(table, 0, true);
    EXPECT(strstr(text, "\x1b[32mmodule\x1b[0m") != NULL);
    EXPECT(strstr(text, "\x1b[1mname\x1b[0m") != NULL);
}

static void shows_the_titles_of_an_empty_table(void)
{
    CLEANUP(table_free) struct table *table = table_new();
    CLEANUP(str_free) char *nothing = rendered(table, 0, false);
    EXPECT_STR(nothing, "");
    table_column(table, "name", TABLE_LEFT);
    CLEANUP(str_free) char *text = rendered(table, 0, false);
    EXPECT_STR(text, "name\n");
}

TEST_MAIN(aligns_columns, measures_columns_on_the_screen_not_bytes, cuts_the_widest_column_to_fit,
          keeps_columns_recognisable_on_a_narrow_screen, lets_no_control_character_through,
          paints_only_when_asked, shows_the_titles_of_an_empty_table)
