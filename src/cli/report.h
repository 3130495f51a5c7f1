/* Tables for people of what the measuring operations tell. */
#pragma once

struct json_object;
struct table;

/* NULL when the operation has no table of its own, or result is nothing to tabulate. Owned by the
 * caller. */
struct table *report_table(const char *op, struct json_object *result);
