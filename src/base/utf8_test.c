#include "base/utf8.h"

#include "base/test.h"

static void accepts_text(void)
{
    EXPECT(utf8_valid(SLICE("")));
    EXPECT(utf8_valid((struct slice){NULL, 0}));
    EXPECT(utf8_valid(SLICE("plain\0text")));
    EXPECT(utf8_valid(SLICE("\xc2\x80 \xdf\xbf")));
    EXPECT(utf8_valid(SLICE("\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf")));
    EXPECT(utf8_valid(SLICE("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf")));
}

static void refuses_bytes_that_are_no_text(void)
{
    EXPECT(!utf8_valid(SLICE("\x80")));             /* continuation without a start */
    EXPECT(!utf8_valid(SLICE("\xc3")));             /* cut */
    EXPECT(!utf8_valid(SLICE("\xe2\x82")));         /* cut */
    EXPECT(!utf8_valid(SLICE("\xc3(")));            /* no continuation */
    EXPECT(!utf8_valid(SLICE("\xf0\x9f\x98(")));    /* no continuation at the end */
    EXPECT(!utf8_valid(SLICE("\xc0\xaf")));         /* overlong '/' */
    EXPECT(!utf8_valid(SLICE("\xe0\x9f\xbf")));     /* overlong */
    EXPECT(!utf8_valid(SLICE("\xf0\x8f\xbf\xbf"))); /* overlong */
    EXPECT(!utf8_valid(SLICE("\xed\xa0\x80")));     /* surrogate */
    EXPECT(!utf8_valid(SLICE("\xf4\x90\x80\x80"))); /* beyond U+10FFFF */
    EXPECT(!utf8_valid(SLICE("\xff")));
}

static void repairs_what_is_no_text(void)
{
    char text[] = "a\xff\xc3\xa9\xe2\x82z\xc3";
    utf8_repair(text, sizeof(text) - 1);
    EXPECT_STR(text, "a?\xc3\xa9??z?");
    utf8_repair(text, 0);
}

TEST_MAIN(accepts_text, refuses_bytes_that_are_no_text, repairs_what_is_no_text)
