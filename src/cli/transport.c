#include "cli/transport.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/err.h"
#include "cli/endpoint.h"
#include "cli/version.h"

struct transport {
    CURL *curl;                 /* owned */
    char text[CURL_ERROR_SIZE]; /* libcurl's own words for the last failure */
};

struct receiver {
    struct reply *reply;
    bool too_large;
};

static struct curl_slist *header_list_free(struct curl_slist *list)
{
    curl_slist_free_all(list);
    return NULL;
}
DEFINE_CLEANUP(struct curl_slist *, header_list_free)

void reply_done(struct reply *reply)
{
    free(reply->content_type);
    buf_done(&reply->body);
    *reply = (struct reply){0};
}

struct transport *transport_new(void)
{
    struct transport *transport = xcalloc(1, sizeof(*transport));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        abort();
    }
    transport->curl = curl_easy_init();
    if (!transport->curl) {
        abort();
    }
    return transport;
}

struct transport *transport_free(struct transport *transport)
{
    if (transport) {
        curl_easy_cleanup(transport->curl);
        curl_global_cleanup();
    }
    free(transport);
    return NULL;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct receiver *receiver = arg;
    size_t bytes = size * count;
    if (buf_size(&receiver->reply->body) + bytes > TRANSPORT_REPLY_MAX ||
        buf_append(&receiver->reply->body, data, bytes) < 0) {
        receiver->too_large = true;
        return 0;
    }
    return bytes;
}

/* The value of a header line when it is called name. */
static bool header_value(struct slice line, const char *name, struct slice *ret_value)
{
    size_t length = strlen(name);
    if (line.size <= length || line.data[length] != ':' ||
        strncasecmp(line.data, name, length) != 0) {
        return false;
    }
    struct slice value = slice_from(line, length + 1);
    while (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value = slice_from(value, 1);
    }
    while (value.size > 0 && strchr(" \t\r\n", value.data[value.size - 1])) {
        value.size--;
    }
    *ret_value = value;
    return true;
}

static double exec_of(struct slice timing)
{
    CLEANUP(str_free) char *text = xstrndup(timing.data, timing.size);
    const char *exec = strstr(text, "exec;dur=");
    return exec ? strtod(exec + strlen("exec;dur="), NULL) : -1;
}

static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
    struct receiver *receiver = arg;
    struct reply *reply = receiver->reply;
    struct slice line = {data, size * count};
    struct slice value;
    if (header_value(line, "Content-Type", &value)) {
        free(reply->content_type);
        reply->content_type = xstrndup(value.data, value.size);
    } else if (header_value(line, "X-Jsorc-Error", &value)) {
        reply->op_failed = value.size > 0 && value.data[0] != '0';
    } else if (header_value(line, "Server-Timing", &value)) {
        reply->exec_ms = exec_of(value);
    }
    return line.size;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    if (!longer) {
        abort();
    }
    return longer;
}

static struct curl_slist *make_headers(const struct endpoint *endpoint,
                                       const struct request *request)
{
    const char *type = request->content_type ? request->content_type : "application/json";
    CLEANUP(str_free) char *content_type = xasprintf("Content-Type: %s", type);
    struct curl_slist *list = add_header(NULL, content_type);
    list = add_header(list, "Accept: application/json");
    list = add_header(list, "Expect:"); /* large bodies at once: no second round trip */
    if (endpoint->token) {
        char *line = xasprintf("Authorization: Token %s", endpoint->token);
        list = add_header(list, line);
        explicit_bzero(line, strlen(line));
        free(line);
    }
    return list;
}

static void set_target(CURL *curl, const struct endpoint *endpoint, const char *url)
{
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, endpoint->socket);
    if (endpoint->socket || endpoint_is_loopback(endpoint->url)) {
        (void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* a proxy cannot reach this host */
    }
    if (endpoint->ca) {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, endpoint->ca);
    }
}

static void set_request(CURL *curl, const struct request *request)
{
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "jsorc/" JSORC_VERSION);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)TRANSPORT_CONNECT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->timeout_ms);
    if (strcmp(request->method, "GET") != 0) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                               request->body.size ? request->body.data : "");
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
        (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

/* What to do about a daemon that cannot be reached. */
static const char *advice(const struct endpoint *endpoint, long os_error)
{
    if (!endpoint->socket) {
        return endpoint->by_session ? "check that it runs there, or run 'jsorc logout' to go back "
                                      "to the daemon of this host"
                                    : "check the address, and that 'jsorc serve' runs there";
    }
    if (os_error == EACCES || os_error == EPERM) {
        return "it belongs to another user; log in to it by its address with 'jsorc login URL'";
    }
    return "start it with 'jsorc serve'";
}

static int unreachable(const struct transport *transport, const struct endpoint *endpoint,
                       CURLcode code, struct err *err)
{
    long os_error = 0;
    (void)curl_easy_getinfo(transport->curl, CURLINFO_OS_ERRNO, &os_error);
    struct sockaddr_un address;
    if (endpoint->socket && strlen(endpoint->socket) >= sizeof(address.sun_path)) {
        return err_set(err, EHOSTUNREACH,
                       "cannot reach the daemon at '%s': a socket's path has at most %zu bytes; "
                       "give a state folder with a shorter path (--state DIR)",
                       endpoint->name, sizeof(address.sun_path) - 1);
    }
    if (code == CURLE_COULDNT_CONNECT && os_error == ENOENT && endpoint->socket) {
        return err_set(err, EHOSTUNREACH,
                       "cannot reach the daemon at '%s': no such socket; %s, or name the state "
                       "folder of the one that runs (--state DIR)",
                       endpoint->name, advice(endpoint, os_error));
    }
    const char *cause = code == CURLE_COULDNT_CONNECT && os_error ? strerror((int)os_error)
                        : *transport->text                        ? transport->text
                                                                  : curl_easy_strerror(code);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        cause = "it does not accept the connection in time";
    }
    return err_set(err, EHOSTUNREACH, "cannot reach the daemon at '%s': %s; %s", endpoint->name,
                   cause, advice(endpoint, os_error));
}

static int explain(const struct transport *transport, const struct endpoint *endpoint,
                   const struct request *request, CURLcode code, struct err *err)
{
    curl_off_t connect_us = 0;
    (void)curl_easy_getinfo(transport->curl, CURLINFO_CONNECT_TIME_T, &connect_us);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return unreachable(transport, endpoint, code, err);
    case CURLE_SSL_CONNECT_ERROR:
        return err_set(err, EHOSTUNREACH,
                       "cannot speak TLS with the daemon at '%s': %s; if it listens without TLS, "
                       "its address begins with http://",
                       endpoint->name,
                       *transport->text ? transport->text : curl_easy_strerror(code));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(err, EHOSTUNREACH,
                       "cannot speak TLS with the daemon at '%s': %s; name the certificate to "
                       "trust with --ca FILE",
                       endpoint->name,
                       *transport->text ? transport->text : curl_easy_strerror(code));
    case CURLE_OPERATION_TIMEDOUT:
        if (connect_us == 0 && !endpoint->socket) {
            return unreachable(transport, endpoint, code, err);
        }
        return err_set(err, ETIMEDOUT,
                       "no answer from the daemon at '%s' in %g s, though the request was sent; "
                       "give it longer with --timeout SECONDS (0 = no limit)",
                       endpoint->name, (double)request->timeout_ms / 1000);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
        return err_set(err, EPROTO,
                       "the daemon at '%s' closed the connection without an answer: it may have "
                       "been restarted, and the request may have been carried out%s",
                       endpoint->name,
                       !endpoint->socket && strncmp(endpoint->url, "http:", 5) == 0
                           ? "; if it listens with TLS, its address begins with https://"
                           : "");
    default:
        return err_set(err, EPROTO, "no answer from the daemon at '%s': %s", endpoint->name,
                       *transport->text ? transport->text : curl_easy_strerror(code));
    }
}

int transport_send(struct transport *transport, const struct endpoint *endpoint,
                   const struct request *request, struct reply *ret_reply, struct err *err)
{
    CURL *curl = transport->curl;
    struct reply reply = {.exec_ms = -1};
    struct receiver receiver = {.reply = &reply};
    CLEANUP(str_free) char *url = xasprintf("%s%s", endpoint->url, request->path);
    CLEANUP(header_list_free) struct curl_slist *headers = make_headers(endpoint, request);

    curl_easy_reset(curl); /* keeps the connection */
    transport->text[0] = '\0';
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transport->text);
    set_target(curl, endpoint, url);
    set_request(curl, request);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &receiver);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, &receiver);

    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        reply_done(&reply);
        if (receiver.too_large) {
            return err_set(err, EFBIG, "the answer of '%s' has more than %d MiB", endpoint->name,
                           TRANSPORT_REPLY_MAX >> 20);
        }
        return explain(transport, endpoint, request, code, err);
    }
    long status = 0;
    double seconds = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &seconds);
    reply.status = (int)status;
    reply.total_ms = seconds * 1000;
    *ret_reply = reply;
    return 0;
}
