/* The result of a load test as one HTML page that needs nothing else: no script, no network. */
#pragma once

struct json_object;

/* result: of result_json, or what stands in a result.json. Owned by the caller. */
char *report_html(struct json_object *result);
