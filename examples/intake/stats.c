/* Counts what is in a text: an action module in C. Build it beside the Python ones:
 *     cc -shared -fPIC -O2 -I ../../include -o stats.so stats.c */
#include <jsorc/action.h>

/* Silent reading of English, mean of 190 studies: Brysbaert 2019, J. Mem. Lang. 109. */
#define WORDS_PER_MINUTE 238.0

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* A UTF-8 character is counted at its first byte. */
static bool is_start(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static int run_count(struct jsorc_call *call)
{
    size_t size;
    const char *text = jsorc_arg_text(call, "text", &size);
    int64_t characters = 0, words = 0, lines = 0, word_length = 0, word_longest = 0;

    for (size_t i = 0; i < size; i++) {
        characters += is_start(text[i]);
        lines += text[i] == '\n' || i + 1 == size;
        if (is_space(text[i])) {
            word_length = 0;
            continue;
        }
        word_length += is_start(text[i]);
        words += i == 0 || is_space(text[i - 1]);
        word_longest = word_length > word_longest ? word_length : word_longest;
    }

    jsorc_begin_object(call);
    jsorc_key(call, "characters");
    jsorc_put_int(call, characters);
    jsorc_key(call, "words");
    jsorc_put_int(call, words);
    jsorc_key(call, "lines");
    jsorc_put_int(call, lines);
    jsorc_key(call, "word_longest");
    jsorc_put_int(call, word_longest);
    jsorc_key(call, "reading_s");
    jsorc_put_double(call, (double)words * 60.0 / WORDS_PER_MINUTE);
    jsorc_end(call);
    return JSORC_OK;
}

static const struct jsorc_action actions[] = {
    {
        .name = "count",
        .run = run_count,
        .doc = "characters (Unicode), words (between white space), lines, word_longest\n"
               "(characters), reading_s (seconds of silent reading).",
        .returns = "dict",
        .flags = JSORC_IDEMPOTENT,
        .params = {{.name = "text", .type = "str", .doc = "any text"}},
    },
    {.name = NULL},
};

JSORC_MODULE = {JSORC_MODULE_HEAD, .doc = "Counts what is in a text.", .actions = actions};
