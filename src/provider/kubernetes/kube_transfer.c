/* What libcurl is told of one transfer: where, who, what, and where the answer goes. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "provider/kubernetes/kube_priv.h"

#define KEEPALIVE_S 15    /* a peer that is gone is noticed after about 15 + 3 * 5 s */
#define UNACKED_MS  30000 /* bytes sent and not acknowledged so long: the connection is dead */

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct kube_transfer *transfer = arg;
    *transfer->byte_count += size * count;
    if (buf_size(&transfer->body) + size * count > transfer->bytes_max ||
        buf_append(&transfer->body, data, size * count) < 0) {
        transfer->too_large = true;
        return 0;
    }
    transfer->dirty = transfer->came != NULL;
    return size * count;
}

static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
    struct kube_transfer *transfer = arg;
    if (size * count <= 2 && (data[0] == '\r' || data[0] == '\n')) {
        transfer->begun = true;
        transfer->dirty = transfer->came != NULL;
    }
    return size * count;
}

/* Without it a watch on a connection whose peer is gone waits for hours. */
static int set_socket_options(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    unsigned unacked_ms = UNACKED_MS;
    (void)arg;
    (void)purpose;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof(unacked_ms));
    return CURL_SOCKOPT_OK;
}

static void add_header(struct kube_transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);
    if (!longer) {
        abort();
    }
    transfer->headers = longer;
}

static void set_blob(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = {(void *)(uintptr_t)pem, strlen(pem), CURL_BLOB_COPY};
    (void)curl_easy_setopt(easy, option, &blob);
}

static void set_identity(CURL *easy, const struct kube *kube)
{
    const struct kube_config *config = kube->config;
    const struct kube_credential *credential = &kube->credential;
    const char *certificate =
        credential->certificate ? credential->certificate : config->certificate_pem;
    const char *key = credential->key ? credential->key : config->key_pem;
    if (certificate) {
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
        set_blob(easy, CURLOPT_SSLCERT_BLOB, certificate);
    } else if (config->certificate_file) {
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, config->certificate_file);
    }
    if (key) {
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
        set_blob(easy, CURLOPT_SSLKEY_BLOB, key);
    } else if (config->key_file) {
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEY, config->key_file);
    }
    if (config->user) {
        (void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        (void)curl_easy_setopt(easy, CURLOPT_USERNAME, config->user);
        (void)curl_easy_setopt(easy, CURLOPT_PASSWORD, config->password ? config->password : "");
    }
}

static bool is_loopback(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
           strncmp(host, "localhost", 9) == 0;
}

/* The URL with the name that the certificate is for, and where to connect instead. */
static char *make_url(struct kube_transfer *transfer, const struct kube_config *config,
                      const char *path)
{
    if (!config->server_name) {
        return xasprintf("%s%s", config->server, path);
    }
    const char *host = strstr(config->server, "://") + 3;
    size_t host_length = strcspn(host, "/");
    CLEANUP(str_free) char *line = xasprintf("::%.*s", (int)host_length, host);
    const char *port = strrchr(line, ':');
    bool has_port = port && port > line + 1 && !strchr(port, ']');
    transfer->connect_to = curl_slist_append(NULL, line);
    (void)curl_easy_setopt(transfer->easy, CURLOPT_CONNECT_TO, transfer->connect_to);
    return xasprintf("%.*s%s%s%s%s", (int)(host - config->server), config->server,
                     config->server_name, has_port ? port : "", host + host_length, path);
}

static void set_server(struct kube_transfer *transfer, const struct kube *kube, const char *path)
{
    const struct kube_config *config = kube->config;
    CURL *easy = transfer->easy;
    CLEANUP(str_free) char *url = make_url(transfer, config, path);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    if (config->proxy || is_loopback(config->server)) { /* a proxy cannot reach this host */
        (void)curl_easy_setopt(easy, CURLOPT_PROXY, config->proxy ? config->proxy : "");
    }
    if (config->insecure) {
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (config->ca_pem) {
        set_blob(easy, CURLOPT_CAINFO_BLOB, config->ca_pem);
    } else if (config->ca_file) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file);
        (void)curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* it rotates in a pod */
    }
}

static void set_request(struct kube_transfer *transfer, const struct kube_send *send)
{
    CURL *easy = transfer->easy;
    long version = send->link ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, send->link ? 1L : 0L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, send->link ? 1L : 0L);
    (void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, send->link ? 0L : 1L);
    (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, send->fresh ? 1L : 0L);
    (void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, send->fresh && !send->link ? 1L : 0L);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* not for a name that nobody resolves */
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "jsorc/" JSORC_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)KUBE_CONNECT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)send->timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
    (void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_socket_options);
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, send->method);
    if (send->content_type) {
        CLEANUP(str_free) char *line = xasprintf("Content-Type: %s", send->content_type);
        add_header(transfer, line);
        add_header(transfer, "Expect:"); /* large bodies at once: no second round trip */
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, send->body.data);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)send->body.size);
    }
}

static void set_callbacks(struct kube_transfer *transfer)
{
    CURL *easy = transfer->easy;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->text);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
}

void kube_transfer_set_up(struct kube_transfer *transfer, struct kube *kube,
                          const struct kube_send *send)
{
    transfer->text[0] = '\0';
    transfer->byte_count = &kube->figures.body_bytes;
    set_server(transfer, kube, send->path);
    set_identity(transfer->easy, kube);
    set_request(transfer, send);
    set_callbacks(transfer);
    add_header(transfer, "Accept: application/json");
    if (kube->credential.authorization) {
        add_header(transfer, kube->credential.authorization);
    }
    (void)curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}
