/* Which operation or route a request line means. Pure. */
#pragma once

#include "base/slice.h"
#include "http/server.h"

struct op;
struct route;

#define MATCH_ALLOW_MAX 64 /* "GET, HEAD, POST, ..." */

struct match {
    const struct op *op;         /* set: an operation */
    const struct route *route;   /* set: a route */
    struct slice variable;       /* the variable part of the route's path, as sent; borrowed */
    char allow[MATCH_ALLOW_MAX]; /* with 405: the methods that the path has */
    const struct op *elsewhere;  /* with 404: the operation that has another prefix */
};

/* Looks path (as sent, without query) up in the operations and routes. A trailing slash makes no
 * difference. Returns 200 and *ret_match, or 404, 405 with what a client may be told. HEAD is taken
 * for GET. */
int match_find(enum request_method method, struct slice path, struct match *ret_match);

/* "/js_admin/" and so on, by the operation's access. */
const char *match_prefix(const struct op *op);

const char *match_method_name(enum request_method method);
