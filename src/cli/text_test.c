#include "cli/text.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/suggest.h"
#include "base/test.h"

static void expect_wrapped(const char *text, int indent, int width, const char *wanted)
{
    struct buf out = {0};
    text_wrap(&out, text, indent, width, false);
    CLEANUP(str_free) char *copy = xstrndup(out.data, buf_size(&out));
    EXPECT_STR(copy, wanted);
    buf_done(&out);
}

static void breaks_lines_between_words(void)
{
    expect_wrapped("one two three four", 0, 9, "one two\nthree\nfour\n");
    expect_wrapped("one two", 2, 9, "  one two\n");
    expect_wrapped("averyveryverylongword x", 0, 5, "averyveryverylongword\nx\n");
}

static void keeps_paragraphs_and_indented_lines(void)
{
    expect_wrapped("one\ntwo\n\nthree", 0, 20, "one two\n\nthree\n");
    expect_wrapped("see:\n  jsorc   serve\nand on", 2, 30, "  see:\n    jsorc   serve\n  and on\n");
}

static const struct param ROWS[] = {
    {.name = "name", .kind = PARAM_ARGUMENT, .required = true, .help = "Which."},
    {.name = "extra", .kind = PARAM_REST, .help = "more"},
    {.name = "mode", .required = true, .choices = "module remote", .help = "where"},
    {.name = "limit", .letter = 'n', .fallback = "50", .help = "how many"},
    {.name = "quiet", .kind = PARAM_FLAG, .help = "say less"},
    {.name = NULL},
};

static void writes_the_synopsis_from_the_rows(void)
{
    struct command command = {.words = "x", .params = ROWS};
    CLEANUP(str_free) char *own = text_synopsis(&command);
    EXPECT_STR(own, "NAME [EXTRA]... --mode MODE [OPTION]...");
    static const struct op op = {.name = "x"};
    command.op = &op;
    CLEANUP(str_free) char *operation = text_synopsis(&command);
    EXPECT_STR(operation, "NAME [EXTRA]... -mode MODE [OPTION]...");
    command.params = NULL;
    CLEANUP(str_free) char *nothing = text_synopsis(&command);
    EXPECT_STR(nothing, "");
}

static void adds_choices_and_defaults_to_the_help(void)
{
    CLEANUP(str_free) char *plain = text_of_help(&ROWS[0]);
    CLEANUP(str_free) char *choice = text_of_help(&ROWS[2]);
    CLEANUP(str_free) char *fallback = text_of_help(&ROWS[3]);
    CLEANUP(str_free) char *letter = text_of_param(NULL, &ROWS[3]);
    EXPECT_STR(plain, "Which");
    EXPECT_STR(choice, "where (one of module remote)");
    EXPECT_STR(fallback, "how many (default 50)");
    EXPECT_STR(letter, "-n, --limit LIMIT");
}

static void suggests_only_what_is_near(void)
{
    static const struct {
        const char *wanted;
        const char *best; /* NULL = none */
    } rows[] = {{"sattus", "status"}, {"stats", "status"}, {"lgs", "logs"},
                {"logz", "logs"},     {"xyz", NULL},       {"st", NULL},
                {"status", "status"}, {"solg", NULL},      {"lgos", "logs"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct suggest nearest = suggest_for(rows[i].wanted);
        suggest_try(&nearest, "status");
        suggest_try(&nearest, "logs");
        suggest_try(&nearest, "a word that is longer than any command has letters");
        const char *best = suggest_best(&nearest);
        EXPECT(best == rows[i].best || (best && rows[i].best && strcmp(best, rows[i].best) == 0));
    }
}

TEST_MAIN(breaks_lines_between_words, keeps_paragraphs_and_indented_lines,
          writes_the_synopsis_from_the_rows, adds_choices_and_defaults_to_the_help,
          suggests_only_what_is_near)
