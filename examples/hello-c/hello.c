/* A small module of actions in C. Build and serve it:
 *
 *     cc -shared -fPIC -O2 -I../../include -o hello.so hello.c -lm
 *     jsorc host ./hello.so
 *     curl -d '{"name": "Ada"}' http://127.0.0.1:8000/greet/
 */
#include <jsorc/action.h>

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char greeting[64] = "Hello";
static atomic_long greeted; /* several calls run at the same time */

/* Runs once, with what was given as ctx when the module was loaded. */
static int setup(struct jsorc_call *call)
{
    size_t size;
    const char *word = jsorc_arg_text(call, "greeting", &size);
    if (word && size >= sizeof(greeting)) {
        return jsorc_fail(call, 400, "greeting has %zu bytes, allowed are %zu", size,
                          sizeof(greeting) - 1);
    }
    if (word) {
        memcpy(greeting, word, size + 1);
    }
    return JSORC_OK;
}

/* greet(name) -> {"text": "Hello, Ada!", "number": 1} */
static int greet(struct jsorc_call *call)
{
    char text[512];
    size_t size;
    const char *name = jsorc_arg_text(call, "name", &size);
    if (size > 400) {
        return jsorc_fail(call, 400, "a name of %zu bytes is too long", size);
    }
    int length = snprintf(text, sizeof(text), "%s, %s!", greeting, name);

    jsorc_begin_object(call);
    jsorc_key(call, "text");
    jsorc_put_text(call, text, (size_t)length);
    jsorc_key(call, "number");
    jsorc_put_int(call, atomic_fetch_add(&greeted, 1) + 1);
    jsorc_end(call);
    return JSORC_OK;
}

/* echo(text) -> text */
static int echo(struct jsorc_call *call)
{
    jsorc_put_value(call, jsorc_arg(call, "text"));
    return JSORC_OK;
}

/* cosine(a, b) -> float */
static int cosine(struct jsorc_call *call)
{
    const struct jsorc_value *a = jsorc_arg(call, "a"), *b = jsorc_arg(call, "b");
    size_t count = jsorc_count(call, a);
    if (count != jsorc_count(call, b) || count == 0) {
        return jsorc_fail(call, 400, "a has %zu numbers and b %zu: they must have as many", count,
                          jsorc_count(call, b));
    }
    double *numbers = malloc(2 * count * sizeof(double));
    if (!numbers) {
        return jsorc_fail(call, 500, "no memory for %zu numbers", count);
    }
    (void)jsorc_doubles(call, a, numbers, count);
    (void)jsorc_doubles(call, b, numbers + count, count);
    double product = 0, a_square = 0, b_square = 0;
    for (size_t i = 0; i < count; i++) {
        product += numbers[i] * numbers[count + i];
        a_square += numbers[i] * numbers[i];
        b_square += numbers[count + i] * numbers[count + i];
    }
    free(numbers);
    jsorc_put_double(call, product / sqrt(a_square * b_square)); /* null for a zero vector */
    return JSORC_OK;
}

static const struct jsorc_action actions[] = {
    {
        .name = "greet",
        .run = greet,
        .doc = "Greets somebody by name.",
        .returns = "dict",
        .params = {{"name", "str", "\"world\"", "whom to greet"}},
    },
    {
        .name = "echo",
        .run = echo,
        .doc = "Gives its text back.",
        .returns = "str",
        .flags = JSORC_IDEMPOTENT,
        .params = {{"text", "str", NULL, "any text"}},
    },
    {
        .name = "cosine",
        .run = cosine,
        .doc = "Cosine of the angle between two vectors, -1 to 1.",
        .returns = "float",
        .flags = JSORC_IDEMPOTENT,
        .params = {{"a", "list[float]", NULL, "a vector"},
                   {"b", "list[float]", NULL, "another one of the same length"}},
    },
    {.name = NULL},
};

JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "hello", .setup = setup, .actions = actions};
