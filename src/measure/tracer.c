#include "measure/tracer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "measure/batch.h"
#include "measure/exchange.h"
#include "measure/otlp.h"

#define TRACES_PATH "/v1/traces"

struct tracer {
    struct batch *batch; /* owned */
    char *url;
    char *version;
    double ratio;
    atomic_uint_fast64_t give_up_ms; /* the end waits no longer; 0 = it is not the end */
    atomic_uint_fast64_t exported;
    atomic_uint_fast64_t dropped;

    CURL *curl; /* the batch's thread's from here on */
    struct curl_slist *headers;
    bool failing;
};

bool tracer_samples(const struct tracer *tracer, uint64_t random)
{
    return (double)(random >> 11) < tracer->ratio * 0x1p53;
}

void tracer_add(struct tracer *tracer, const struct exchange *exchange)
{
    if (!exchange_put(tracer->batch, exchange)) {
        (void)atomic_fetch_add(&tracer->dropped, otlp_spans(exchange));
    }
}

/* ---- the thread ---- */

static bool gives_up(const struct tracer *tracer)
{
    uint64_t give_up_ms = atomic_load(&tracer->give_up_ms);
    return give_up_ms > 0 && clock_now_ms() >= give_up_ms;
}

/* libcurl asks about once a second whether to go on. */
static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return gives_up(arg);
}

static size_t ignore(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

/* One line of ours when it begins to fail, and one when it is over. */
static void note(struct tracer *tracer, bool failed, const char *error, long status)
{
    if (failed && !tracer->failing) {
        log_warn("traces are not taken", "url=%s error=\"%s\" status=%ld", tracer->url, error,
                 status);
    } else if (!failed && tracer->failing) {
        log_info("traces are taken again", "url=%s", tracer->url);
    }
    tracer->failing = failed;
}

static void post(struct tracer *tracer, const struct buf *body, unsigned spans)
{
    long status = 0;
    if (gives_up(tracer)) {
        (void)atomic_fetch_add(&tracer->dropped, spans);
        return;
    }
    (void)curl_easy_setopt(tracer->curl, CURLOPT_POSTFIELDS, body->data + body->start);
    (void)curl_easy_setopt(tracer->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)buf_size(body));
    CURLcode code = curl_easy_perform(tracer->curl);
    (void)curl_easy_getinfo(tracer->curl, CURLINFO_RESPONSE_CODE, &status);
    bool failed = code != CURLE_OK || status < 200 || status > 299;
    note(tracer, failed, code == CURLE_OK ? "refused" : curl_easy_strerror(code), status);
    (void)atomic_fetch_add(failed ? &tracer->dropped : &tracer->exported, spans);
}

static void send_batch(void *arg, char *data, size_t size)
{
    struct tracer *tracer = arg;
    struct exchange exchange;
    int64_t offset_ns = clock_unix_ms() * 1000000 - (int64_t)clock_now_ns();
    size_t at = 0;
    bool more = exchange_next(data, size, &at, &exchange);
    while (more) {
        struct buf body = {0};
        unsigned spans = 0;
        otlp_begin(&body, tracer->version);
        while (more && buf_size(&body) < TRACER_POST_BYTES) {
            spans += otlp_add(&body, &exchange, offset_ns, spans);
            more = exchange_next(data, size, &at, &exchange);
        }
        otlp_end(&body);
        post(tracer, &body, spans);
        buf_done(&body);
    }
}

/* ---- life ---- */

static int check_url(const char *url, struct err *err)
{
    CURLU *parsed = curl_url();
    char *found = NULL;
    bool good = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parsed, CURLUPART_SCHEME, &found, 0) == CURLUE_OK &&
                (strcmp(found, "http") == 0 || strcmp(found, "https") == 0);
    curl_free(found);
    curl_url_cleanup(parsed);
    return good ? 0
                : err_set(err, EINVAL,
                          "'%s' is no collector's URL: give one like http://127.0.0.1:4318", url);
}

static char *traces_url(const char *url)
{
    size_t size = strlen(url), tail = strlen(TRACES_PATH);
    if (size > tail && strcmp(url + size - tail, TRACES_PATH) == 0) {
        return xstrdup(url);
    }
    while (size > 0 && url[size - 1] == '/') {
        size--;
    }
    return xasprintf("%.*s%s", (int)size, url, TRACES_PATH);
}

static void prepare(struct tracer *tracer)
{
    CURL *curl = tracer->curl = curl_easy_init();
    if (!curl) {
        abort(); /* no memory */
    }
    tracer->headers = curl_slist_append(NULL, "Content-Type: application/json");
    tracer->headers = curl_slist_append(tracer->headers, "Expect:"); /* no pause before a body */
    (void)curl_easy_setopt(curl, CURLOPT_URL, tracer->url);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, tracer->headers);
    (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, tracer);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TRACER_POST_TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
}

struct tracer *tracer_new(const struct tracer_config *config, struct err *err)
{
    if (check_url(config->url, err) < 0) {
        return NULL;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)err_set(err, ENOMEM, "cannot prepare libcurl");
        return NULL;
    }
    struct tracer *tracer = xcalloc(1, sizeof(*tracer));
    tracer->url = traces_url(config->url);
    tracer->version = xstrdup(config->version);
    tracer->ratio = config->ratio;
    prepare(tracer);
    tracer->batch = batch_new(&(struct batch_config){.bytes_max = TRACER_QUEUE_BYTES,
                                                     .linger_ms = TRACER_LINGER_MS,
                                                     .take = send_batch,
                                                     .arg = tracer},
                              err);
    return tracer->batch ? tracer : tracer_free(tracer);
}

void tracer_stop(struct tracer *tracer)
{
    atomic_store(&tracer->give_up_ms, clock_now_ms() + TRACER_END_MS);
    batch_stop(tracer->batch);
}

struct tracer *tracer_free(struct tracer *tracer)
{
    if (tracer) {
        if (tracer->batch) {
            tracer_stop(tracer);
        }
        batch_free(tracer->batch);
        curl_easy_cleanup(tracer->curl);
        curl_slist_free_all(tracer->headers);
        curl_global_cleanup();
        free(tracer->url);
        free(tracer->version);
        free(tracer);
    }
    return NULL;
}

uint64_t tracer_exported(const struct tracer *tracer)
{
    return atomic_load(&tracer->exported);
}

uint64_t tracer_dropped(const struct tracer *tracer)
{
    return atomic_load(&tracer->dropped);
}
