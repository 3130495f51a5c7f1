#include "cli/words.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/test.h"

/* The words between bars: "|a|b c|", or "error: TEXT". */
static const char *split(const char *line)
{
    static char result[256];
    struct words words = {0};
    struct err err = {0};
    size_t used = (size_t)snprintf(result, sizeof(result), "|");
    if (words_split(line, &words, &err) < 0) {
        (void)snprintf(result, sizeof(result), "error: %.200s", err.text);
        return result;
    }
    for (int i = 0; i < words.count; i++) {
        used += (size_t)snprintf(result + used, sizeof(result) - used, "%s|", words.items[i]);
    }
    words_done(&words);
    return result;
}

static void separates_at_blanks(void)
{
    EXPECT_STR(split("actions load  use_enc\t-mode module\r\n"),
               "|actions|load|use_enc|-mode|module|");
    EXPECT_STR(split(""), "|");
    EXPECT_STR(split("  \n"), "|");
}

static void keeps_quoted_text_together(void)
{
    EXPECT_STR(split("-ctx '{\"a\": \"b c\"}'"), "|-ctx|{\"a\": \"b c\"}|");
    EXPECT_STR(split("\"a b\"'c d'e"), "|a bc de|");
    EXPECT_STR(split("''"), "||");
    EXPECT_STR(split("\"say \\\"hi\\\" \\n\""), "|say \"hi\" \\n|");
    EXPECT_STR(split("a\\ b 'c\\'"), "|a b|c\\|");
}

static void leaves_comments_out(void)
{
    EXPECT_STR(split("# all of it"), "|");
    EXPECT_STR(split("status # now"), "|status|");
    EXPECT_STR(split("call a#b '#c'"), "|call|a#b|#c|");
}

static void refuses_an_open_quote(void)
{
    struct words words = {0};
    EXPECT_STR(split("call 'a"), "error: a quote is opened and not closed");
    EXPECT_INT(words_split("\"", &words, NULL), -EINVAL);
}

static void refuses_more_words_than_the_limit(void)
{
    static char line[2 * WORDS_MAX + 3];
    struct words words = {0};
    for (int i = 0; i <= WORDS_MAX; i++) {
        memcpy(line + 2 * i, "a ", 2);
    }
    EXPECT_INT(words_split(line, &words, NULL), -E2BIG);
    line[2 * WORDS_MAX] = '\0';
    EXPECT_INT(words_split(line, &words, NULL), 0);
    EXPECT_INT(words.count, WORDS_MAX);
    words_done(&words);
}

TEST_MAIN(separates_at_blanks, keeps_quoted_text_together, leaves_comments_out,
          refuses_an_open_quote, refuses_more_words_than_the_limit)
