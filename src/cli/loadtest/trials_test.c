#include "cli/loadtest/trials.h"

#include <math.h>

#include "base/json.h"
#include "base/test.h"

#define HEAD "{\"at_ms\": 100000, \"told\": \"{\\\"policy\\\": \\\"x\\\"}\", \"answer\": \"\"}"
#define LINE(at_ms, told, done)                                                                    \
    "{\"at_ms\": " #at_ms ", \"told\": \"{" told "}\", \"answer\": "                               \
    "\"{\\\"placement\\\": {\\\"a\\\": \\\"module\\\"}, \\\"done\\\": " done "}\"}"
#define PROBLEM(at_ms, done) LINE(at_ms, "\\\"modules\\\": []", done)
#define PHASE(at_ms, done)   LINE(at_ms, "\\\"throughput\\\": 1", done)

static struct json_object *parsed(const char *text)
{
    struct json_object *value = NULL;
    EXPECT_INT(json_parse(slice_str(text), &value, NULL), 0);
    return value;
}

/* The load begins at Unix time 100 s and is measured from its 2nd to its 60th second. */
static void counts_trials_and_finds_the_settled_part(void)
{
    static const struct {
        const char *name, *lines, *placements;
        unsigned phases, trials;
        double from_s, to_s; /* 0 = none */
    } rows[] = {
        {"settles",
         HEAD "," PROBLEM(101000, "false") "," PHASE(111000, "false") "," PHASE(121000, "true"),
         "[]", 2, 2, 21, 60},
        {"goes on being told",
         HEAD "," PROBLEM(101000, "false") "," PHASE(111000, "true") "," PHASE(121000, "true"),
         "[]", 2, 1, 11, 60},
        {"its placement comes later", HEAD "," PROBLEM(101000, "false") "," PHASE(111000, "true"),
         "[{\"t\": 0.1}, {\"t\": 5}, {\"t\": 12.5}]", 1, 1, 12.5, 60},
        {"tries anew at the end",
         HEAD "," PROBLEM(101000, "false") "," PHASE(111000, "true") "," PHASE(151000, "false"),
         "[{\"t\": 52}]", 2, 1, 11, 51},
        {"never settles", HEAD "," PROBLEM(101000, "false") "," PHASE(111000, "false"), "[]", 1, 1,
         0, 0},
        {"settled in the warm-up", HEAD "," PROBLEM(100500, "true"), "[]", 0, 0, 2, 60},
        {"settles when all is over", HEAD "," PROBLEM(101000, "false") "," PHASE(161000, "true"),
         "[]", 1, 1, 0, 0},
        {"was never asked", HEAD, "[]", 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[4096];
        (void)snprintf(text, sizeof(text), "[%s]", rows[i].lines);
        CLEANUP(json_put) struct json_object *lines = parsed(text);
        CLEANUP(json_put) struct json_object *placements = parsed(rows[i].placements);
        struct trials trials = trials_of(lines, placements, 100, 2, 60);
        printf("# %s\n", rows[i].name);
        EXPECT_INT(trials.phases, rows[i].phases);
        EXPECT_INT(trials.trials, rows[i].trials);
        if (rows[i].to_s > 0) {
            EXPECT(fabs(trials.settled_from_s - rows[i].from_s) < 1e-6);
            EXPECT(fabs(trials.settled_to_s - rows[i].to_s) < 1e-6);
        } else {
            EXPECT(isnan(trials.settled_from_s) && isnan(trials.settled_to_s));
        }
    }
}

TEST_MAIN(counts_trials_and_finds_the_settled_part)
