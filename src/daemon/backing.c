#include "daemon/backing.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/slice.h"
#include "daemon/listen.h"
#include "daemon/paths.h"
#include "daemon/settings.h"
#include "http/server.h"
#include "service/service.h"

/* Of a daemon that is started again: it serves from its copy meanwhile. */
#define QUICK_BOOT_MS 5000

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

bool backing_has_state(const struct settings *settings)
{
    return settings->state_url && strcmp(settings->state_url, "database") == 0;
}

/* Both settings as one: {name: config}, each kept alive unless it says otherwise. Owned. */
static struct json_object *given_services(const struct settings *settings)
{
    struct json_object *given = NULL;
    if (json_object_deep_copy(settings->services, &given, NULL) < 0) {
        abort();
    }
    for (size_t i = 0; i < json_object_array_length(settings->keep_alive); i++) {
        const char *name =
            json_object_get_string(json_object_array_get_idx(settings->keep_alive, i));
        if (name && !json_object_object_get_ex(given, name, NULL)) {
            json_set(given, name, json_object_new_object());
        }
    }
    if (backing_has_state(settings) && !json_object_object_get_ex(given, "database", NULL) &&
        !json_object_object_get_ex(given, "jaseci-db", NULL)) {
        json_set(given, "database", json_object_new_object());
    }
    json_object_object_foreach(given, name, config)
    {
        (void)name;
        if (json_object_is_type(config, json_type_object) &&
            !json_object_object_get_ex(config, "automated", NULL)) {
            json_set_bool(config, "automated", true);
        }
    }
    return given;
}

int backing_check(const struct settings *settings, struct err *err)
{
    CLEANUP(json_put) struct json_object *given = given_services(settings);
    return services_check_given(given, err) < 0 ? err_wrap(err, "settings services and keep_alive")
                                                : 0;
}

static uint64_t in_ms(double seconds)
{
    return (uint64_t)(seconds * 1000);
}

static struct service_settings service_settings_of(const struct settings *settings)
{
    return (struct service_settings){
        .interval_ms = in_ms(settings->service_interval_s),
        .check_timeout_ms = in_ms(settings->service_timeout_s),
        .start_timeout_ms = in_ms(settings->service_start_timeout_s),
        .stop_grace_ms = in_ms(settings->stop_grace_s),
    };
}

int backing_boot_database(const struct backing_parts *parts, bool quick, char **ret_url,
                          struct err *err)
{
    CLEANUP(json_put) struct json_object *given = given_services(parts->settings);
    struct service_settings settings = service_settings_of(parts->settings);
    if (quick && settings.start_timeout_ms > QUICK_BOOT_MS) {
        settings.start_timeout_ms = QUICK_BOOT_MS;
    }
    return services_boot_database(&(struct service_parts){.given = given,
                                                          .state_folder = parts->paths->state,
                                                          .run_folder = parts->paths->run,
                                                          .log_folder = parts->paths->logs,
                                                          .state_in_database = true},
                                  &settings, ret_url, err);
}

void backing_init(struct backing *backing, const struct backing_parts *parts)
{
    const struct settings *settings = parts->settings;
    struct service_settings service_settings = service_settings_of(settings);
    struct err err = {0};
    /* The same of all daemons that share a state, and after a restart: one Prometheus asks them. */
    backing->metrics_token = services_secret(parts->store, "metrics token", &err);
    if (!backing->metrics_token) {
        log_warn("Prometheus cannot read our metrics", "error=\"%s\"", err.text);
    }
    backing->given = given_services(settings);
    backing->metrics_url = own_url(parts);
    backing->services =
        services_new(&(struct service_parts){.given = backing->given,
                                             .loop = parts->loop,
                                             .store = parts->store,
                                             .manifests = parts->manifests,
                                             .state_folder = parts->paths->state,
                                             .run_folder = parts->paths->run,
                                             .log_folder = parts->paths->logs,
                                             .metrics_url = backing->metrics_url,
                                             .metrics_token = backing->metrics_token,
                                             .state_in_database = backing_has_state(settings)},
                     &service_settings);
}

void backing_done(struct backing *backing)
{
    backing->services = services_free(backing->services);
    free(backing->metrics_url);
    free(backing->metrics_token);
    backing->metrics_token = NULL;
    backing->metrics_url = NULL;
    backing->given = json_put(backing->given);
}

/* "Token TEXT", as Prometheus is told to send it. */
bool backing_is_scrape(const struct backing *backing, const struct http_request *request)
{
    struct slice header = http_request_header(request, "authorization");
    struct slice token = slice_from(header, strlen("Token "));
    size_t size = backing->metrics_token ? strlen(backing->metrics_token) : 0;
    return slice_starts(header, SLICE("Token ")) && size > 0 && token.size == size &&
           sodium_memcmp(token.data, backing->metrics_token, size) == 0;
}
