/* Who may ask a worker over TCP: whoever has the token, if there is one; without one anybody, but
 * no page of another site through its visitor's browser. The Unix socket is its user's own. */
#include "http/server.h"
#include "worker/worker_priv.h"

/* Compares all bytes whatever the first ones are: the time tells nothing of the token. */
static bool same_secret(struct slice given, struct slice token)
{
    unsigned different = given.size != token.size;
    for (size_t i = 0; i < given.size; i++) {
        different |= (unsigned char)given.data[i] ^
                     (unsigned char)token.data[token.size ? i % token.size : 0];
    }
    return different == 0;
}

static bool token_ok(const struct worker *worker, struct http_request *request)
{
    struct slice header = http_request_header(request, "Authorization");
    struct slice scheme = SLICE("Token ");
    if (header.size < scheme.size ||
        !slice_eq_nocase((struct slice){header.data, scheme.size}, scheme)) {
        return false;
    }
    return same_secret(slice_from(header, scheme.size), slice_str(worker->config.token));
}

/* "http://HOST:PORT" -> "HOST:PORT" */
static struct slice origin_host(struct slice origin)
{
    const char *mark = origin.size > 3 ? memmem(origin.data, origin.size, "://", 3) : NULL;
    return mark ? slice_from(origin, (size_t)(mark - origin.data) + 3) : origin;
}

static bool host_is_local(struct slice host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct slice name = slice_str(names[i]);
        if (host.size >= name.size && slice_eq_nocase((struct slice){host.data, name.size}, name) &&
            (host.size == name.size || host.data[name.size] == ':')) {
            return true;
        }
    }
    return false;
}

/* A browser says where a request comes from. Without tokens, a page of another site must not be
 * able to use the visitor's own host: neither directly nor by a name that it points here. */
static bool origin_ok(const struct worker *worker, struct http_request *request)
{
    struct slice origin = http_request_header(request, "Origin");
    if (origin.size == 0 || worker->config.token) {
        return true;
    }
    struct slice host = origin_host(origin);
    return slice_eq_nocase(host, http_request_header(request, "Host")) &&
           (!worker->loopback_only || host_is_local(host));
}

bool guard_refuses(struct worker *worker, struct http_request *request, struct slice path)
{
    if (http_request_listener(request) != LISTENER_TCP || slice_eq(path, SLICE("/healthz"))) {
        return false;
    }
    if (worker->config.token && !token_ok(worker, request)) {
        route_refuse(request, 401, "unauthorized",
                     "this server asks for a token: send the header 'Authorization: Token ...'",
                     "WWW-Authenticate: Token\r\n");
        return true;
    }
    if (!origin_ok(worker, request)) {
        route_refuse(
            request, 403, "forbidden",
            "refused: the request comes from a page of another site (header Origin); serve "
            "with --token-file to allow it",
            "");
        return true;
    }
    return false;
}
