/* Writes docs/metrics.md from the table; run by dev/generate. */
#include <stdio.h>

#include "measure/metric.h"

int main(void)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    printf(
        "# Metrics\n\n"
        "`GET /metrics` tells them in the text format of Prometheus. On the daemon's own host it "
        "takes no token, unless `open_actions`\nis `no`; from elsewhere an administrator's:\n\n"
        "```yaml\nscrape_configs:\n- job_name: jsorc\n"
        "  authorization: {type: Token, credentials_file: /etc/prometheus/jsorc-token}\n"
        "  static_configs: [{targets: [\"jsorc.example.org:8000\"]}]\n```\n\n"
        "Durations are in seconds, sizes in bytes. The bounds of histograms, in seconds; a value "
        "within 1 %% of one may count on its\nother side:\n\n");
    for (size_t i = 0; i < METRIC_BOUNDS; i++) {
        printf("%s%.15g", i ? " " : "    ", METRIC_BOUNDS_S[i]);
    }
    printf("\n\nThis file is made of src/measure/metric_table.c by dev/generate.\n\n"
           "| metric | type | labels | what it tells |\n|---|---|---|---|\n");
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &METRIC_TABLE[i];
        printf("| `%s` | %s |", row->name, types[row->type]);
        for (size_t k = 0; row->labels[k]; k++) {
            printf("%s %s", k ? "," : "", row->labels[k]);
        }
        printf(" | %s |\n", row->help);
    }
    return 0;
}
