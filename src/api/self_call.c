#include "api/self_call.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "api/api.h"
#include "base/alloc.h"
#include "base/json.h"
#include "http/client.h"

#define TIMEOUT_MS      (24 * 3600 * 1000ULL) /* the action's own limit comes first */
#define REPLY_BYTES_MAX (256UL * 1024 * 1024)

struct asking {
    struct http_client *client;
    self_call_fn fn;
    void *arg;
};

static void on_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct asking *asking = arg;
    CLEANUP(json_put) struct json_object *value = NULL;
    if (outcome == HTTP_REPLIED) {
        (void)json_parse(reply->body, &value, NULL);
    }
    asking->fn(asking->arg, outcome == HTTP_REPLIED ? reply->status : 0, value);
    http_client_free(asking->client);
    free(asking);
}

void self_call(struct api *api, const char *path, struct json_object *body, self_call_fn fn,
               void *arg)
{
    self_call_as(api, path, "", body, fn, arg);
}

void self_call_as(struct api *api, const char *path, const char *lines, struct json_object *body,
                  self_call_fn fn, void *arg)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", api->socket_path);
    struct asking *asking = xcalloc(1, sizeof(*asking));
    *asking = (struct asking){.fn = fn, .arg = arg};
    asking->client =
        http_client_new(api->loop, (struct sockaddr *)&address, sizeof(address), NULL, NULL);
    const char *text = json_text(body);
    CLEANUP(str_free)
    char *head =
        xasprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  "Content-Length: %zu\r\n%s\r\n",
                  path, strlen(text), lines);
    http_client_send(asking->client,
                     &(struct http_send){.head = slice_str(head),
                                         .body = slice_str(text),
                                         .timeout_ms = TIMEOUT_MS,
                                         .connect_timeout_ms = 2000,
                                         .reply_bytes_max = REPLY_BYTES_MAX},
                     on_reply, asking);
}
