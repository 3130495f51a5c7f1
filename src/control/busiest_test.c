#include "control/busiest.h"

#include "base/test.h"

static void has_the_most_calls(void)
{
    static const struct {
        double calls[5];
        size_t most;
        bool chosen[5];
    } rows[] = {
        {{1, 2, 3, 4, 5}, 2, {0, 0, 0, 1, 1}}, {{5, 1, 5, 1, 5}, 3, {1, 0, 1, 0, 1}},
        {{1, 1, 1, 1, 1}, 2, {1, 1, 0, 0, 0}}, /* of equal ones the first */
        {{1, 2, 3, 4, 5}, 9, {1, 1, 1, 1, 1}}, {{1, 2, 3, 4, 5}, 0, {0, 0, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool chosen[5];
        busiest(rows[i].calls, 5, rows[i].most, chosen);
        for (size_t k = 0; k < 5; k++) {
            EXPECT_INT(chosen[k], rows[i].chosen[k]);
        }
    }
    busiest(NULL, 0, 3, NULL);
}

TEST_MAIN(has_the_most_calls)
