#include "cli/loadtest/trials.h"

#include <math.h>

#include "base/json.h"

struct reading {
    struct trials trials;
    double from_s, to_s; /* measured */
    bool settled;        /* by the last answer */
    double since_s;
};

static void end_part(struct reading *reading, double until_s)
{
    double from_s = fmax(reading->since_s, reading->from_s);
    double to_s = fmin(until_s, reading->to_s);
    if (reading->settled && from_s < to_s) {
        reading->trials.settled_from_s = from_s;
        reading->trials.settled_to_s = to_s;
    }
}

/* A line that has no "modules" was a phase, under what the answer before it asked for. */
static void read_line(struct reading *reading, struct json_object *line, double at_s)
{
    CLEANUP(json_put) struct json_object *told = NULL, *answer = NULL;
    const char *told_text = json_str(line, "told"), *answer_text = json_str(line, "answer");
    if (!told_text || !answer_text || json_parse_object(slice_str(told_text), &told, NULL) < 0 ||
        json_parse_object(slice_str(answer_text), &answer, NULL) < 0 ||
        !json_member(answer, "placement", json_type_object)) {
        return; /* the head */
    }
    if (!json_object_object_get_ex(told, "modules", NULL)) {
        reading->trials.phases++;
        reading->trials.trials += !reading->settled;
    }
    bool settled = json_flag(answer, "done", false);
    if (settled != reading->settled) {
        end_part(reading, at_s);
        reading->settled = settled;
        reading->since_s = at_s;
    }
}

struct trials trials_of(struct json_object *lines, struct json_object *placements, double began_s,
                        double from_s, double to_s)
{
    struct reading reading = {
        .trials = {.settled_from_s = NAN, .settled_to_s = NAN},
        .from_s = from_s,
        .to_s = to_s,
    };
    for (size_t i = 0; lines && i < json_object_array_length(lines); i++) {
        struct json_object *line = json_object_array_get_idx(lines, i);
        read_line(&reading, line, json_double(line, "at_ms", 0) / 1000 - began_s);
    }
    end_part(&reading, to_s);
    struct trials *trials = &reading.trials;
    for (size_t i = 0; placements && i < json_object_array_length(placements); i++) {
        double moved_s = json_double(json_object_array_get_idx(placements, i), "t", NAN);
        if (moved_s > trials->settled_from_s && moved_s < trials->settled_to_s) {
            trials->settled_from_s = moved_s; /* until then it was on its way there */
        }
    }
    return *trials;
}
