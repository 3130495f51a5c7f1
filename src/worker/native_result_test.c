#include <math.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/test.h"
#include "worker/native_priv.h"

#define SIZE_MAX_OF_TEST 4096

static struct native_result fresh(void)
{
    return (struct native_result){.size_max = SIZE_MAX_OF_TEST};
}

static void expect_text(struct native_result *result, const char *wanted)
{
    EXPECT(native_result_finish(result) == NULL);
    struct slice text = buf_slice(&result->text);
    CLEANUP(str_free) char *copy = xstrndup(text.data, text.size);
    EXPECT_STR(copy, wanted);
    native_result_done(result);
}

static void expect_mistake(struct native_result *result, const char *wanted)
{
    const char *mistake = native_result_finish(result);
    EXPECT(mistake && strstr(mistake, wanted));
    if (mistake && !strstr(mistake, wanted)) {
        EXPECT_STR(mistake, wanted);
    }
    native_result_done(result);
}

static void nothing_is_null(void)
{
    struct native_result result = fresh();
    expect_text(&result, "null");
}

static void writes_nested_values(void)
{
    struct native_result result = fresh();
    native_result_begin(&result, true);
    native_result_key(&result, SLICE("a"));
    native_result_begin(&result, false);
    native_result_int(&result, INT64_MIN);
    native_result_bool(&result, true);
    native_result_null(&result);
    native_result_begin(&result, true);
    native_result_end(&result);
    native_result_end(&result);
    native_result_key(&result, SLICE("b\"\\"));
    native_result_text(&result, SLICE("\x01\n\t\r\"\\ \xc3\xa4 \xf0\x9f\x99\x82"));
    native_result_key(&result, SLICE("c"));
    native_result_bytes(&result, "\x00\xff\x10", 3);
    native_result_key(&result, SLICE("d"));
    native_result_json(&result, SLICE("[1, {\"x\": null}]"));
    native_result_key(&result, SLICE("e"));
    native_result_text(&result, (struct slice){0});
    native_result_end(&result);
    expect_text(&result, "{\"a\":[-9223372036854775808,true,null,{}],"
                         "\"b\\\"\\\\\":\"\\u0001\\n\\t\\r\\\"\\\\ \xc3\xa4 \xf0\x9f\x99\x82\","
                         "\"c\":\"AP8Q\",\"d\":[1, {\"x\": null}],\"e\":null}");
}

static void numbers_read_back_as_the_same(void)
{
    static const struct {
        double number;
        const char *wanted;
    } rows[] = {
        {0.1, "0.1"},
        {1, "1.0"},
        {-0.0, "-0.0"},
        {1e300, "1e+300"},
        {1.5e-7, "1.5e-07"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {NAN, "null"},
        {INFINITY, "null"},
        {123456789012345680.0, "1.2345678901234568e+17"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct native_result result = fresh();
        native_result_double(&result, rows[i].number);
        expect_text(&result, rows[i].wanted);
    }
    struct native_result result = fresh();
    native_result_floats(&result, (const float[]){0.1F, 1, 16777216.0F, 3.4028235e38F}, 4);
    expect_text(&result, "[0.1,1.0,16777216.0,3.4028235e+38]");
    result = fresh();
    native_result_doubles(&result, (const double[]){0.1, -2}, 2);
    expect_text(&result, "[0.1,-2.0]");
    result = fresh();
    native_result_doubles(&result, NULL, 0);
    expect_text(&result, "[]");
}

static void tells_the_first_mistake(void)
{
    struct native_result result = fresh();
    native_result_int(&result, 1);
    native_result_int(&result, 2);
    native_result_end(&result);
    expect_mistake(&result, "second value");

    result = fresh();
    native_result_begin(&result, true);
    native_result_int(&result, 1);
    expect_mistake(&result, "without a key");

    result = fresh();
    native_result_begin(&result, false);
    native_result_key(&result, SLICE("a"));
    expect_mistake(&result, "key where none can stand");

    result = fresh();
    native_result_begin(&result, true);
    native_result_key(&result, SLICE("a"));
    native_result_end(&result);
    expect_mistake(&result, "key without a value");

    result = fresh();
    native_result_end(&result);
    expect_mistake(&result, "not begun");

    result = fresh();
    native_result_begin(&result, false);
    expect_mistake(&result, "did not end");

    result = fresh();
    native_result_text(&result, SLICE("\xff"));
    expect_mistake(&result, "no UTF-8");

    result = fresh();
    native_result_json(&result, SLICE("{\"a\": }"));
    expect_mistake(&result, "as JSON that is none");
}

static void stays_below_the_limits(void)
{
    struct native_result result = fresh();
    char text[1000];
    memset(text, 'a', sizeof(text));
    native_result_begin(&result, false);
    for (int i = 0; i < 100; i++) {
        native_result_text(&result, (struct slice){text, sizeof(text)});
    }
    EXPECT(buf_size(&result.text) <= SIZE_MAX_OF_TEST);
    expect_mistake(&result, "larger than this worker allows");

    result = fresh();
    native_result_bytes(&result, text, SIZE_MAX);
    expect_mistake(&result, "larger than");

    result = fresh();
    for (int i = 0; i < NATIVE_DEPTH_MAX; i++) {
        native_result_begin(&result, false);
    }
    EXPECT(result.mistake == NULL);
    native_result_begin(&result, false);
    expect_mistake(&result, "too deep");
}

static void a_raw_answer_replaces_what_was_put(void)
{
    struct native_result result = fresh();
    native_result_begin(&result, false);
    native_result_int(&result, 1);
    native_result_raw(&result, "image/png", SLICE("\x89PNG"));
    EXPECT_STR(result.content_type, "image/png");
    expect_text(&result, "\x89PNG");

    result = fresh();
    native_result_raw(&result, "text/plain\r\nX: y", SLICE(""));
    expect_mistake(&result, "line break");
}

TEST_MAIN(nothing_is_null, writes_nested_values, numbers_read_back_as_the_same,
          tells_the_first_mistake, stays_below_the_limits, a_raw_answer_replaces_what_was_put)
