#include "provider/kubernetes/endpoints.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

const char *endpoints_service(const struct json_object *slice)
{
    struct json_object *metadata = json_member(slice, "metadata", json_type_object);
    return json_str(json_member(metadata, "labels", json_type_object),
                    "kubernetes.io/service-name");
}

const char *endpoints_port_name(const struct json_object *service)
{
    struct json_object *spec = json_member(service, "spec", json_type_object);
    struct json_object *ports = json_member(spec, "ports", json_type_array);
    const char *first = NULL;
    for (size_t i = 0; ports && i < json_object_array_length(ports); i++) {
        const char *name = json_str(json_object_array_get_idx(ports, i), "name");
        name = name ? name : "";
        if (strcmp(name, "http") == 0) {
            return name;
        }
        first = first ? first : name;
    }
    return first;
}

static uint16_t port_of(const struct json_object *slice, const char *name)
{
    struct json_object *ports = json_member(slice, "ports", json_type_array);
    for (size_t i = 0; ports && i < json_object_array_length(ports); i++) {
        struct json_object *port = json_object_array_get_idx(ports, i);
        const char *its_name = json_str(port, "name");
        int64_t number = json_int(port, "port", 0);
        if (strcmp(its_name ? its_name : "", name) == 0 && number > 0 && number <= UINT16_MAX) {
            return (uint16_t)number;
        }
    }
    return 0;
}

/* Absent counts as ready (EndpointSlice v1); what is terminating never is. */
static bool is_ready(const struct json_object *endpoint)
{
    return json_flag(json_member(endpoint, "conditions", json_type_object), "ready", true);
}

size_t endpoints_read(const struct json_object *slice, const char *port_name, struct endpoint *ret,
                      size_t max)
{
    struct json_object *all = json_member(slice, "endpoints", json_type_array);
    const char *type = json_str(slice, "addressType");
    uint16_t port = port_of(slice, port_name);
    size_t count = 0;
    if (!port || (type && strcmp(type, "FQDN") == 0)) {
        return 0;
    }
    for (size_t i = 0; all && i < json_object_array_length(all) && count < max; i++) {
        struct json_object *one = json_object_array_get_idx(all, i);
        struct json_object *addresses = json_member(one, "addresses", json_type_array);
        const char *pod = json_str(json_member(one, "targetRef", json_type_object), "name");
        const char *address =
            addresses ? json_object_get_string(json_object_array_get_idx(addresses, 0)) : NULL;
        if (!address || !is_ready(one)) {
            continue;
        }
        struct endpoint *endpoint = &ret[count++];
        *endpoint = (struct endpoint){.port = port};
        (void)snprintf(endpoint->pod, sizeof(endpoint->pod), "%s", pod ? pod : "");
        (void)snprintf(endpoint->address, sizeof(endpoint->address), "%s", address);
        struct sockaddr_storage storage;
        socklen_t size = 0;
        count -= endpoint_address(endpoint, &storage, &size) < 0; /* cut or no address */
    }
    return count;
}

static int by_pod(const void *a, const void *b)
{
    const struct endpoint *left = a, *right = b;
    int order = strcmp(left->pod, right->pod);
    bool left_six = strchr(left->address, ':') != NULL;
    bool right_six = strchr(right->address, ':') != NULL;
    if (order == 0 && left_six != right_six) {
        return left_six ? 1 : -1;
    }
    return order != 0 ? order : strcmp(left->address, right->address);
}

static int by_address(const void *a, const void *b)
{
    const struct endpoint *left = a, *right = b;
    int order = strcmp(left->address, right->address);
    return order != 0 ? order : left->port - right->port;
}

size_t endpoints_merge(struct endpoint *endpoints, size_t count)
{
    size_t kept = 0;
    if (count == 0) {
        return 0;
    }
    qsort(endpoints, count, sizeof(endpoints[0]), by_pod);
    for (size_t i = 0; i < count; i++) {
        const struct endpoint *last = kept > 0 ? &endpoints[kept - 1] : NULL;
        bool again = last && strcmp(last->pod, endpoints[i].pod) == 0 &&
                     (last->pod[0] || strcmp(last->address, endpoints[i].address) == 0);
        if (!again) {
            endpoints[kept++] = endpoints[i];
        }
    }
    qsort(endpoints, kept, sizeof(endpoints[0]), by_address);
    return kept;
}

bool endpoints_equal(const struct endpoint *a, size_t a_count, const struct endpoint *b,
                     size_t b_count)
{
    bool equal = a_count == b_count;
    for (size_t i = 0; equal && i < a_count; i++) {
        equal = strcmp(a[i].pod, b[i].pod) == 0 && by_address(&a[i], &b[i]) == 0;
    }
    return equal;
}

int endpoint_address(const struct endpoint *endpoint, struct sockaddr_storage *ret_address,
                     socklen_t *ret_size)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
    if (inet_pton(AF_INET, endpoint->address, &four.sin_addr) == 1) {
        memcpy(ret_address, &four, sizeof(four));
        *ret_size = sizeof(four);
    } else if (inet_pton(AF_INET6, endpoint->address, &six.sin6_addr) == 1) {
        memcpy(ret_address, &six, sizeof(six));
        *ret_size = sizeof(six);
    } else {
        return -EINVAL;
    }
    return 0;
}
