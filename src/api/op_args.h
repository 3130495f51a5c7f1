/* The arguments of an operation, from what a client sent to what its function may rely on. */
#pragma once

struct err;
struct json_object;
struct op;

/* Takes from given (an object) the parameters of op, of their declared types, with defaults filled
 * in; other members are ignored. Lenient where forms and old clients have only text: "true" and
 * "False" are booleans, digits are numbers, JSON text is an object or a list, "" an empty one. Null
 * stands for "not given", except that a default which is not empty must not be overridden by it.
 *
 * 0 and an object (owned), or -ENODATA (err: "missing parameter: NAME"), -EINVAL (another type;
 * err names the parameter). Pure. */
int op_args_build(const struct op *op, struct json_object *given, struct json_object **ret_args,
                  struct err *err);
