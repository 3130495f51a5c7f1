/* "Did you mean": the nearest of several words by edit distance. Pure. */
#pragma once

#include <stddef.h>

#define SUGGEST_WORD_MAX 64 /* longer words are never near */

struct suggest {
    const char *wanted; /* borrowed */
    const char *best;   /* borrowed from suggest_try's argument */
    size_t distance;
};

static inline struct suggest suggest_for(const char *wanted)
{
    return (struct suggest){.wanted = wanted};
}

void suggest_try(struct suggest *suggest, const char *word);

/* NULL when none is near enough to be what was meant: a quarter of the letters may differ. */
const char *suggest_best(const struct suggest *suggest);
