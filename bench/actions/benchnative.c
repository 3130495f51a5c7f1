/* The echo of benchwork.py as a C action. */
#include <jsorc/action.h>

static int run_echo(struct jsorc_call *call)
{
    size_t size;
    const char *text = jsorc_arg_text(call, "text", &size);
    jsorc_put_text(call, text, size);
    return JSORC_OK;
}

static const struct jsorc_action actions[] = {
    {.name = "echo", .run = run_echo, .doc = "The text.", .params = {{"text", "str", NULL, "any"}}},
    {.name = NULL},
};

JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "benchnative", .actions = actions};
