#include "service/fetch.h"

#include <curl/curl.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"

struct taking {
    const struct fetch *fetch;
    struct buf *body;
};

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
    struct taking *taking = arg;
    (void)one;
    if (buf_size(taking->body) + size > taking->fetch->bytes_max ||
        buf_append(taking->body, data, size) < 0) {
        return 0; /* libcurl takes it for an error of writing */
    }
    return size;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct fetch *fetch = arg;
    (void)a, (void)b, (void)c, (void)d;
    return fetch->stopping && atomic_load(fetch->stopping);
}

static char *header_of(CURL *curl, const char *name)
{
    struct curl_header *header = NULL;
    return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK
               ? xstrdup(header->value)
               : NULL;
}

static struct curl_slist *set_options(CURL *curl, const struct fetch *fetch, struct taking *taking,
                                      char *error)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:"); /* no pause before a body */
    (void)curl_easy_setopt(curl, CURLOPT_URL, fetch->url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)fetch->timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)fetch->timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, taking);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, fetch);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    if (fetch->user) {
        (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        (void)curl_easy_setopt(curl, CURLOPT_USERPWD, fetch->user);
    }
    if (fetch->post) {
        const char *given = fetch->content_type ? fetch->content_type : "";
        CLEANUP(str_free) char *type = xasprintf("Content-Type: %s", given);
        headers = curl_slist_append(headers, type);
        (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, fetch->body.data ? fetch->body.data : "");
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body.size);
    }
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    return headers;
}

int fetch_run(const struct fetch *fetch, struct fetch_reply *ret, struct err *err)
{
    *ret = (struct fetch_reply){0};
    CURL *curl = curl_easy_init();
    if (!curl) {
        return err_set(err, EHOSTUNREACH, "libcurl did not start");
    }
    char error[CURL_ERROR_SIZE] = "";
    struct taking taking = {fetch, &ret->body};
    struct curl_slist *headers = set_options(curl, fetch, &taking, error);
    CURLcode code = curl_easy_perform(curl);
    int failed = 0;
    if (code != CURLE_OK) {
        fetch_reply_done(ret);
        failed = err_set(err, EHOSTUNREACH, "%s: %s", fetch->url,
                         *error ? error : curl_easy_strerror(code));
    } else {
        long status = 0;
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        ret->status = (int)status;
        ret->content_type = header_of(curl, "Content-Type");
        ret->location = header_of(curl, "Location");
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return failed;
}

void fetch_reply_done(struct fetch_reply *reply)
{
    buf_done(&reply->body);
    free(reply->content_type);
    free(reply->location);
    *reply = (struct fetch_reply){0};
}

char *fetch_escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    char *copy = xstrdup(escaped ? escaped : "");
    curl_free(escaped);
    return copy;
}
