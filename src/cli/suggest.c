#include "cli/suggest.h"

#include <string.h>

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein; '-' and '_' are equal. */
static size_t distance(const char *a, const char *b)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    size_t row[SUGGEST_WORD_MAX + 1];
    for (size_t j = 0; j <= b_length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            char x = a[i - 1] == '-' ? '_' : a[i - 1];
            char y = b[j - 1] == '-' ? '_' : b[j - 1];
            size_t replaced = diagonal + (x != y);
            diagonal = row[j];
            row[j] = least(replaced, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[b_length];
}

void suggest_try(struct suggest *suggest, const char *word)
{
    if (strlen(word) > SUGGEST_WORD_MAX || strlen(suggest->wanted) > SUGGEST_WORD_MAX) {
        return;
    }
    size_t found = distance(suggest->wanted, word);
    if (!suggest->best || found < suggest->distance) {
        suggest->best = word;
        suggest->distance = found;
    }
}

const char *suggest_best(const struct suggest *suggest)
{
    size_t length = strlen(suggest->wanted);
    size_t allowed = length < 3 ? 0 : length / 3;
    return suggest->best && suggest->distance <= allowed ? suggest->best : NULL;
}
