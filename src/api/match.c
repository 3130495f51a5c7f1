#include "api/match.h"

#include <stdio.h>
#include <string.h>

#include "api/op.h"
#include "api/route.h"

const char *match_prefix(const struct op *op)
{
    switch (op->access) {
    case OP_PUBLIC:
        return "/js_public/";
    case OP_USER:
        return "/js/";
    case OP_ADMIN:
        break;
    }
    return "/js_admin/";
}

const char *match_method_name(enum request_method method)
{
    static const char *const names[] = {
        [METHOD_GET] = "GET",         [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
        [METHOD_PUT] = "PUT",         [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
        [METHOD_OPTIONS] = "OPTIONS", [METHOD_OTHER] = "OTHER",
    };
    return names[method];
}

static struct slice without_slash(struct slice path)
{
    path.size -= path.size > 1 && path.data[path.size - 1] == '/';
    return path;
}

/* True if path is what the row's says; path without the trailing slash. */
static bool path_fits(const struct route *row, struct slice path, struct slice *ret_variable)
{
    struct slice pattern = without_slash(slice_str(row->path));
    const char *brace = memchr(pattern.data, '{', pattern.size);
    if (!brace) {
        *ret_variable = (struct slice){0};
        return slice_eq(pattern, path);
    }
    struct slice start = {pattern.data, (size_t)(brace - pattern.data)};
    if (row->deep && slice_eq(path, without_slash(start))) {
        *ret_variable = (struct slice){0};
        return true;
    }
    if (!slice_starts(path, start)) {
        return false;
    }
    *ret_variable = slice_from(path, start.size);
    return row->deep ||
           (ret_variable->size > 0 && !memchr(ret_variable->data, '/', ret_variable->size));
}

static void allow_add(struct match *match, enum request_method method)
{
    size_t used = strlen(match->allow);
    (void)snprintf(match->allow + used, sizeof(match->allow) - used, "%s%s", used ? ", " : "",
                   match_method_name(method));
}

static int find_route(enum request_method method, struct slice path, struct match *match)
{
    for (const struct route *const *row = ROUTE_TABLE; *row; row++) {
        struct slice variable;
        if (!path_fits(*row, path, &variable)) {
            continue;
        }
        if ((*row)->method == method) {
            match->route = *row;
            match->variable = variable;
            return 200;
        }
        allow_add(match, (*row)->method);
    }
    return match->allow[0] ? 405 : 404;
}

/* /js_public/NAME, /js/NAME, /js_admin/NAME, and /NAME for what staff may do. */
static int find_op(enum request_method method, struct slice path, struct match *match)
{
    static const struct slice prefixes[] = {SLICE("/js_public/"), SLICE("/js/"),
                                            SLICE("/js_admin/")};
    size_t skipped = 1;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (slice_starts(path, prefixes[i])) {
            skipped = prefixes[i].size;
        }
    }
    struct slice prefix = {path.data, skipped};
    struct slice name = slice_from(path, skipped);
    const struct op *op = name.size > 0 ? op_find(name.data, name.size) : NULL;
    if (!op) {
        return 404;
    }
    bool bare = skipped == 1 && op->access == OP_ADMIN;
    if (!bare && !slice_eq(prefix, slice_str(match_prefix(op)))) {
        match->elsewhere = op;
        return 404;
    }
    if (method != (op->get ? METHOD_GET : METHOD_POST)) {
        allow_add(match, op->get ? METHOD_GET : METHOD_POST);
        return 405;
    }
    match->op = op;
    return 200;
}

int match_find(enum request_method method, struct slice path, struct match *ret_match)
{
    *ret_match = (struct match){0};
    if (path.size == 0 || path.data[0] != '/') {
        return 404;
    }
    if (method == METHOD_HEAD) {
        method = METHOD_GET;
    }
    path = without_slash(path);
    int status = find_route(method, path, ret_match);
    return status == 404 ? find_op(method, path, ret_match) : status;
}
