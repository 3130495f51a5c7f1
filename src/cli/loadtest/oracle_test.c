#include "cli/loadtest/oracle.h"

#include <math.h>

#include "base/test.h"

static void errors_come_first(void)
{
    static const struct {
        struct oracle_trial a, b;
        bool better, worse; /* a than b; b than a */
    } rows[] = {
        {{10, 0}, {20, 0}, true, false},        {{10, 0}, {10, 0}, false, false},
        {{1, 0.95}, {20, 0}, false, true},   /* fast, for it fails */
        {{10, 0.005}, {20, 0}, true, false}, /* one in 200 is no failing placement */
        {{10, 0.02}, {20, 0.009}, false, true}, {{10, 0.3}, {5, 0.4}, true, false}, /* both fail */
        {{10, 0.3}, {5, 0.3}, false, true},     {{NAN, 1}, {NAN, 1}, false, false},
        {{NAN, 1}, {900, 0.99}, false, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(oracle_is_better(&rows[i].a, &rows[i].b), rows[i].better);
        EXPECT_INT(oracle_is_better(&rows[i].b, &rows[i].a), rows[i].worse);
    }
}

static void all_that_is_not_right_is_an_error(void)
{
    uint64_t outcomes[LOAD_OUTCOMES] = {[LOAD_RIGHT] = 6, [LOAD_WRONG] = 1, [LOAD_TIMED_OUT] = 1};
    EXPECT(oracle_trial_of(5, outcomes).errors == 0.25);
    EXPECT(oracle_trial_of(5, outcomes).mean_ms == 5);
    uint64_t nothing[LOAD_OUTCOMES] = {0};
    EXPECT(oracle_trial_of(NAN, nothing).errors == 1);
}

TEST_MAIN(errors_come_first, all_that_is_not_right_is_an_error)
