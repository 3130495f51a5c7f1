/* A path of the API that is no operation: accounts, documentation, health. One row a path, listed
 * in route_table.c; OpenAPI is generated from the rows. */
#pragma once

#include <stdbool.h>

#include "http/server.h"

struct api;
struct api_call;

enum route_access {
    ROUTE_OPEN,
    ROUTE_USER,
    ROUTE_STAFF,
    ROUTE_NEAR, /* open on the daemon's own host, else staff */
};

struct route {
    enum request_method method;
    const char *path; /* "/user/manage/" or with one last variable part: "/user/activate/{code}" */
    bool deep;        /* the variable part may be empty and have slashes in it */
    enum route_access access;
    const char *help;
    const char *body; /* names of the JSON body's fields, e.g. "email password name?"; "" = none */
    const char *type; /* of the answer; NULL = JSON */
    bool changes;     /* as of an operation */
    void (*run)(struct api_call *call); /* control thread; must end in one api_answer, also later */
};

extern const struct route *const ROUTE_TABLE[]; /* ended by NULL */

struct api *api_of(const struct api_call *call);
struct slice api_variable(const struct api_call *call);    /* the variable path part */
struct json_object *api_body(const struct api_call *call); /* object; borrowed; never NULL */
struct slice api_header(const struct api_call *call, const char *name);
long api_user_id(const struct api_call *call); /* 0 = none */
bool api_user_is_staff(const struct api_call *call);

/* Answers with that status and body (owned; NULL = empty body). Control thread, once. */
void api_answer(struct api_call *call, int status, struct json_object *body);
/* What came, as it came. */
struct http_request *api_request(const struct api_call *call);
/* Answers with that; borrowed. */
void api_answer_as(struct api_call *call, const struct http_response *response);
/* 200 with a text that is no JSON; borrowed. */
void api_answer_text(struct api_call *call, const char *content_type, struct slice text);
