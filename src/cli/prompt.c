#include "cli/prompt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"

#define INTERRUPT 3 /* Ctrl-C as a byte, while the terminal makes no signal of it */

bool prompt_possible(void)
{
    return isatty(STDIN_FILENO) != 0;
}

/* Byte by byte: what follows the line stays in the pipe for others. */
static int read_line(char *line, size_t size, struct err *err)
{
    size_t used = 0;
    for (;;) {
        char byte = 0;
        ssize_t count = read(STDIN_FILENO, &byte, 1);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return err_errno(err, errno, "cannot read standard input");
        }
        if (count == 0 && used == 0) {
            return err_set(err, ENODATA, "standard input ended where a line was expected");
        }
        if (byte == INTERRUPT) {
            return err_set(err, EINTR, "interrupted");
        }
        if (count == 0 || byte == '\n') {
            break;
        }
        if (used + 1 == size) {
            return err_set(err, E2BIG, "a line of more than %zu bytes", size - 1);
        }
        line[used++] = byte;
    }
    while (used > 0 && line[used - 1] == '\r') {
        used--;
    }
    line[used] = '\0';
    return 0;
}

int prompt_line(const char *question, char **ret_line, struct err *err)
{
    char line[PROMPT_LINE_MAX];
    if (prompt_possible()) {
        (void)fprintf(stderr, "%s", question);
    }
    int failed = read_line(line, sizeof(line), err);
    if (!failed) {
        *ret_line = xstrdup(line);
    }
    explicit_bzero(line, sizeof(line));
    return failed;
}

int prompt_secret(const char *question, char **ret_line, struct err *err)
{
    struct termios before;
    bool hidden = prompt_possible() && tcgetattr(STDIN_FILENO, &before) == 0;
    if (hidden) {
        struct termios quiet = before;
        /* No signal either: one would leave the terminal mute. */
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
        hidden = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
    }
    int failed = prompt_line(question, ret_line, err);
    if (hidden) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        (void)fputc('\n', stderr);
    }
    return failed;
}

void prompt_wipe(char *secret)
{
    if (secret) {
        explicit_bzero(secret, strlen(secret));
    }
    free(secret);
}
