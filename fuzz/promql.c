/* Prometheus' answers: whatever comes, what is told of them is well-formed. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "service/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    CLEANUP(json_put) struct json_object *pods = NULL;
    CLEANUP(json_put) struct json_object *nodes = NULL;
    CLEANUP(json_put) struct json_object *placement = NULL;
    CLEANUP(json_put) struct json_object *names = NULL;
    double interval_s = 0;
    int read = promql_read_figures(PROMQL_PODS, text, &pods, NULL);
    (void)promql_read_figures(PROMQL_NODES, text, &nodes, NULL);
    (void)promql_read_placement(text, true, &placement, NULL);
    (void)promql_read_names(text, &names, NULL);
    if (promql_read_interval(text, &interval_s, NULL) == 0 && !(interval_s > 0)) {
        abort();
    }
    if ((read == 0) != (pods != NULL)) {
        abort();
    }
    if (pods) {
        json_object_object_foreach(pods, name, pod)
        {
            (void)name;
            if (json_object_object_length(pod) != 4) {
                abort();
            }
        }
    }
    return 0;
}
