#include "base/trace_context.h"

#include "base/random.h"
#include "base/test.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void reads_what_the_standard_shows(void)
{
    struct trace_context context = {0};
    char text[TRACE_PARENT_SIZE + 1] = "";
    EXPECT(trace_context_read(&context, SLICE("00-" TRACE "-" PARENT "-01")));
    EXPECT(context.known && context.sampled);
    EXPECT_INT(context.trace_id[0], 0x0a);
    EXPECT_INT(context.parent_id[7], 0x31);
    trace_context_write(&context, context.parent_id, text);
    EXPECT_STR(text, "00-" TRACE "-" PARENT "-01");
    EXPECT(trace_context_read(&context, SLICE("00-" TRACE "-" PARENT "-00")));
    EXPECT(!context.sampled);
    EXPECT(trace_context_read(&context, SLICE("cc-" TRACE "-" PARENT "-01-what-comes-later")));
}

static void refuses_what_is_none(void)
{
    static const char *const rows[] = {
        "",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-",
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-01-more",
        "ff-" TRACE "-" PARENT "-01",
        "0x-" TRACE "-" PARENT "-01",
        "cc-" TRACE "-" PARENT "-01.x",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00_" TRACE "-" PARENT "-01",
        "00-" TRACE "-" PARENT "-g1",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trace_context context = {0};
        EXPECT(!trace_context_read(&context, slice_str(rows[i])));
        EXPECT(!context.known);
    }
}

static void makes_what_is_missing(void)
{
    uint64_t random = 42;
    struct trace_context first = {0}, second = {0};
    trace_context_make(&first, &random);
    trace_context_make(&second, &random);
    EXPECT(first.known && memcmp(first.trace_id, second.trace_id, 16) != 0);
    EXPECT(memcmp(first.span_id, first.hop_id, 8) != 0);
    EXPECT(memcmp(first.hop_id, first.exec_id, 8) != 0);
    struct trace_context given = {0};
    EXPECT(trace_context_read(&given, SLICE("00-" TRACE "-" PARENT "-01")));
    trace_context_make(&given, &random);
    EXPECT_INT(given.trace_id[0], 0x0a);
    EXPECT_INT(given.parent_id[0], 0xb7);
    EXPECT(random_seed() != random_seed());
}

TEST_MAIN(reads_what_the_standard_shows, refuses_what_is_none, makes_what_is_missing)
