/* An action server of somebody else's as the place of a module: resolve its name, read its spec,
 * and keep the names learnt then (the original asks the server again when it unloads, and cannot
 * if the server is gone). */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "control/control_priv.h"
#include "http/client.h"
#include "http/tls.h"
#include "loop/job.h"

#define SPEC_TIMEOUT_MS 10000
#define SPEC_BYTES_MAX  (8 * 1024 * 1024)

struct server {
    struct instance *instance; /* borrowed; NULL when it went while a name was being resolved */
    struct control *control;   /* borrowed */
    char *url;
    bool tls;
    char *host; /* as in the URL, with the port if it gave one */
    char *name; /* without the port */
    char *port;
    char *base_path; /* without a slash at its end */
    struct addrinfo *addresses;
    const struct addrinfo *address; /* of them, the one that is tried or serves */
    int resolve_error;
    bool resolving;
    struct http_client *client;
    struct tls_client *trust; /* until the target takes it */
};

static int parse_url(struct server *server, const char *url)
{
    server->tls = strncmp(url, "https://", 8) == 0;
    const char *host = strstr(url, "://") + 3;
    size_t host_size = strcspn(host, "/?#");
    if (host_size == 0 || memchr(host, '@', host_size)) {
        return -EINVAL;
    }
    server->url = xstrdup(url);
    server->host = xstrndup(host, host_size);
    const char *path = host + host_size;
    size_t path_size = strcspn(path, "?#");
    while (path_size > 0 && path[path_size - 1] == '/') {
        path_size--;
    }
    server->base_path = xstrndup(path, path_size);

    const char *end = server->host[0] == '[' ? strchr(server->host, ']') : server->host;
    const char *colon = end ? strchr(end, ':') : NULL;
    size_t skip = server->host[0] == '[' ? 1 : 0;
    size_t name_size = colon ? (size_t)(colon - server->host) : strlen(server->host);
    server->name = xstrndup(server->host + skip, name_size - 2 * skip);
    server->port = xstrdup(colon ? colon + 1 : server->tls ? "443" : "80");
    return 0;
}

static void server_destroy(struct server *server)
{
    http_client_free(server->client);
    tls_client_free(server->trust);
    if (server->addresses) {
        freeaddrinfo(server->addresses);
    }
    free(server->url);
    free(server->host);
    free(server->name);
    free(server->port);
    free(server->base_path);
    free(server);
}

struct server *server_free(struct server *server)
{
    if (server && server->resolving) {
        server->instance = NULL; /* the job ends first */
    } else if (server) {
        server_destroy(server);
    }
    return NULL;
}

static void fail(struct server *server, const char *text, const char *hint)
{
    struct instance *instance = server->instance;
    CLEANUP(str_free) char *full = xasprintf("server %s: %s", server->url, text);
    instance_failed(instance, NULL, full, hint);
    instance_forget(instance);
}

struct json_object *info_of_spec(struct json_object *spec)
{
    struct json_object *info = json_object_new_object();
    struct json_object *actions = json_object_new_object();
    json_set(info, "actions", actions);
    json_object_object_foreach(spec, name, names)
    {
        if (!strchr(name, '.') || !json_object_is_type(names, json_type_array)) {
            continue;
        }
        struct json_object *action = json_object_new_object();
        struct json_object *params = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(names); i++) {
            const char *param = json_object_get_string(json_object_array_get_idx(names, i));
            size_t size = param ? strcspn(param, ":") : 0; /* an annotation is not the name */
            CLEANUP(str_free) char *bare = xstrndup(param, size);
            struct json_object *entry = json_object_new_object();
            json_set_str(entry, "name", bare);
            json_set_str(entry, "kind",
                         strncmp(bare, "**", 2) == 0 ? "dict"
                         : bare[0] == '*'            ? "list"
                                                     : "plain");
            json_set_str(entry, "type", "any");
            json_set_bool(entry, "required", false); /* the spec does not tell */
            (void)json_object_array_add(params, entry);
        }
        json_set(action, "params", params);
        json_set(actions, name, action);
    }
    return info;
}

static void ask_spec(struct server *server);

static void on_spec(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct server *server = arg;
    struct instance *instance = server->instance;
    struct control *control = server->control;
    CLEANUP(json_put) struct json_object *spec = NULL;
    struct err err = {0};
    if (outcome == HTTP_UNSENT && server->address->ai_next) { /* "localhost" has two */
        server->address = server->address->ai_next;
        server->client = http_client_free(server->client);
        ask_spec(server);
        return;
    }
    if (outcome != HTTP_REPLIED) {
        fail(server, outcome == HTTP_UNSENT ? "it cannot be reached" : "it gave no valid answer",
             "is the address right, and does an action server run there?");
        return;
    }
    if (reply->status != 200 || json_parse_object(reply->body, &spec, &err) < 0) {
        CLEANUP(str_free)
        char *text = xasprintf("GET %s/jaseci_actions_spec/ answered %d and no action spec",
                               server->base_path, reply->status);
        fail(server, text, NULL);
        return;
    }
    struct target *target = target_new_server(target_id_new(control), server->address->ai_addr,
                                              server->address->ai_addrlen, server->host,
                                              server->base_path, TAKE(server->trust));
    CLEANUP(json_put) struct json_object *modules = json_object_new_object();
    json_set(modules, control->modules[instance->loaded[0].module]->name, info_of_spec(spec));
    server->client = http_client_free(server->client);
    instance_ready(instance, target_set_of(target), modules);
}

static void ask_spec(struct server *server)
{
    struct err err = {0};
    if (server->tls && !server->trust) {
        server->trust = tls_client_new(NULL, &err);
        if (!server->trust) {
            fail(server, err.text, NULL);
            return;
        }
    }
    server->client = http_client_new(server->control->parts.loop, server->address->ai_addr,
                                     server->address->ai_addrlen, server->trust, server->name);
    CLEANUP(str_free)
    char *head = xasprintf("GET %s/jaseci_actions_spec/ HTTP/1.1\r\nHost: %s\r\n"
                           "Content-Type: application/json\r\n\r\n",
                           server->base_path, server->host);
    http_client_send(server->client,
                     &(struct http_send){.head = slice_str(head),
                                         .timeout_ms = SPEC_TIMEOUT_MS,
                                         .connect_timeout_ms = SPEC_TIMEOUT_MS,
                                         .reply_bytes_max = SPEC_BYTES_MAX},
                     on_spec, server);
}

static void resolve(void *arg)
{
    struct server *server = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    server->resolve_error = getaddrinfo(server->name, server->port, &hints, &server->addresses);
}

static void resolved(void *arg)
{
    struct server *server = arg;
    server->resolving = false;
    if (!server->instance) {
        server_destroy(server);
    } else if (server->resolve_error) {
        fail(server, gai_strerror(server->resolve_error), "is the host name right?");
    } else {
        server->address = server->addresses;
        ask_spec(server);
    }
}

struct server *server_start(struct instance *instance, const char *url)
{
    struct server *server = xcalloc(1, sizeof(*server));
    server->instance = instance;
    server->control = instance->control;
    if (parse_url(server, url) < 0) {
        server->name = xstrdup(""); /* resolving it fails with a clear text */
        server->port = xstrdup("80");
        str_replace(&server->url, url);
    }
    server->resolving = true;
    job_submit(server->control->parts.jobs, server->control->parts.loop, resolve, resolved, server);
    return server;
}
