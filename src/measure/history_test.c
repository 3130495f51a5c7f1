#include "measure/history.h"

#include "base/json.h"
#include "base/test.h"

static void add(struct history *history, const char *text, size_t count_max, size_t bytes_max)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    EXPECT_INT(json_parse(slice_str(text), &value, NULL), 0);
    history_add(history, value, count_max, bytes_max);
}

static void expect(const struct history *history, const char *wanted, uint64_t dropped)
{
    CLEANUP(json_put) struct json_object *array = json_object_new_array();
    history_copy(history, array);
    EXPECT_STR(json_text(array), wanted);
    EXPECT_INT(history->dropped, dropped);
}

static void keeps_the_newest_in_their_order(void)
{
    struct history history = {0};
    expect(&history, "[]", 0);
    add(&history, "{\"a\":[1,null]}", 2, 1000);
    add(&history, "2", 2, 1000);
    expect(&history, "[{\"a\":[1,null]},2]", 0);
    add(&history, "3", 2, 1000);
    expect(&history, "[2,3]", 1);
    history_done(&history);
    expect(&history, "[]", 0);
    add(&history, "4", 2, 1000);
    expect(&history, "[4]", 0);
    history_done(&history);
}

static void keeps_within_its_bytes_but_always_one(void)
{
    struct history history = {0};
    add(&history, "\"1234\"", 10, 10); /* 7 bytes with the zero */
    add(&history, "12", 10, 10);
    expect(&history, "[\"1234\",12]", 0);
    add(&history, "3", 10, 10);
    expect(&history, "[12,3]", 1);
    add(&history, "\"12345678901234567890\"", 10, 10);
    expect(&history, "[\"12345678901234567890\"]", 3);
    history_done(&history);
}

TEST_MAIN(keeps_the_newest_in_their_order, keeps_within_its_bytes_but_always_one)
