#include "policy/evict.h"

#include "base/test.h"

#define MB (1024.0 * 1024.0)

static void leaves_what_can_be_left(void)
{
    static const struct {
        double mem_mb[4], loss_s[4], budget_mb;
        placement_t fixed, left; /* of 4 modules that are all in the runtime worker */
    } rows[] = {
        {{200, 200, 200, 200}, {1, 2, 3, 4}, 800, 0, 15}, /* all fit */
        {{200, 200, 200, 200}, {1, 2, 3, 4}, 700, 0, 14},
        {{200, 200, 200, 200}, {4, 3, 2, 1}, 400, 0, 3},
        {{200, 200, 200, 200}, {-1, 2, 3, 4}, 700, 0, 14}, /* better off in a pod */
        {{600, 50, 50, 50}, {1, 1, 1, 1}, 749, 0, 13},     /* the small one is enough */
        {{600, 50, 50, 50}, {1, 1, 1, 1}, 600, 0, 14},     /* or one large for three small */
        {{600, 50, 50, 50}, {9, 1, 1, 1}, 600, 0, 1},
        {{600, 50, 50, 50}, {9, 0, 0, 0}, 700, 0, 13}, /* of those that cost nothing, one */
        {{100, 300, 40, 0}, {1, 9, 0, 0}, 400, 0, 11}, /* never called: first */
        {{200, 200, 200, 200}, {1, 2, 3, 4}, 0, 0, 0},
        {{200, 200, 200, 0}, {1, 2, 3, 4}, 0, 0, 8}, /* takes nothing: stays */
        {{200, 200, 200, 200}, {1, 2, 3, 4}, 500, 1, 9},
        {{200, 200, 200, 200}, {1, 2, 3, 4}, 100, 3, 3}, /* no way to fit */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct policy_module modules[4] = {{.name = NULL}};
        double loss_s[POLICY_MODULES_MAX] = {0};
        struct policy_problem problem = {
            .modules = modules, .module_count = 4, .budget_bytes = rows[i].budget_mb * MB};
        for (size_t m = 0; m < 4; m++) {
            modules[m].mem_bytes = rows[i].mem_mb[m] * MB;
            modules[m].now = PLACE_MODULE;
            modules[m].fixed = placement_local(rows[i].fixed, m);
            loss_s[m] = rows[i].loss_s[m];
        }
        EXPECT_INT(evict(&problem, 15, loss_s), rows[i].left);
    }
}

static void the_whole_of_the_largest_problem(void)
{
    struct policy_module modules[POLICY_MODULES_MAX] = {{.name = NULL}};
    double loss_s[POLICY_MODULES_MAX];
    struct policy_problem problem = {
        .modules = modules, .module_count = POLICY_MODULES_MAX, .budget_bytes = 16 * MB};
    for (size_t m = 0; m < POLICY_MODULES_MAX; m++) {
        modules[m].mem_bytes = MB;
        loss_s[m] = (double)m;
    }
    EXPECT(evict(&problem, UINT64_MAX, loss_s) == UINT64_MAX << 48); /* the 16 dearest */
}

TEST_MAIN(leaves_what_can_be_left, the_whole_of_the_largest_problem)
