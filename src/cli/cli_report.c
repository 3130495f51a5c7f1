#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "cli/cli.h"

int cli_fail(const struct cli *cli, enum cli_exit status, const struct err *err)
{
    (void)cli;
    (void)fprintf(stderr, "jsorc: %s\n", err->text);
    return (int)status;
}

int cli_fail_text(const struct cli *cli, enum cli_exit status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP(str_free) char *text = xvasprintf(format, args);
    va_end(args);
    (void)cli;
    (void)fprintf(stderr, "jsorc: %s\n", text);
    return (int)status;
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP(str_free) char *text = xvasprintf(format, args);
    va_end(args);
    const char *space = cli->command ? " " : "";
    (void)fprintf(stderr, "jsorc%s%s: %s; see 'jsorc help%s%s'\n", space,
                  cli->command ? cli->command->words : "", text, space,
                  cli->command ? cli->command->words : "");
    return CLI_USAGE;
}
