/* src/load/ from the command line: a load of one request, and what was seen as one JSON object.
 *
 *     load HOST PORT PATH BODY CONNECTIONS SECONDS RATE [poisson]
 *
 * RATE in requests a second; 0 = closed loop. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "load/generator.h"
#include "measure/histogram.h"

static void print(const struct load_result *result)
{
    const struct load_figures *all = &result->all;
    printf("{\"seconds\": %.3f, \"per_s\": %.1f, \"mean_ms\": %.4f, \"max_ms\": %.3f",
           result->seconds, load_throughput(result, all), load_mean_ns(all) / 1e6,
           (double)all->latency_max_ns / 1e6);
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        printf(", \"%s_ms\": %.4f, \"lag_%s_ms\": %.4f", quantiles[i].name,
               histogram_quantile(all->latency, quantiles[i].share) / 1e6, quantiles[i].name,
               histogram_quantile(result->lag, quantiles[i].share) / 1e6);
    }
    for (int i = 0; i < LOAD_OUTCOMES; i++) {
        printf(", \"%s\": %" PRIu64, load_outcome_text(i), all->outcomes[i]);
    }
    printf("}\n");
}

int main(int argc, char **argv)
{
    if (argc < 8) {
        (void)fprintf(stderr,
                      "usage: load HOST PORT PATH BODY CONNECTIONS SECONDS RATE [poisson]\n");
        return 2;
    }
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtol(argv[2], NULL, 10)),
                                  .sin_addr.s_addr = inet_addr(argv[1])};
    CLEANUP(str_free)
    char *head = xasprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\n\r\n",
                           argv[3], argv[1], strlen(argv[4]));
    struct load_kind kind = {
        .name = argv[3], .head = slice_str(head), .body = slice_str(argv[4]), .weight = 1};
    struct load_plan plan = {
        .address = (const struct sockaddr *)&address,
        .address_size = sizeof(address),
        .kinds = &kind,
        .kind_count = 1,
        .connections = (unsigned)strtoul(argv[5], NULL, 10),
        .duration_ms = (uint64_t)(strtod(argv[6], NULL) * 1000),
        .rate_per_s = strtod(argv[7], NULL),
        .poisson = argc > 8 && strcmp(argv[8], "poisson") == 0,
        .seed = 1,
        .warmup_ms = 200,
        .timeout_ms = 60000,
        .reply_bytes_max = 1024UL * 1024,
    };
    struct load_result result;
    struct err err = {0};
    if (load_run(&plan, &result, &err) < 0) {
        (void)fprintf(stderr, "load: %s\n", err.text);
        return 1;
    }
    print(&result);
    load_result_done(&result);
    return 0;
}
