#include "base/buf.h"

#include "base/test.h"

static void keeps_what_was_appended_over_growth(void)
{
    struct buf buf = {0};
    char chunk[1000];
    memset(chunk, 'x', sizeof(chunk));
    for (int i = 0; i < 100; i++) {
        chunk[0] = (char)('a' + i % 26);
        EXPECT_INT(buf_append(&buf, chunk, sizeof(chunk)), 0);
    }
    EXPECT_INT(buf_size(&buf), 100000);
    for (int i = 0; i < 100; i++) {
        EXPECT_INT(buf_slice(&buf).data[i * 1000], 'a' + i % 26);
    }
    buf_done(&buf);
}

static void reuses_the_consumed_front(void)
{
    struct buf buf = {0};
    EXPECT_INT(buf_append(&buf, "0123456789", 10), 0);
    size_t capacity = buf.capacity;
    for (int i = 0; i < 10000; i++) {
        EXPECT_INT(buf_append(&buf, "abcdefghij", 10), 0);
        buf_consume(&buf, 10);
    }
    EXPECT_INT(buf.capacity, capacity);
    EXPECT(slice_eq(buf_slice(&buf), SLICE("abcdefghij")));
    buf_consume(&buf, 10);
    EXPECT_INT(buf.start, 0);
    buf_shrink(&buf, 0);
    EXPECT(buf.data == NULL);
}

static void prints_formatted_text(void)
{
    struct buf buf = {0};
    buf_printf(&buf, "%s=%d", "n", 7);
    buf_printf(&buf, ";");
    EXPECT(slice_eq(buf_slice(&buf), SLICE("n=7;")));
    buf_done(&buf);
}

TEST_MAIN(keeps_what_was_appended_over_growth, reuses_the_consumed_front, prints_formatted_text)
