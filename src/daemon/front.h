/* Who gets a request: an action, a walker, or the API. Runs in the I/O threads. */
#pragma once

#include <stdbool.h>

struct api_http;
struct caller;
struct http_request;

struct front {
    struct api_http *api;
    bool open_loopback; /* actions and walkers need no token over loopback */
    bool open_network;  /* nor from elsewhere */
};

/* From this host, where no token is asked, and from no web page of elsewhere. */
bool front_is_near(const struct front *front, struct http_request *request);

/* Answers the request, now or later. */
void front_handle(const struct front *front, struct caller *caller, struct http_request *request);
