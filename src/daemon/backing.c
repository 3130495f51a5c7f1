#include "daemon/backing.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/slice.h"
#include "daemon/listen.h"
#include "daemon/paths.h"
#include "daemon/settings.h"
#include "http/server.h"
#include "service/service.h"

/* An address of ours that a process of this host can reach; owned by the caller; NULL = none. */
static char *own_url(const struct backing_parts *parts)
{
    const char *scheme = parts->settings->tls_cert ? "https" : "http";
    for (unsigned i = 0; i < parts->listeners->count; i++) {
        const char *address = parts->listeners->items[i].address;
        bool any = strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
        if (parts->listeners->items[i].kind != LISTEN_LOCAL) {
            return any ? xasprintf("%s://127.0.0.1%s", scheme, strrchr(address, ':'))
                       : xasprintf("%s://%s", scheme, address);
        }
    }
    return NULL;
}

static uint64_t in_ms(double seconds)
{
    return (uint64_t)(seconds * 1000);
}

void backing_init(struct backing *backing, const struct backing_parts *parts)
{
    const struct settings *settings = parts->settings;
    unsigned char bytes[sizeof(backing->metrics_token) / 2];
    randombytes_buf(bytes, sizeof(bytes));
    (void)sodium_bin2hex(backing->metrics_token, sizeof(backing->metrics_token), bytes,
                         sizeof(bytes));
    backing->metrics_url = own_url(parts);
    backing->services =
        services_new(&(struct service_parts){.loop = parts->loop,
                                             .store = parts->store,
                                             .state_folder = parts->paths->state,
                                             .run_folder = parts->paths->run,
                                             .log_folder = parts->paths->logs,
                                             .metrics_url = backing->metrics_url,
                                             .metrics_token = backing->metrics_token},
                     &(struct service_settings){
                         .interval_ms = in_ms(settings->service_interval_s),
                         .check_timeout_ms = in_ms(settings->service_timeout_s),
                         .start_timeout_ms = in_ms(settings->service_start_timeout_s),
                         .stop_grace_ms = in_ms(settings->stop_grace_s),
                     });
}

void backing_done(struct backing *backing)
{
    backing->services = services_free(backing->services);
    free(backing->metrics_url);
    backing->metrics_url = NULL;
}

/* "Token TEXT", as Prometheus is told to send it. */
bool backing_is_scrape(const struct backing *backing, const struct http_request *request)
{
    struct slice header = http_request_header(request, "authorization");
    struct slice token = slice_from(header, strlen("Token "));
    size_t size = strlen(backing->metrics_token);
    return slice_starts(header, SLICE("Token ")) && token.size == size &&
           sodium_memcmp(token.data, backing->metrics_token, size) == 0;
}
