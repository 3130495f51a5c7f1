/* What both clients share: they send CALLS requests one after the other over one connection, and
 * tell the durations and the CPU time they spent themselves, as one line of JSON. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define CALLS 20000
#define BODY  "{\"text\":\"The quick brown fox jumps over it\"}"

static struct {
    double us[CALLS];
    unsigned count;
    double sent_us;
    double cpu_before_us;
} calls;

static inline double clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static inline int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline void call_sent(void)
{
    if (calls.count == 0) {
        calls.cpu_before_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    }
    calls.sent_us = clock_us(CLOCK_MONOTONIC);
}

/* Returns whether there is another call to make; prints after the last. */
static inline int call_answered(long status)
{
    if (status != 200) {
        fprintf(stderr, "answered %ld\n", status);
        exit(1);
    }
    calls.us[calls.count++] = clock_us(CLOCK_MONOTONIC) - calls.sent_us;
    if (calls.count < CALLS) {
        return 1;
    }
    double cpu_us = (clock_us(CLOCK_PROCESS_CPUTIME_ID) - calls.cpu_before_us) / CALLS;
    qsort(calls.us, CALLS, sizeof(calls.us[0]), compare);
    printf("{\"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu_us\": %.1f}\n", calls.us[CALLS / 2],
           calls.us[CALLS * 99 / 100], cpu_us);
    return 0;
}
