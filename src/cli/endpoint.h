/* Which daemon a command speaks to, and with what right. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"

struct err;
struct json_object;
struct session;

struct endpoint {
    char *url;    /* owned; no '/' at its end; "http://localhost" for a socket */
    char *socket; /* owned; path of a Unix socket, or NULL = by url */
    char *token;  /* owned, a secret; NULL = none */
    char *ca;     /* owned; file of certificates to trust, or NULL = the system's */
    char *name;   /* owned; for people: the url or the socket's path */
    bool by_session;
};

void endpoint_done(struct endpoint *endpoint); /* wipes the token */

/* From the common options (borrowed), the environment and the session, in this order: --local,
 * --url, JSORC_URL, memory (a login kept in this process; NULL or without url = none), the session
 * file, and last the daemon of the state folder. A token is taken from --token, JSORC_TOKEN, or, if
 * it was given for that very address, from the session. -EINVAL for an address that is none. */
int endpoint_find(const struct json_object *common, const struct session *memory,
                  struct endpoint *ret_endpoint, struct err *err);

/* url without the '/' at its end; "http://" is put before an address without a scheme. Owned by the
 * caller; -EINVAL: neither http nor https, or no host. */
int endpoint_clean_url(const char *url, char **ret_url, struct err *err);

/* http, and to another machine: a token would cross the network in the clear. */
bool endpoint_is_open_to_listeners(const struct endpoint *endpoint);

/* A host name or address of the loopback interface. */
bool endpoint_is_loopback(const char *url);
