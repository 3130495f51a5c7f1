/* libcurl connects, with all that the configuration says of the server, the proxy and us
 * (CURLOPT_CONNECT_ONLY), and then only carries bytes. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "provider/kubernetes/kube_priv.h"

#define CREDENTIAL_PAUSE_MS 50 /* between two looks whether an exec plugin has ended */

struct kube_link {
    struct kube *kube; /* borrowed */
    struct kube_transfer transfer;
    struct loop_timer begin;
    int fd; /* libcurl's */
    kube_link_fn fn;
    void *arg;
};

static void on_connected(void *arg, CURLcode code)
{
    struct kube_link *link = arg;
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (code == CURLE_OK) {
        code = curl_easy_getinfo(link->transfer.easy, CURLINFO_ACTIVESOCKET, &fd);
    }
    if (code == CURLE_OK && fd != CURL_SOCKET_BAD) {
        link->fd = fd;
        link->fn(link->arg, NULL);
        return;
    }
    struct err err;
    const char *text = link->transfer.text;
    (void)err_set(&err, EHOSTUNREACH, "the API server '%s' cannot be reached: %s",
                  link->kube->config->server, *text ? text : curl_easy_strerror(code));
    link->fn(link->arg, &err);
}

static void on_begin(void *arg)
{
    struct kube_link *link = arg;
    struct err err = {0};
    switch (kube_credential_ready(link->kube, &err)) {
    case KUBE_READY:
        kube_transfer_begin(
            &link->transfer, link->kube,
            &(struct kube_send){.method = "GET", .path = "/", .fresh = true, .link = true});
        break;
    case KUBE_READY_LATER:
        loop_timer_set(link->kube->loop, &link->begin,
                       loop_now_ms(link->kube->loop) + CREDENTIAL_PAUSE_MS);
        break;
    case KUBE_READY_NEVER:
        link->fn(link->arg, &err);
        break;
    }
}

struct kube_link *kube_link_new(struct kube *kube, kube_link_fn fn, void *arg)
{
    struct kube_link *link = xcalloc(1, sizeof(*link));
    *link = (struct kube_link){.kube = kube, .fd = -1, .fn = fn, .arg = arg};
    link->begin = (struct loop_timer){.fn = on_begin, .arg = link};
    link->transfer.ended = on_connected;
    link->transfer.arg = link;
    loop_timer_set(kube->loop, &link->begin, loop_now_ms(kube->loop));
    return link;
}

struct kube_link *kube_link_free(struct kube_link *link)
{
    if (link) {
        loop_timer_clear(link->kube->loop, &link->begin);
        kube_transfer_done(&link->transfer);
        free(link);
    }
    return NULL;
}

void kube_link_head(const struct kube_link *link, const char *path, struct buf *out)
{
    const struct kube_config *config = link->kube->config;
    const char *host = strstr(config->server, "://") + 3;
    size_t host_size = strcspn(host, "/");
    buf_printf(out, "GET %s%s HTTP/1.1\r\n", host + host_size, path);
    if (config->server_name) {
        buf_printf(out, "Host: %s\r\n", config->server_name);
    } else {
        buf_printf(out, "Host: %.*s\r\n", (int)host_size, host);
    }
    if (link->kube->credential.authorization) {
        buf_printf(out, "%s\r\n", link->kube->credential.authorization);
    } else if (config->user) {
        CLEANUP(str_free)
        char *pair = xasprintf("%s:%s", config->user, config->password ? config->password : "");
        size_t size = sodium_base64_ENCODED_LEN(strlen(pair), sodium_base64_VARIANT_ORIGINAL);
        CLEANUP(str_free) char *text = xcalloc(1, size);
        (void)sodium_bin2base64(text, size, (const unsigned char *)pair, strlen(pair),
                                sodium_base64_VARIANT_ORIGINAL);
        buf_printf(out, "Authorization: Basic %s\r\n", text);
    }
    buf_printf(out, "User-Agent: jsorc/" JSORC_VERSION "\r\n");
}

void kube_link_refused(struct kube_link *link)
{
    kube_credential_renew(link->kube);
}

int kube_link_fd(const struct kube_link *link)
{
    return link->fd;
}

static ssize_t result_of(CURLcode code, size_t size)
{
    return code == CURLE_OK ? (ssize_t)size : code == CURLE_AGAIN ? -EAGAIN : -EIO;
}

ssize_t kube_link_read(struct kube_link *link, void *data, size_t size)
{
    size_t got = 0;
    CURLcode code = curl_easy_recv(link->transfer.easy, data, size, &got);
    return result_of(code, got);
}

ssize_t kube_link_write(struct kube_link *link, struct slice data)
{
    size_t put = 0;
    CURLcode code = curl_easy_send(link->transfer.easy, data.data, data.size, &put);
    return result_of(code, put);
}
