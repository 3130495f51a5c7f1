/* Asks the person at the terminal. */
#pragma once

#include <stdbool.h>

struct err;

#define PROMPT_LINE_MAX 4096

/* Standard input is a terminal. */
bool prompt_possible(void);

/* A line from standard input, with the question on standard error when that is a terminal; owned
 * by the caller. -ENODATA: the input ended; -EINTR: Ctrl-C. */
int prompt_line(const char *question, char **ret_line, struct err *err);

/* As prompt_line, and what is typed is not shown. Free it with prompt_wipe. */
int prompt_secret(const char *question, char **ret_line, struct err *err);

/* Overwrites and frees; takes NULL. */
void prompt_wipe(char *secret);
