/* What the record of a live policy says of a measurement: phases, trials, and the part in which it
 * held what it had chosen. Pure. */
#pragma once

struct json_object;

struct trials {
    unsigned phases; /* that the policy was told of */
    unsigned trials; /* of them, those of placements that it had not settled on */
    /* The last part in which the policy had settled and its placement was in force, in seconds
     * since the load began; NAN = there is none. */
    double settled_from_s, settled_to_s;
};

/* lines: of jsorc_actionpolicy_record. placements: of watcher_stop. began_s: Unix time of the
 * load's begin. [from_s, to_s): the measured part of it. */
struct trials trials_of(struct json_object *lines, struct json_object *placements, double began_s,
                        double from_s, double to_s);
