#include "base/test.h"

#include <ctype.h>
#include <poll.h>

int test_failures_;

void test_pause_ms(int pause_ms)
{
    (void)poll(NULL, 0, pause_ms);
}

/* Copies the next name of the comma-separated list and returns what follows it. */
static const char *next_name(const char *names, char *name, size_t size)
{
    while (*names && !isalnum((unsigned char)*names) && *names != '_') {
        names++;
    }
    size_t length = strcspn(names, ", \n");
    (void)snprintf(name, size, "%.*s", (int)length, names);
    return names + length;
}

int test_run_all(const test_fn *functions, size_t count, const char *names)
{
    size_t failed = 0;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        char name[256];
        names = next_name(names, name, sizeof(name));
        test_failures_ = 0;
        functions[i]();
        printf("%s %zu - %s\n", test_failures_ ? "not ok" : "ok", i + 1, name);
        failed += test_failures_ != 0;
    }
    return failed != 0;
}
