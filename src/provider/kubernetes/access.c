/* Whether addresses of pods are reached from here is found by one that is ready: it is asked for
 * its spec directly, then through the API server. Only an answer decides: a refused connection may
 * as well be a pod that has just ended, and an address of a pod may be somebody else's in our own
 * network, who has no spec. */
#include "provider/kubernetes/access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "action/target.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "http/client.h"
#include "loop/loop.h"
#include "provider/kubernetes/endpoints.h"
#include "provider/kubernetes/forward.h"
#include "provider/kubernetes/kube.h"
#include "provider/provider.h"

#define CONNECT_MS     2000 /* to an address of a pod: as calls have it */
#define ANSWER_MS      20000
#define AGAIN_MS       1000 /* between two tries */
#define SPEC_BYTES_MAX (8 * 1024 * 1024)
#define HOST_SIZE      60

struct access {
    struct loop *loop; /* borrowed */
    enum access_way way;
    struct kube_config *config; /* owned until forward is made */
    char *folder;
    struct forward *forward;    /* made when it is first needed */
    struct http_client *client; /* of a try */
    struct endpoint tried;
    enum access_way trying;
    struct forward_port *trial; /* for the try through the API server */
    struct loop_timer timer;    /* a try is about to begin, or the pause after one */
    bool pausing;
    char *directly; /* what came of the try at the pod's address */
    char *trouble;
    void (*changed)(void *arg);
    void *arg;
};

struct route { /* to one endpoint, through the API server */
    struct endpoint endpoint;
    struct forward_port *port;
    bool used;
};

struct access_routes {
    struct access *access; /* borrowed */
    struct route *items;
    uint32_t count;
};

int access_way_of(const char *name, enum access_way *ret_way)
{
    static const char *const names[] = {
        [ACCESS_AUTO] = "auto", [ACCESS_DIRECT] = "direct", [ACCESS_FORWARD] = "forward"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_way = (enum access_way)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* As in a URL, to host[HOST_SIZE]. */
static void host_of(const struct endpoint *endpoint, char *host)
{
    bool six = strchr(endpoint->address, ':') != NULL;
    (void)snprintf(host, HOST_SIZE, six ? "[%s]:%u" : "%s:%u", endpoint->address, endpoint->port);
}

/* ---- the try ---- */

static int open_port(struct access *access, const struct endpoint *endpoint,
                     struct forward_port **ret_port, struct err *err)
{
    char host[HOST_SIZE];
    if (!access->forward) {
        int failed = access->config
                         ? forward_new(TAKE(access->config), access->folder, &access->forward, err)
                         : err_set(err, ENOTSUP, "it is not used in a cluster");
        if (failed) {
            return failed;
        }
    }
    if (!endpoint->pod[0]) {
        return err_set(err, ENOENT, "its Service does not say of which pod it is");
    }
    host_of(endpoint, host);
    const struct forward_pod pod = {.name = endpoint->pod, .host = host, .port = endpoint->port};
    return forward_open(access->forward, &pod, ret_port, err);
}

static void end_try(struct access *access)
{
    access->client = http_client_free(access->client);
    access->trial = forward_close(access->trial);
}

static void decide(struct access *access, enum access_way way)
{
    access->way = way;
    str_replace(&access->trouble, NULL);
    log_info("pods of the cluster are reached", "way=%s pod=%s",
             way == ACCESS_DIRECT ? "direct" : "forward", access->tried.pod);
    access->changed(access->arg);
}

/* Neither way: in a moment again, with whatever is ready then. */
static void wait_a_moment(struct access *access, const char *forwarded)
{
    char host[HOST_SIZE];
    host_of(&access->tried, host);
    CLEANUP(str_free)
    char *text = xasprintf("pod '%s' answers neither at %s (%s) nor through the API server (%s)",
                           access->tried.pod, host, access->directly, forwarded);
    str_replace(&access->trouble, text);
    access->pausing = true;
    loop_timer_set(access->loop, &access->timer, loop_now_ms(access->loop) + AGAIN_MS);
    access->changed(access->arg);
}

static const char *text_of(enum http_outcome outcome, const struct http_reply *reply)
{
    static const char *const texts[] = {
        [HTTP_REPLIED] = "what answers has no spec", [HTTP_UNSENT] = "no connection",
        [HTTP_LOST] = "closed without an answer",    [HTTP_BROKEN] = "what answers speaks no HTTP",
        [HTTP_TIMED_OUT] = "no answer in time",
    };
    return reply && reply->status >= 500 ? "an error" : texts[outcome];
}

static void ask(struct access *access, const struct sockaddr *address, unsigned size);

static void ask_forwarded(struct access *access)
{
    struct err err = {0};
    access->trying = ACCESS_FORWARD;
    if (open_port(access, &access->tried, &access->trial, &err) < 0) {
        wait_a_moment(access, err.text);
        return;
    }
    const struct sockaddr_un *address = forward_address(access->trial);
    ask(access, (const struct sockaddr *)address, sizeof(*address));
}

static void on_spec(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct access *access = arg;
    CLEANUP(json_put) struct json_object *spec = NULL;
    bool well = outcome == HTTP_REPLIED && reply->status == 200 &&
                json_parse_object(reply->body, &spec, NULL) == 0;
    const char *text = text_of(outcome, reply);
    char why[FORWARD_WHY_MAX] = "";
    if (access->trial) {
        forward_why(access->trial, why);
    }
    end_try(access);
    if (well) {
        decide(access, access->trying);
    } else if (access->trying == ACCESS_DIRECT) {
        str_replace(&access->directly, text);
        ask_forwarded(access);
    } else {
        wait_a_moment(access, why[0] ? why : text);
    }
}

static void ask(struct access *access, const struct sockaddr *address, unsigned size)
{
    char host[HOST_SIZE];
    host_of(&access->tried, host);
    CLEANUP(str_free)
    char *head = xasprintf("GET /jaseci_actions_spec/ HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    access->client = http_client_new(access->loop, address, size, NULL, host);
    http_client_send(access->client,
                     &(struct http_send){.head = slice_str(head),
                                         .timeout_ms = ANSWER_MS,
                                         .connect_timeout_ms = CONNECT_MS,
                                         .reply_bytes_max = SPEC_BYTES_MAX},
                     on_spec, access);
}

static void on_timer(void *arg)
{
    struct access *access = arg;
    if (access->pausing) { /* it is over: who still has endpoints begins anew */
        access->pausing = false;
        access->changed(access->arg);
        return;
    }
    struct sockaddr_storage address;
    socklen_t size;
    access->trying = ACCESS_DIRECT;
    if (endpoint_address(&access->tried, &address, &size) < 0) {
        str_replace(&access->directly, "no address");
        ask_forwarded(access);
        return;
    }
    ask(access, (const struct sockaddr *)&address, size);
}

static void begin_try(struct access *access, const struct endpoint *endpoint)
{
    if (access->client || access->timer.place) {
        return;
    }
    access->tried = *endpoint;
    loop_timer_set(access->loop, &access->timer, loop_now_ms(access->loop));
}

/* ---- routes ---- */

static struct route *route_find(const struct access_routes *routes, const struct endpoint *endpoint)
{
    for (uint32_t i = 0; i < routes->count; i++) {
        if (endpoints_equal(&routes->items[i].endpoint, 1, endpoint, 1)) {
            return &routes->items[i];
        }
    }
    return NULL;
}

/* The way to it through the API server; NULL = there is none, which is told once each time. */
static struct forward_port *port_of(struct access_routes *routes, const struct endpoint *endpoint)
{
    struct route *route = route_find(routes, endpoint);
    struct err err = {0};
    if (!route) {
        struct forward_port *port = NULL;
        if (open_port(routes->access, endpoint, &port, &err) < 0) {
            log_warn("pod cannot be reached", "pod=%s error=\"%s\"", endpoint->pod, err.text);
            return NULL;
        }
        route = &routes->items[routes->count++];
        *route = (struct route){.endpoint = *endpoint, .port = port};
    }
    route->used = true;
    return route->port;
}

static void close_unused(struct access_routes *routes)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < routes->count; i++) {
        struct route route = routes->items[i];
        if (route.used) {
            route.used = false;
            routes->items[kept++] = route;
        } else {
            (void)forward_close(route.port);
        }
    }
    routes->count = kept;
}

static bool fill(struct access_routes *routes, const struct endpoint *endpoint,
                 struct sockaddr_storage *address, struct pod_replica *ret)
{
    if (routes->access->way == ACCESS_DIRECT) {
        return endpoint_address(endpoint, address, &ret->address_size) == 0;
    }
    const struct forward_port *port = port_of(routes, endpoint);
    if (port) {
        memcpy(address, forward_address(port), sizeof(*forward_address(port)));
        ret->address_size = sizeof(*forward_address(port));
    }
    return port != NULL;
}

int access_replicas(struct access_routes *routes, const struct endpoint *endpoints, uint32_t count,
                    const struct pod_replica **ret_replicas)
{
    static struct sockaddr_storage addresses[TARGET_SET_MAX]; /* the loop's thread only */
    static struct pod_replica replicas[TARGET_SET_MAX];
    static char hosts[TARGET_SET_MAX][HOST_SIZE];
    struct access *access = routes->access;
    int used = 0;
    if (access->way == ACCESS_AUTO && count > 0) {
        begin_try(access, &endpoints[0]);
        return -EAGAIN;
    }
    if (access->way == ACCESS_FORWARD) {
        routes->items =
            xrealloc(routes->items, (routes->count + count + 1) * sizeof(routes->items[0]));
    }
    for (uint32_t i = 0; i < count && used < TARGET_SET_MAX; i++) {
        struct pod_replica *replica = &replicas[used];
        if (fill(routes, &endpoints[i], &addresses[used], replica)) {
            host_of(&endpoints[i], hosts[used]);
            replica->name = endpoints[i].pod;
            replica->address = (const struct sockaddr *)&addresses[used];
            replica->host = hosts[used++];
        }
    }
    close_unused(routes);
    *ret_replicas = replicas;
    return used;
}

struct access_routes *access_routes_new(struct access *access)
{
    struct access_routes *routes = xcalloc(1, sizeof(*routes));
    routes->access = access;
    return routes;
}

struct access_routes *access_routes_free(struct access_routes *routes)
{
    if (routes) {
        close_unused(routes); /* none is in use between two calls */
        free(routes->items);
        free(routes);
    }
    return NULL;
}

/* ---- all of it ---- */

const char *access_trouble(const struct access *access)
{
    return access->trouble;
}

struct access *access_new(struct loop *loop, const struct access_settings *settings,
                          void (*changed)(void *arg), void *arg)
{
    struct access *access = xcalloc(1, sizeof(*access));
    *access = (struct access){.loop = loop,
                              .way = settings->way,
                              .config = settings->config,
                              .folder = settings->folder ? xstrdup(settings->folder) : NULL,
                              .changed = changed,
                              .arg = arg};
    access->timer = (struct loop_timer){.fn = on_timer, .arg = access};
    return access;
}

struct access *access_free(struct access *access)
{
    if (access) {
        loop_timer_clear(access->loop, &access->timer);
        end_try(access);
        (void)forward_free(access->forward);
        (void)kube_config_free(access->config);
        free(access->folder);
        free(access->directly);
        free(access->trouble);
        free(access);
    }
    return NULL;
}
