/* Policies against each other in simulated systems, for `jsorc sim`: plays them, keeps the score,
 * shows the table. */
#pragma once

#include <stddef.h>

#include "policy/sim_play.h"

struct cli;
struct err;
struct json_object;
struct score;

/* What stands first is what parameters are for. */
#define TOURNAMENT_PLAYER "adaptive"

struct tournament {
    struct cli *cli;
    const struct sim_scenario *scenario;
    struct json_object *params; /* of TOURNAMENT_PLAYER; borrowed, may be NULL */
    size_t count;               /* instances played */
    struct score *scores;       /* owned; one a player */
    struct json_object *games;  /* owned */
};

/* most: instances that will be played. */
void tournament_init(struct tournament *tournament, struct cli *cli,
                     const struct sim_scenario *scenario, size_t most);
void tournament_done(struct tournament *tournament);

/* Lets each player settle in the instance. As sim_play. */
int tournament_play(struct tournament *tournament, const struct sim_instance *instance,
                    struct err *err);

/* Shows the table, or the figures of all games; an enum cli_exit. */
int tournament_report(struct tournament *tournament);
