#include "service/mail_message.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/test.h"

static void takes_an_address_with_and_without_a_name(void)
{
    char address[MAIL_ADDRESS_BYTES + 1];
    EXPECT_INT(mail_address("a.b+c@example.org", address, NULL), 0);
    EXPECT_STR(address, "a.b+c@example.org");
    EXPECT_INT(mail_address("Ann B. <ann@example.org>", address, NULL), 0);
    EXPECT_STR(address, "ann@example.org");
}

static void refuses_what_would_become_more_than_an_address(void)
{
    static const char *const wrong[] = {
        "",
        "a",
        "@b",
        "a@",
        "a@b@c",
        "a b@c",
        "a@b,c@d",
        "<a@b",
        "a@b>",
        "A <a@b> x",
        "a@b\r\nBcc: c@d",
        "a@b\n",
        "\x01@b",
        "\xc3\xa4@b",
        "a@b>\nRCPT TO:<c@d",
    };
    char address[MAIL_ADDRESS_BYTES + 1] = "kept";
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct err err = {0};
        EXPECT_INT(mail_address(wrong[i], address, &err), -EINVAL);
        EXPECT(strstr(err.text, "is no mail address"));
    }
    char longest[MAIL_ADDRESS_BYTES + 2];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    longest[1] = '@';
    EXPECT_INT(mail_address(longest, address, NULL), -EINVAL);
    EXPECT_STR(address, "kept");
    longest[sizeof(longest) - 2] = '\0';
    EXPECT_INT(mail_address(longest, address, NULL), 0);
}

static void a_field_is_one_field(void)
{
    static const char *const wrong[] = {"a\nBcc: b", "a\r\n\r\nbody", "a\x7f", "\xff"};
    struct err err = {0};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        EXPECT(mail_field("Subject", wrong[i], &err) == NULL);
        EXPECT_INT(err.code, EINVAL);
    }
    CLEANUP(str_free) char *plain = mail_field("Subject", "Hello, you", NULL);
    EXPECT_STR(plain, "Subject: Hello, you");
}

static void encodes_what_is_not_ascii(void)
{
    CLEANUP(str_free)
    char *field = mail_field("Subject",
                             "Gr\xc3\xbc\xc3\x9f"
                             "e",
                             NULL);
    EXPECT_STR(field, "Subject: =?utf-8?B?R3LDvMOfZQ==?=");
    char text[91] = "x"; /* x, then two-byte characters: a word must not end within one */
    for (size_t i = 1; i + 1 < sizeof(text) - 1; i += 2) {
        text[i] = '\xc3';
        text[i + 1] = '\xa4';
    }
    CLEANUP(str_free) char *folded = mail_field("Subject", text, NULL);
    const char *second = strstr(folded, "?=\r\n =?utf-8?B?");
    EXPECT(second != NULL);
    EXPECT(second && second - folded <= 84 && strlen(second + 4) <= 76);
}

static void writes_the_date(void)
{
    CLEANUP(str_free) char *date = mail_date(1795525200);
    EXPECT_STR(date, "Date: Tue, 24 Nov 2026 13:00:00 +0000");
}

TEST_MAIN(takes_an_address_with_and_without_a_name, refuses_what_would_become_more_than_an_address,
          a_field_is_one_field, encodes_what_is_not_ascii, writes_the_date)
