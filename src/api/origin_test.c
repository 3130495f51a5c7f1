#include "api/origin.h"

#include "base/test.h"

static void knows_the_names_of_loopback(void)
{
    static const char *const own[] = {"localhost",   "localhost:8642", "LocalHost:1", "127.0.0.1",
                                      "127.0.0.1:1", "127.8.9.1:80",   "[::1]",       "[::1]:8642"};
    static const char *const others[] = {"",
                                         "localhost.example.org",
                                         "localhost.example.org:8642",
                                         "127.example.org",
                                         "127.0.0.1.example.org:80",
                                         "localhostile",
                                         "[::1].example.org",
                                         "[::2]",
                                         "example.org:127",
                                         "10.0.0.1"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        EXPECT(host_is_own(slice_str(own[i])));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        EXPECT(!host_is_own(slice_str(others[i])));
    }
}

static void tells_a_page_of_elsewhere(void)
{
    EXPECT(!origin_is_foreign((struct slice){0})); /* no browser */
    EXPECT(!origin_is_foreign(SLICE("http://localhost:3000")));
    EXPECT(!origin_is_foreign(SLICE("https://127.0.0.1")));
    EXPECT(!origin_is_foreign(SLICE("http://[::1]:8642")));
    EXPECT(origin_is_foreign(SLICE("null")));
    EXPECT(origin_is_foreign(SLICE("http://localhost.example.org")));
    EXPECT(origin_is_foreign(SLICE("https://example.org")));
    EXPECT(origin_is_foreign(SLICE("file://localhost")));
}

TEST_MAIN(knows_the_names_of_loopback, tells_a_page_of_elsewhere)
