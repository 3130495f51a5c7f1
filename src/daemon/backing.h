/* The wiring of the backing services: what they are told of the daemon. */
#pragma once

#include <stdbool.h>

struct err;
struct http_request;
struct json_object;
struct listeners;
struct loop;
struct manifests;
struct paths;
struct services;
struct settings;
struct store;

struct backing {
    struct services *services;
    struct json_object *given;
    char *metrics_url;   /* NULL = no address that Prometheus can reach */
    char *metrics_token; /* with it /metrics may be read where a token is asked for; NULL = none */
};

struct backing_parts { /* borrowed; loop, store and paths for the services' life */
    struct loop *loop;
    struct store *store;
    struct manifests *manifests;
    const struct settings *settings;
    const struct paths *paths;
    const struct listeners *listeners;
};

/* Whether the settings name services that there are, with configs that can be right. -EINVAL. */
int backing_check(const struct settings *settings, struct err *err);

/* Whether our own state lies in the service `database`. */
bool backing_has_state(const struct settings *settings);

/* As services_boot_database, of these settings; quick = for a few seconds only. store, loop and
 * listeners are not looked at. */
int backing_boot_database(const struct backing_parts *parts, bool quick, char **ret_url,
                          struct err *err);

void backing_init(struct backing *backing, const struct backing_parts *parts);
void backing_done(struct backing *backing);

/* Our own Prometheus sent it. Any thread. */
bool backing_is_scrape(const struct backing *backing, const struct http_request *request);
