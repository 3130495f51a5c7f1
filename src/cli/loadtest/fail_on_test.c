#include "cli/loadtest/fail_on.h"

#include <errno.h>
#include <math.h>

#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

static void reads_metric_comparison_value_and_unit(void)
{
    static const struct {
        const char *text, *metric;
        char compare;
        bool or_equal;
        double limit;
    } rows[] = {
        {"p99>20ms", "p99_ms", '>', false, 20},
        {"p99.9 >= 1.5 s", "p999_ms", '>', true, 1500},
        {"mean>500us", "mean_ms", '>', false, 0.5},
        {"throughput<10/s", "throughput", '<', false, 10},
        {"errors>0", "errors_percent", '>', false, 0},
        {"speedup<=1x", "speed_up", '<', true, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fail_on found = {0};
        EXPECT_INT(fail_on_parse(rows[i].text, &found, NULL), 0);
        EXPECT_STR(found.metric, rows[i].metric);
        EXPECT(found.compare == rows[i].compare && found.or_equal == rows[i].or_equal);
        EXPECT(fabs(found.limit - rows[i].limit) < 1e-9);
    }
}

static void refuses_what_is_no_condition(void)
{
    static const char *const texts[] = {
        "",           "p98>1ms", "p99",       "p99=3ms",        "p99>",   "p99>ms", "p99>1kg",
        "errors>1ms", "p99>nan", "p99>1ms x", "throughput<1ms", "p99>20", "mean>0 "};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct fail_on found = {0};
        struct err err = {0};
        EXPECT_INT(fail_on_parse(texts[i], &found, &err), -EINVAL);
        EXPECT(err.text[0] != '\0');
    }
}

static bool met(const char *condition, const char *summary)
{
    struct fail_on parsed = {0};
    CLEANUP(json_put) struct json_object *object = NULL;
    EXPECT_INT(json_parse_object(slice_str(summary), &object, NULL), 0);
    EXPECT_INT(fail_on_parse(condition, &parsed, NULL), 0);
    return fail_on_met(&parsed, object);
}

static void compares_with_the_summary(void)
{
    EXPECT(met("p99>20ms", "{\"p99_ms\": 20.1}"));
    EXPECT(!met("p99>20ms", "{\"p99_ms\": 20}"));
    EXPECT(met("p99>=20ms", "{\"p99_ms\": 20}"));
    EXPECT(met("throughput<5", "{\"throughput\": 4.9}"));
    EXPECT(!met("speedup<1", "{\"speed_up\": null}")); /* all_remote has none */
}

static void a_speed_up_must_be_sure_to_count(void)
{
    static const char sure[] =
        "{\"speed_up\": 0.9, \"over_all_remote\": {\"mean\": {\"value\": 0.9, "
        "\"low\": 0.85, \"high\": 0.95}}}";
    static const char unsure[] = "{\"speed_up\": 0.99, \"over_all_remote\": {\"mean\": {\"value\": "
                                 "0.99, \"low\": 0.9, \"high\": 1.1}}}";
    static const char once[] =
        "{\"speed_up\": 0.9, \"over_all_remote\": {\"mean\": {\"value\": 0.9, "
        "\"low\": null, \"high\": null}}}";
    EXPECT(met("speedup<1", sure));
    EXPECT(!met("speedup<1", unsure));
    EXPECT(!met("speedup>0.95", unsure));
    EXPECT(met("speedup>0.8", unsure));
    EXPECT(met("speedup<1", once)); /* one repetition: there is nothing better to go by */
}

TEST_MAIN(reads_metric_comparison_value_and_unit, refuses_what_is_no_condition,
          compares_with_the_summary, a_speed_up_must_be_sure_to_count)
