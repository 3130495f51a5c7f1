#include "base/suggest.h"

#include <stdbool.h>
#include <string.h>

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

static char letter(const char *word, size_t index)
{
    return word[index] == '-' ? '_' : word[index];
}

/* Changed, missing, spare and swapped letters; '-' and '_' are equal. */
static size_t distance(const char *a, const char *b)
{
    size_t table[SUGGEST_WORD_MAX + 1][SUGGEST_WORD_MAX + 1];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    for (size_t j = 0; j <= b_length; j++) {
        table[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        table[i][0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            char x = letter(a, i - 1);
            char y = letter(b, j - 1);
            table[i][j] =
                least(table[i - 1][j - 1] + (x != y), table[i - 1][j] + 1, table[i][j - 1] + 1);
            bool swapped = i > 1 && j > 1 && x == letter(b, j - 2) && y == letter(a, i - 2);
            if (swapped && table[i - 2][j - 2] + 1 < table[i][j]) {
                table[i][j] = table[i - 2][j - 2] + 1;
            }
        }
    }
    return table[a_length][b_length];
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
    size_t allowed = length < 3 ? 0 : (length + 1) / 4;
    return suggest->best && suggest->distance <= allowed ? suggest->best : NULL;
}
