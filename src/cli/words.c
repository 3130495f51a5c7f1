#include "cli/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"

void words_done(struct words *words)
{
    for (int i = 0; i < words->count; i++) {
        free(words->items[i]);
    }
    free(words->items);
    *words = (struct words){0};
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Appends one word's text; returns what follows it, or NULL when a quote is not closed. */
static const char *read_word(const char *at, struct buf *word)
{
    char quote = 0;
    for (; *at && (quote || !is_blank(*at)); at++) {
        if (quote == 0 && (*at == '\'' || *at == '"')) {
            quote = *at;
        } else if (*at == quote) {
            quote = 0;
        } else if (*at == '\\' && quote != '\'' && at[1] && (quote == 0 || strchr("\"\\", at[1]))) {
            buf_printf(word, "%c", *++at);
        } else {
            buf_printf(word, "%c", *at);
        }
    }
    return quote ? NULL : at;
}

static int add_word(struct words *words, struct buf *word, struct err *err)
{
    if (words->count == WORDS_MAX) {
        return err_set(err, E2BIG, "a line of more than %d words", WORDS_MAX);
    }
    words->items[words->count++] =
        xstrndup(word->data ? word->data + word->start : "", buf_size(word));
    buf_consume(word, buf_size(word));
    return 0;
}

int words_split(const char *line, struct words *ret_words, struct err *err)
{
    struct words words = {.items = xcalloc(WORDS_MAX + 1, sizeof(char *))};
    struct buf word = {0};
    int failed = 0;
    while (!failed) {
        while (is_blank(*line)) {
            line++;
        }
        if (*line == '\0' || *line == '#') {
            break;
        }
        const char *rest = read_word(line, &word);
        if (!rest) {
            failed = err_set(err, EINVAL, "a quote is opened and not closed");
            break;
        }
        failed = add_word(&words, &word, err);
        line = rest;
    }
    buf_done(&word);
    if (failed) {
        words_done(&words);
        return failed;
    }
    *ret_words = words;
    return 0;
}
