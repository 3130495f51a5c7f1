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

/* Answers the request, now or later. */
void front_handle(const struct front *front, struct caller *caller, struct http_request *request);
