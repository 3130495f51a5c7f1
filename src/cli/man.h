/* Man pages, made from the rows of the commands. */
#pragma once

struct buf;
struct catalogue;
struct command;

/* Appends jsorc(1). */
void man_main(const struct catalogue *catalogue, struct buf *out);

/* Appends jsorc-WORDS(1) for a command. */
void man_command(const struct command *command, struct buf *out);

/* "jsorc-bench-overhead"; owned by the caller. */
char *man_name(const struct command *command);
