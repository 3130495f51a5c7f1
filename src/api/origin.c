#include "api/origin.h"

#include <stddef.h>

/* "127.0.0.1", also any other address of that network: digits and dots, so that a name such as
 * "127.example.org" is none. */
static bool is_loopback_v4(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] != '.' && (name.data[i] < '0' || name.data[i] > '9')) {
            return false;
        }
    }
    return slice_starts(name, SLICE("127."));
}

bool host_is_own(struct slice host)
{
    const char *colon = host.size > 0 ? memrchr(host.data, ':', host.size) : NULL;
    bool is_port = colon && !memchr(colon, ']', (size_t)(host.data + host.size - colon));
    struct slice name = {host.data, is_port ? (size_t)(colon - host.data) : host.size};
    return slice_eq_nocase(name, SLICE("localhost")) || slice_eq(name, SLICE("[::1]")) ||
           is_loopback_v4(name);
}

bool origin_is_foreign(struct slice origin)
{
    static const struct slice schemes[] = {SLICE("http://"), SLICE("https://")};
    if (origin.size == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (slice_starts(origin, schemes[i]) && host_is_own(slice_from(origin, schemes[i].size))) {
            return false;
        }
    }
    return true;
}
