#include "measure/exchange.h"

#include <netinet/in.h>

#include "measure/batch.h"

void exchange_set_remote(struct exchange *exchange, const struct sockaddr *remote)
{
    exchange->family = remote->sa_family;
    if (remote->sa_family == AF_INET) {
        const struct sockaddr_in *address = (const struct sockaddr_in *)remote;
        memcpy(exchange->address, &address->sin_addr, sizeof(address->sin_addr));
        exchange->port = address->sin_port;
    } else if (remote->sa_family == AF_INET6) {
        const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)remote;
        memcpy(exchange->address, &address->sin6_addr, sizeof(address->sin6_addr));
        exchange->port = address->sin6_port;
    }
}

/* The struct as it is, then its texts. */
bool exchange_put(struct batch *batch, const struct exchange *exchange)
{
    struct exchange packed = *exchange;
    struct slice parts[1 + EXCHANGE_TEXTS] = {{(const char *)&packed, sizeof(packed)}};
    for (size_t i = 0; i < EXCHANGE_TEXTS; i++) {
        if (packed.texts[i].size > EXCHANGE_TEXT_MAX) {
            packed.texts[i].size = EXCHANGE_TEXT_MAX;
        }
        parts[1 + i] = packed.texts[i];
    }
    return batch_add(batch, parts, 1 + EXCHANGE_TEXTS);
}

bool exchange_next(char *data, size_t size, size_t *at, struct exchange *ret)
{
    if (*at >= size) {
        return false;
    }
    memcpy(ret, data + *at, sizeof(*ret));
    *at += sizeof(*ret);
    for (size_t i = 0; i < EXCHANGE_TEXTS; i++) {
        ret->texts[i].data = data + *at;
        *at += ret->texts[i].size;
    }
    return true;
}
