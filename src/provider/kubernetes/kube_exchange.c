/* One request with its tries. All of them stand in one queue, from which a timer of the client
 * sends, as many at a time as are allowed and once it is known who we are. So every callback comes
 * from the loop, and a caller may begin and cancel requests within any of them.
 *
 *   IDLE -> QUEUED -> FLYING -> ended
 *              ^         |
 *              +- PAUSED <   "later", or lost and repeatable */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "provider/kubernetes/kube_priv.h"

/* Streams have their own: no number of them is too many, and none has to wait behind requests. */
static struct kube_queue *queue_of(const struct kube_exchange *exchange)
{
    struct kube *kube = exchange->kube;
    return exchange->stream ? &kube->streams_waiting : &kube->requests_waiting;
}

static void enqueue(struct kube_exchange *exchange)
{
    struct kube *kube = exchange->kube;
    struct kube_queue *queue = queue_of(exchange);
    exchange->state = KUBE_QUEUED;
    exchange->since_ms = loop_now_ms(kube->loop);
    exchange->next = NULL;
    exchange->previous = queue->last;
    *(queue->last ? &queue->last->next : &queue->first) = exchange;
    queue->last = exchange;
    queue->count++;
    kube_pump_soon(kube);
}

static void dequeue(struct kube_exchange *exchange)
{
    struct kube_queue *queue = queue_of(exchange);
    *(exchange->previous ? &exchange->previous->next : &queue->first) = exchange->next;
    *(exchange->next ? &exchange->next->previous : &queue->last) = exchange->previous;
    exchange->next = exchange->previous = NULL;
    queue->count--;
}

/* Ends the current try, whatever it is at. */
static void halt(struct kube_exchange *exchange)
{
    struct kube *kube = exchange->kube;
    if (exchange->state == KUBE_QUEUED) {
        dequeue(exchange);
    } else if (exchange->state == KUBE_FLYING) {
        kube_note_answer(exchange, 0); /* unless one came */
        if (!exchange->stream) {
            kube->flying--;
            kube_pump_soon(kube);
        }
    } else if (exchange->state == KUBE_PAUSED) {
        loop_timer_clear(kube->loop, &exchange->timer);
    }
    exchange->state = KUBE_IDLE;
}

void kube_exchange_done(struct kube_exchange *exchange)
{
    if (exchange->kube) {
        halt(exchange);
    }
    kube_transfer_done(&exchange->transfer);
    kube_deed_done(&exchange->deed);
    exchange->path = free_null(exchange->path);
    exchange->body = free_null(exchange->body);
}

void kube_pump_soon(struct kube *kube)
{
    if (kube->pump.place == 0) {
        loop_timer_set(kube->loop, &kube->pump, loop_now_ms(kube->loop));
    }
}

uint64_t kube_backoff_ms(struct kube *kube, unsigned n, uint64_t retry_after_ms)
{
    const struct kube_settings *settings = &kube->settings;
    uint64_t pause_ms = settings->backoff_ms_min;
    for (unsigned i = 1; i < n && pause_ms < settings->backoff_ms_max; i++) {
        pause_ms *= 2;
    }
    if (pause_ms < retry_after_ms) {
        pause_ms = 2 * retry_after_ms; /* of which half to all: never before */
    }
    pause_ms = pause_ms < settings->backoff_ms_max ? pause_ms : settings->backoff_ms_max;
    return pause_ms / 2 + random_bits(&kube->random) % (pause_ms / 2 + 1);
}

/* Gives the result to the owner, who may free or restart the exchange in it. */
static void finish(struct kube_exchange *exchange, struct kube_result *result)
{
    struct json_object *object = result->object;
    if (result->outcome != KUBE_OK) {
        exchange->kube->figures.failures++;
    }
    halt(exchange);
    struct buf body = exchange->transfer.body; /* result->text lies in it */
    exchange->transfer.body = (struct buf){0};
    exchange->ended(exchange->arg, result);
    (void)json_put(object);
    buf_done(&body);
}

static void send_again(void *arg)
{
    struct kube_exchange *exchange = arg;
    exchange->kube->figures.retries++;
    enqueue(exchange);
}

/* ---- what came of a try ---- */

static const char *cause_of(const struct kube_transfer *transfer, CURLcode code)
{
    long os_error = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
    if (code == CURLE_COULDNT_CONNECT && os_error) {
        return strerror((int)os_error);
    }
    return *transfer->text ? transfer->text : curl_easy_strerror(code);
}

static const char *advice_for(CURLcode code)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return "; name its certificate authority (ca_file, or certificate-authority)";
    case CURLE_SSL_CERTPROBLEM:
        return "; the client certificate or its key cannot be used";
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return "; check that it runs and that its address is right";
    case CURLE_OPERATION_TIMEDOUT:
        return "; the network or the server hangs";
    default:
        return "";
    }
}

static bool was_unsent(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
           code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_SSL_CONNECT_ERROR;
}

/* Asking again cannot help. */
static bool is_lasting(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_SSL_CERTPROBLEM || code == CURLE_URL_MALFORMAT ||
           code == CURLE_UNSUPPORTED_PROTOCOL;
}

static void judge_loss(struct kube_exchange *exchange, CURLcode code, struct kube_result *result)
{
    struct kube_transfer *transfer = &exchange->transfer;
    if (transfer->too_large) {
        result->outcome = KUBE_BROKEN;
        (void)err_set(&result->err, EFBIG, "the answer has more than %zu bytes",
                      transfer->bytes_max);
    } else {
        result->outcome = KUBE_UNREACHABLE;
        (void)err_set(&result->err, EHOSTUNREACH, "the API server '%s' of %s did not answer: %s%s",
                      exchange->kube->config->server, exchange->kube->config->source,
                      cause_of(transfer, code), advice_for(code));
    }
    kube_deed_wrap(&exchange->deed, result->outcome, &result->err);
}

static void judge_answer(struct kube_exchange *exchange, struct kube_result *result)
{
    struct kube_transfer *transfer = &exchange->transfer;
    struct err err = {0};
    result->text = buf_slice(&transfer->body);
    bool events = exchange->stream && transfer->status == 200; /* their owner has read them */
    bool parsed = !events && result->text.size > 0 &&
                  json_parse_object(result->text, &result->object, &err) == 0;
    result->outcome =
        kube_status_judge(transfer->status, result->object, &exchange->deed, &result->err);
    if (result->outcome == KUBE_OK && !parsed && !exchange->text && !exchange->stream) {
        result->outcome = KUBE_BROKEN;
        result->err = err;
        if (!err.code) {
            (void)err_set(&result->err, EPROTO, "the answer is empty");
        }
        kube_deed_wrap(&exchange->deed, KUBE_BROKEN, &result->err);
    }
}

/* Whether another try may be made, seen from what the last one has done. */
static bool may_repeat(const struct kube_exchange *exchange, CURLcode code,
                       const struct kube_result *result)
{
    if (code != CURLE_OK) {
        return !exchange->transfer.too_large && !is_lasting(code) &&
               (exchange->repeatable || was_unsent(code));
    }
    if (result->status == 429 || result->status == 503) { /* they mean: not executed */
        return true;
    }
    return exchange->repeatable && (result->status >= 500 || result->outcome == KUBE_BROKEN);
}

static bool try_again(struct kube_exchange *exchange, CURLcode code, struct kube_result *result)
{
    struct kube *kube = exchange->kube;
    if (result->outcome == KUBE_UNAUTHORIZED && !exchange->renewed) {
        exchange->renewed = true;
        kube_credential_renew(kube);
        halt(exchange);
        send_again(exchange);
        return true;
    }
    if (exchange->stream || exchange->tries >= kube->settings.tries_max ||
        !may_repeat(exchange, code, result)) {
        return false;
    }
    bool later = result->status == 429 || result->status == 503;
    uint64_t pause_ms = kube_backoff_ms(kube, exchange->tries, result->retry_after_ms);
    kube_note_wait(kube, later ? KUBE_WAIT_LATER : KUBE_WAIT_FAULT, pause_ms);
    halt(exchange);
    exchange->state = KUBE_PAUSED;
    exchange->timer.fn = send_again;
    exchange->timer.arg = exchange;
    loop_timer_set(kube->loop, &exchange->timer, loop_now_ms(kube->loop) + pause_ms);
    return true;
}

static void note_answer(struct kube_exchange *exchange, int status)
{
    struct kube *kube = exchange->kube;
    kube_note_answer(exchange, status);
    if (kube->ailing && status / 100 == 2) {
        kube->ailing = false;
        kube_watches_hurry(kube);
    }
}

static void try_ended(void *arg, CURLcode code)
{
    struct kube_exchange *exchange = arg;
    struct kube_transfer *transfer = &exchange->transfer;
    struct kube_result result = {.status = transfer->status,
                                 .retry_after_ms = transfer->retry_after_ms};
    if (code == CURLE_OK) {
        judge_answer(exchange, &result);
        exchange->kube->figures.throttled += result.status == 429;
    } else {
        result.status = 0;
        judge_loss(exchange, code, &result);
    }
    note_answer(exchange, result.status);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        kube_net_renew(exchange->kube, exchange->net);
    }
    if (try_again(exchange, code, &result)) {
        (void)json_put(result.object);
        return;
    }
    finish(exchange, &result);
}

/* ---- sending ---- */

static void came(void *arg)
{
    struct kube_exchange *exchange = arg;
    if (exchange->transfer.begun) {
        note_answer(exchange, exchange->transfer.status);
    }
    exchange->came(exchange->arg);
}

static void fly(struct kube_exchange *exchange)
{
    struct kube *kube = exchange->kube;
    struct kube_transfer *transfer = &exchange->transfer;
    kube_transfer_done(transfer);
    uint64_t waited_ms = loop_now_ms(kube->loop) - exchange->since_ms;
    if (waited_ms > 0) {
        kube_note_wait(kube, KUBE_WAIT_TURN, waited_ms);
    }
    exchange->state = KUBE_FLYING;
    exchange->counted = false;
    exchange->sent_ns = clock_now_ns();
    exchange->tries++;
    kube->flying += !exchange->stream;
    transfer->bytes_max = exchange->stream ? 2 * KUBE_EVENT_BYTES_MAX : KUBE_REPLY_BYTES_MAX;
    transfer->came = exchange->came ? came : NULL;
    transfer->ended = try_ended;
    transfer->arg = exchange;
    uint64_t timeout_ms =
        exchange->timeout_ms ? exchange->timeout_ms : kube->settings.try_timeout_ms;
    struct kube_send send = {
        .method = exchange->method,
        .path = exchange->path,
        .content_type = exchange->body ? exchange->content_type : NULL,
        .body = slice_str(exchange->body),
        .timeout_ms = exchange->stream ? 0 : timeout_ms,
        .fresh = !exchange->repeatable,
    };
    kube_transfer_begin(transfer, kube, &send);
    exchange->net = transfer->net;
}

/* What may be sent now; NULL = nothing. */
static struct kube_exchange *next_to_send(const struct kube *kube)
{
    unsigned flying_max = kube->multiplexes ? KUBE_FLIGHT_MAX : KUBE_CONNECTIONS_MAX;
    struct kube_exchange *request = kube->flying < flying_max ? kube->requests_waiting.first : NULL;
    return kube->streams_waiting.first ? kube->streams_waiting.first : request;
}

static void pump(void *arg)
{
    struct kube *kube = arg;
    struct kube_exchange *exchange;
    while ((exchange = next_to_send(kube))) {
        struct kube_result result = {.outcome = KUBE_UNAUTHORIZED};
        enum kube_ready ready = kube_credential_ready(kube, &result.err);
        if (ready == KUBE_READY_LATER) {
            return; /* the plugin's end pumps again */
        }
        dequeue(exchange);
        exchange->state = KUBE_IDLE;
        if (ready == KUBE_READY) {
            fly(exchange);
        } else {
            kube_deed_wrap(&exchange->deed, KUBE_UNAUTHORIZED, &result.err);
            finish(exchange, &result);
        }
    }
}

void kube_exchange_start(struct kube_exchange *exchange)
{
    exchange->tries = 0;
    exchange->renewed = false;
    exchange->kube->pump.fn = pump;
    exchange->kube->pump.arg = exchange->kube;
    enqueue(exchange);
}
