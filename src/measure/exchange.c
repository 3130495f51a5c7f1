#include "measure/exchange.h"

#include <netinet/in.h>
#include <stddef.h>

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

/* A copy in a batch: the numbers, how long each text and the trace are, the trace if there is one,
 * the texts. Short, because another processor reads what this one wrote. */
#define NUMBERS_BYTES offsetof(struct exchange, trace)

struct lengths {
    uint16_t texts[EXCHANGE_TEXTS];
    uint16_t trace;
};
_Static_assert(EXCHANGE_TEXT_MAX <= UINT16_MAX, "a text's length is kept in 16 bits");

bool exchange_put(struct batch *batch, const struct exchange *exchange)
{
    struct lengths lengths = {.trace = exchange->trace.known ? sizeof(exchange->trace) : 0};
    struct slice parts[3 + EXCHANGE_TEXTS] = {{(const char *)exchange, NUMBERS_BYTES},
                                              {(const char *)&lengths, sizeof(lengths)},
                                              {(const char *)&exchange->trace, lengths.trace}};
    for (size_t i = 0; i < EXCHANGE_TEXTS; i++) {
        struct slice text = exchange->texts[i];
        text.size = text.size < EXCHANGE_TEXT_MAX ? text.size : EXCHANGE_TEXT_MAX;
        lengths.texts[i] = (uint16_t)text.size;
        parts[3 + i] = text;
    }
    return batch_add(batch, parts, 3 + EXCHANGE_TEXTS);
}

static const char *take(const char *data, size_t *at, size_t size)
{
    const char *part = data + *at;
    *at += size;
    return part;
}

bool exchange_next(const char *data, size_t size, size_t *at, struct exchange *ret)
{
    struct lengths lengths;
    if (*at >= size) {
        return false;
    }
    memcpy(ret, take(data, at, NUMBERS_BYTES), NUMBERS_BYTES);
    memcpy(&lengths, take(data, at, sizeof(lengths)), sizeof(lengths));
    ret->trace = (struct trace_context){0};
    memcpy(&ret->trace, take(data, at, lengths.trace), lengths.trace);
    for (size_t i = 0; i < EXCHANGE_TEXTS; i++) {
        ret->texts[i] = (struct slice){take(data, at, lengths.texts[i]), lengths.texts[i]};
    }
    return true;
}
