/* Unit tests in a file of their own beside the source: functions whose names are sentences,
 * listed in TEST_MAIN. Output is TAP, which meson counts test by test. */
#pragma once

#include <stdio.h>
#include <string.h>

extern int test_failures_;

typedef void (*test_fn)(void);

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("# %s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                     \
            test_failures_++;                                                                      \
        }                                                                                          \
    } while (0)

#define EXPECT_INT(actual, wanted)                                                                 \
    do {                                                                                           \
        long long actual_ = (long long)(actual), wanted_ = (long long)(wanted);                    \
        if (actual_ != wanted_) {                                                                  \
            printf("# %s:%d: %s is %lld, wanted %lld\n", __FILE__, __LINE__, #actual, actual_,     \
                   wanted_);                                                                       \
            test_failures_++;                                                                      \
        }                                                                                          \
    } while (0)

#define EXPECT_STR(actual, wanted)                                                                 \
    do {                                                                                           \
        const char *actual_ = (actual), *wanted_ = (wanted);                                       \
        if (!actual_ || strcmp(actual_, wanted_) != 0) {                                           \
            printf("# %s:%d: %s is '%s', wanted '%s'\n", __FILE__, __LINE__, #actual,              \
                   actual_ ? actual_ : "(null)", wanted_);                                         \
            test_failures_++;                                                                      \
        }                                                                                          \
    } while (0)

/* Up to 64 test functions; the names are taken from the list itself. */
#define TEST_MAIN(...)                                                                             \
    int main(void)                                                                                 \
    {                                                                                              \
        static const test_fn functions_[] = {__VA_ARGS__};                                         \
        return test_run_all(functions_, sizeof(functions_) / sizeof(functions_[0]), #__VA_ARGS__); \
    }

/* For a test that needs time to pass and has no event to wait for. Blocks. */
void test_pause_ms(int pause_ms);

int test_run_all(const test_fn *functions, size_t count, const char *names);
