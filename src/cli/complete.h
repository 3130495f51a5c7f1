/* What may stand where a command line is being written: for the shells' completion and for our own
 * shell. */
#pragma once

struct buf;
struct cli;

/* words[count], count >= 1: the line after the program's name, the last word as far as it is
 * written. Appends a line "CANDIDATE\tEXPLANATION" for each, and a last line ":", ":file" or
 * ":folder" for what the shell should add. Asks the daemon for names, briefly. */
void complete_line(struct cli *cli, int count, char **words, struct buf *out);
