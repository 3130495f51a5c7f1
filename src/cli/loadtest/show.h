/* The result of a load test as a table, a row a cell; into a pipe as JSON, as any command. */
#pragma once

struct cli;
struct json_object;

/* An enum cli_exit. */
int show_result(struct cli *cli, struct json_object *result);
