/* JSON schemas (draft 2020-12, as OpenAPI 3.1 has them) of what operations and actions take. Pure.
 */
#pragma once

struct json_object;
struct op;

/* {"type": "object", "properties": ...} of op's parameters; owned by the caller. */
struct json_object *schema_of_op(const struct op *op);

/* Of one parameter of op: type, default, description. Owned. */
struct op_param;
struct json_object *schema_of_param(const struct op_param *param);

/* Of a route's body: "email password name?". NULL when there is none. Owned. */
struct json_object *schema_of_fields(const char *fields);

/* Of an action's params, as workers report them (name, type, required, default, doc, schema).
 * borrowed; the result is owned. */
struct json_object *schema_of_params(struct json_object *params);

/* Of a Python annotation's text: "str", "list[int]", "dict[str, float] | None". What it does not
 * know allows everything. Owned. */
struct json_object *schema_of_annotation(const char *text);
