#include "measure/tracer.h"

#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "base/test.h"
#include "measure/exchange.h"

static void refuses_what_is_no_collector(void)
{
    static const char *const rows[] = {"", "collector", "ftp://127.0.0.1", "http://"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = {0};
        EXPECT(tracer_new(&(struct tracer_config){rows[i], "1", 1}, &err) == NULL);
        EXPECT(strstr(err.text, "no collector's URL") != NULL);
    }
}

/* Port 9 (discard) of this host has no server. */
static void counts_what_nobody_takes(void)
{
    struct exchange exchange = {.began_ns = 1, .ended_ns = 2, .status = 200};
    log_set_level(LOG_ERROR);
    struct tracer *tracer =
        tracer_new(&(struct tracer_config){"http://127.0.0.1:9/", "1", 1}, NULL);
    for (int i = 0; i < 3; i++) {
        tracer_add(tracer, &exchange);
    }
    while (tracer_dropped(tracer) < 3) {
        test_pause_ms(10);
    }
    EXPECT_INT(tracer_exported(tracer), 0);
    tracer_free(tracer);
}

static void keeps_the_share_of_traces_that_it_is_told(void)
{
    struct tracer *tracer =
        tracer_new(&(struct tracer_config){"http://127.0.0.1:9", "1", 0.25}, NULL);
    uint64_t random = 1;
    unsigned kept = 0;
    for (int i = 0; i < 10000; i++) {
        kept += tracer_samples(tracer, random_bits(&random));
    }
    EXPECT(kept > 2300 && kept < 2700);
    tracer_free(tracer);
    tracer = tracer_new(&(struct tracer_config){"http://127.0.0.1:9", "1", 1}, NULL);
    EXPECT(tracer_samples(tracer, UINT64_MAX));
    tracer_free(tracer);
}

TEST_MAIN(refuses_what_is_no_collector, counts_what_nobody_takes,
          keeps_the_share_of_traces_that_it_is_told)
