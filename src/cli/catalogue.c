#include "cli/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/op_command.h"

struct catalogue {
    const struct command **items; /* [0, count) shown, [count, count_all) hidden or shadowed */
    size_t count;
    size_t count_all;
    struct command **made; /* those made from operations; owned */
    size_t made_count;
};

static int compare_words(const void *a, const void *b)
{
    const struct command *const *left = a;
    const struct command *const *right = b;
    return strcmp((*left)->words, (*right)->words);
}

static bool is_shadowed(const struct command *command)
{
    for (size_t i = 0; command->op && COMMAND_TABLE[i]; i++) {
        if (strcmp(COMMAND_TABLE[i]->words, command->words) == 0) {
            return true;
        }
    }
    return false;
}

struct catalogue *catalogue_new(void)
{
    struct catalogue *catalogue = xcalloc(1, sizeof(*catalogue));
    size_t own = 0;
    size_t ops = 0;
    while (COMMAND_TABLE[own]) {
        own++;
    }
    while (OP_TABLE[ops]) {
        ops++;
    }
    catalogue->items = xcalloc(own + ops, sizeof(struct command *));
    catalogue->made = xcalloc(ops, sizeof(struct command *));
    for (size_t i = 0; i < ops; i++) {
        catalogue->made[catalogue->made_count++] = op_command_new(OP_TABLE[i]);
    }
    for (int shown = 1; shown >= 0; shown--) {
        for (size_t i = 0; i < own + ops; i++) {
            const struct command *command = i < own ? COMMAND_TABLE[i] : catalogue->made[i - own];
            bool is_shown = !command->hidden && !is_shadowed(command);
            if (is_shown == shown) {
                catalogue->items[catalogue->count_all++] = command;
            }
        }
        catalogue->count = shown ? catalogue->count_all : catalogue->count;
    }
    qsort(catalogue->items, catalogue->count, sizeof(struct command *), compare_words);
    return catalogue;
}

struct catalogue *catalogue_free(struct catalogue *catalogue)
{
    for (size_t i = 0; catalogue && i < catalogue->made_count; i++) {
        (void)op_command_free(catalogue->made[i]);
    }
    if (catalogue) {
        free(catalogue->made);
        free(catalogue->items);
    }
    free(catalogue);
    return NULL;
}

size_t catalogue_count(const struct catalogue *catalogue)
{
    return catalogue->count;
}

const struct command *catalogue_at(const struct catalogue *catalogue, size_t index)
{
    return catalogue->items[index];
}

/* How many of words[count] the whole of name takes, or 0. Both separate by ' ', '_', '-' or a new
 * word, but a word is never taken in part. */
static int words_taken(const char *name, int count, char *const *words)
{
    int taken = 0;
    while (*name) {
        if (taken == count || words[taken][0] == '\0') {
            return 0;
        }
        for (const char *at = words[taken]; *at; at++, name++) {
            char wanted = *name == ' ' || *name == '-' ? '_' : *name;
            if ((*at == '-' ? '_' : *at) != wanted) {
                return 0;
            }
        }
        if (*name == ' ' || *name == '_' || *name == '-') {
            name++;
        } else if (*name) {
            return 0;
        }
        taken++;
    }
    return taken;
}

/* A rank among equally long names; higher wins. */
static int rank_of(const struct command *command, bool starts_with_jsorc)
{
    bool ours = !command->op;
    bool jsorc = command->op && strncmp(command->op->name, "jsorc_", 6) == 0;
    return jsorc && starts_with_jsorc ? 3 : ours ? 2 : jsorc ? 1 : 0;
}

const struct command *catalogue_match(const struct catalogue *catalogue, int count,
                                      char *const *words, int *ret_used)
{
    const struct command *best = NULL;
    int best_taken = 0;
    size_t best_letters = 0;
    int best_rank = -1;
    bool jsorc = count > 0 && strncmp(words[0], "jsorc", 5) == 0;
    for (size_t i = 0; i < catalogue->count_all; i++) {
        const struct command *command = catalogue->items[i];
        int taken = words_taken(command->words, count, words);
        if (taken == 0 && command->op) { /* with the first word of "jsorc_..." */
            taken = words_taken(command->op->name, count, words);
        }
        /* Letters, not words: "actions_load_local" is one word and longer than "actions load". */
        size_t letters = strlen(command->words);
        int rank = rank_of(command, jsorc);
        bool better = letters > best_letters || (letters == best_letters && rank > best_rank);
        if (taken > 0 && (!best || better)) {
            best = command;
            best_taken = taken;
            best_letters = letters;
            best_rank = rank;
        }
    }
    if (best) {
        *ret_used = best_taken;
    }
    return best;
}

bool command_begins_with(const struct command *command, int count, char *const *words)
{
    char scratch[COMMAND_WORDS_MAX];
    char *own[CATALOGUE_WORDS_MAX];
    int own_count = command_split(command, scratch, own);
    if (own_count <= count) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(own[i], words[i]) != 0) {
            return false;
        }
    }
    return true;
}

int command_split(const struct command *command, char scratch[COMMAND_WORDS_MAX],
                  char *ret_words[CATALOGUE_WORDS_MAX])
{
    size_t length = strnlen(command->words, COMMAND_WORDS_MAX - 1);
    memcpy(scratch, command->words, length);
    scratch[length] = '\0';
    int count = 0;
    char *rest = scratch;
    char *word = NULL;
    while (count < CATALOGUE_WORDS_MAX && (word = strsep(&rest, " "))) {
        ret_words[count++] = word;
    }
    return count;
}
