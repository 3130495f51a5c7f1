/* What a peer may make us keep or wait for. One set for a server, named so that an error can say
 * which limit was met. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HTTP_HEADERS_MAX 64 /* header lines a message; browsers send about 15 */

struct http_limits {
    size_t head_bytes_max;       /* request line and headers; beyond: 431 */
    size_t body_bytes_max;       /* beyond: 413 */
    unsigned connections_max;    /* a server; beyond: the newest is closed at once */
    uint64_t idle_timeout_ms;    /* keep-alive without a request */
    uint64_t request_timeout_ms; /* first byte to last byte of a request; beyond: 408 */
    uint64_t body_bytes_per_s;   /* a body of n bytes has request_timeout_ms + n / this */
    uint64_t write_timeout_ms;   /* without progress while the peer does not read */
    int fd_min;                  /* connections get descriptors from here on; 0 = any */
};

#define HTTP_LIMITS_DEFAULT                                                                        \
    ((struct http_limits){.head_bytes_max = 32 * 1024,                                             \
                          .body_bytes_max = 64 * 1024 * 1024,                                      \
                          .connections_max = 4096,                                                 \
                          .idle_timeout_ms = 75 * 1000,                                            \
                          .request_timeout_ms = 15 * 1000,                                         \
                          .body_bytes_per_s = 16 * 1024,                                           \
                          .write_timeout_ms = 30 * 1000})
