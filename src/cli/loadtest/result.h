/* The result of a load test as JSON: the original's shape, and what we add to it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct cell;
struct json_object;
struct options;

/* {APP: {KEY: {"walker_level": benchmark report, "action_level": trackact's history, "clients",
 * "errors", "decisions", "summary", "repetitions", "distribution"}}, "config": {...}} of
 * cells[count], those without a repetition left out. Owned by the caller.
 *
 * "walker_level" is what the clients saw: {"walker_run": {APP: LEAF, "all": LEAF}}. */
struct json_object *result_json(const struct options *options, struct cell *cells, size_t count,
                                struct json_object *machine, bool interrupted);

/* A row a repetition, after a line of names; owned by the caller. */
char *result_csv(struct json_object *result);

/* Calls fn for each cell of a result, in its order. */
void result_each(struct json_object *result,
                 void (*fn)(void *arg, const char *app, const char *key, struct json_object *cell),
                 void *arg);
