/* The only place that asks the kernel for the time; all else takes it as an argument. */
#pragma once

#include <stdint.h>
#include <time.h>

uint64_t clock_now_ns(void); /* monotonic */
uint64_t clock_now_ms(void); /* monotonic */
int64_t clock_unix_ms(void); /* since 1970-01-01 UTC */
/* For pthread_cond_timedwait and the like: so long from now, on that clock. */
struct timespec clock_after_ms(clockid_t clock, uint64_t delay_ms);
int64_t clock_unix_s(void); /* as clock_unix_ms, cheaper, up to 4 ms late */
