#include "cli/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/state.h"
#include "cli/session.h"

void endpoint_done(struct endpoint *endpoint)
{
    if (endpoint->token) {
        explicit_bzero(endpoint->token, strlen(endpoint->token));
    }
    free(endpoint->token);
    free(endpoint->url);
    free(endpoint->socket);
    free(endpoint->ca);
    free(endpoint->name);
    *endpoint = (struct endpoint){0};
}

int endpoint_clean_url(const char *url, char **ret_url, struct err *err)
{
    const char *scheme = strstr(url, "://");
    bool plain = scheme && strncasecmp(url, "http://", 7) == 0;
    bool tls = scheme && strncasecmp(url, "https://", 8) == 0;
    if (scheme && !plain && !tls) {
        return err_set(err, EINVAL, "'%s' begins with neither http:// nor https://", url);
    }
    const char *host = scheme ? scheme + 3 : url;
    size_t length = strlen(host);
    while (length > 0 && host[length - 1] == '/') {
        length--;
    }
    /* Accounts in the address would be shown wherever the address is. */
    if (length == 0 || strcspn(host, " \t\r\n?#@") < length) {
        return err_set(err, EINVAL, "an address looks like http://HOST:PORT, unlike '%s'", url);
    }
    *ret_url = xasprintf("%s%.*s", tls ? "https://" : "http://", (int)length, host);
    return 0;
}

bool endpoint_is_loopback(const char *url)
{
    static const char *const hosts[] = {"localhost", "127.", "[::1]"};
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;
    size_t length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t known = strlen(hosts[i]);
        bool numbers = hosts[i][known - 1] == '.' && strspn(host, "0123456789.") == length;
        if (strncasecmp(host, hosts[i], known) == 0 && (numbers || length == known)) {
            return true;
        }
    }
    return false;
}

bool endpoint_is_open_to_listeners(const struct endpoint *endpoint)
{
    return !endpoint->socket && strncmp(endpoint->url, "http://", 7) == 0 &&
           !endpoint_is_loopback(endpoint->url);
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int by_url(const char *url, const char *what, struct endpoint *endpoint, struct err *err)
{
    if (strncmp(url, "unix:", 5) == 0 && url[5] != '\0') {
        endpoint->socket = xstrdup(url + 5);
        endpoint->url = xstrdup("http://localhost");
        endpoint->name = xstrdup(url + 5);
        return 0;
    }
    int failed = endpoint_clean_url(url, &endpoint->url, err);
    if (failed) {
        return err_wrap(err, "%s", what);
    }
    endpoint->name = xstrdup(endpoint->url);
    return 0;
}

static int by_session(const struct json_object *common, const struct session *memory,
                      struct session *file, struct err *err)
{
    if (memory && memory->url) {
        *file = (struct session){.url = xstrdup(memory->url),
                                 .token = memory->token ? xstrdup(memory->token) : NULL};
        return 0;
    }
    CLEANUP(str_free) char *state = state_folder(json_str(common, "state"));
    CLEANUP(str_free) char *path = session_path(json_str(common, "session"), state);
    int failed = session_load(path, file, err);
    return failed == -ENOENT ? 0 : failed;
}

static void by_state(const struct json_object *common, struct endpoint *endpoint)
{
    CLEANUP(str_free) char *folder = state_folder(json_str(common, "state"));
    endpoint->socket = state_socket(folder);
    endpoint->url = xstrdup("http://localhost");
    endpoint->name = xstrdup(endpoint->socket);
}

static int find(const struct json_object *common, const struct session *memory,
                struct endpoint *endpoint, struct err *err)
{
    bool local = json_flag(common, "local", false);
    const char *url = local ? NULL : json_str(common, "url");
    const char *token = json_str(common, "token");
    const char *what = "--url";
    if (!url && !local) {
        url = environment("JSORC_URL");
        what = "JSORC_URL";
    }
    int failed = url ? by_url(url, what, endpoint, err) : 0;
    struct session session = {0};
    if (!failed && !local) {
        failed = by_session(common, memory, &session, err);
        if (failed && url) { /* a bad session file is no matter when the address is given */
            failed = 0;
        }
    }
    if (!failed && !url && session.url) {
        failed = by_url(session.url, "the session", endpoint, err);
        endpoint->by_session = true;
    }
    if (!failed && !endpoint->url) {
        by_state(common, endpoint);
    }
    if (!token && !local) {
        token = environment("JSORC_TOKEN");
    }
    /* Never to an address that it was not given for. */
    if (!token && !failed && session.token && strcmp(session.url, endpoint->url) == 0) {
        token = session.token;
    }
    endpoint->token = token ? xstrdup(token) : NULL;
    const char *ca = json_str(common, "ca");
    endpoint->ca = ca ? xstrdup(ca) : NULL;
    session_done(&session);
    return failed;
}

int endpoint_find(const struct json_object *common, const struct session *memory,
                  struct endpoint *ret_endpoint, struct err *err)
{
    struct endpoint endpoint = {0};
    int failed = find(common, memory, &endpoint, err);
    if (failed) {
        endpoint_done(&endpoint);
        return failed;
    }
    *ret_endpoint = endpoint;
    return 0;
}
