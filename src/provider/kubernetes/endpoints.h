/* Where the pods behind a Service answer, read from its EndpointSlices. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct json_object;

#define ENDPOINT_NAME_MAX 253 /* of a pod: RFC 1123 subdomain */

struct endpoint {
    char pod[ENDPOINT_NAME_MAX + 1]; /* "" = the slice names none */
    char address[46];                /* numeric, IPv4 or IPv6 */
    uint16_t port;
};

/* The Service that the slice is of; borrowed; NULL = none. */
const char *endpoints_service(const struct json_object *slice);

/* The name of the port of a Service that speaks the wire format: "http", else the first one's; ""
 * when it has none. Borrowed. NULL = the Service has no port. */
const char *endpoints_port_name(const struct json_object *service);

/* Those that are ready, at the port of that name, to ret[max]; how many. */
size_t endpoints_read(const struct json_object *slice, const char *port_name, struct endpoint *ret,
                      size_t max);

/* One address a pod (a Service of two families has slices for both: IPv4 is kept), in order of
 * address. Changes endpoints[count]; the new count. */
size_t endpoints_merge(struct endpoint *endpoints, size_t count);

bool endpoints_equal(const struct endpoint *a, size_t a_count, const struct endpoint *b,
                     size_t b_count);

/* As a socket's address; 0 or -EINVAL. */
int endpoint_address(const struct endpoint *endpoint, struct sockaddr_storage *ret_address,
                     socklen_t *ret_size);
