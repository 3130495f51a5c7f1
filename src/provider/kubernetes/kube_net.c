/* libcurl's multi interface on the event loop: it says which sockets and which moment it waits for,
 * the loop says when they are there.
 *
 * libcurl must not be called from within its own callbacks, so these only note what came; the
 * owners are told afterwards (deliver), when they may begin and cancel transfers as they like. A
 * net that is retired or cancelled empty within that is freed at the end of it: `busy` holds it.
 *
 * With HTTP/2 all requests and watches share one connection. If that one dies without a sign (a
 * gateway that forgot it, a frozen proxy), libcurl would put the next request on it again: so after
 * a time-out kube_net_renew makes a new net, and the old one ends with its last transfer.
 *
 * A link, which only connects, has a net of its own, retired from the start: libcurl would else
 * close what it takes for an idle connection when it makes another one. */
#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "provider/kubernetes/kube_priv.h"

/* Connections, used or not. libcurl's own limit goes by what is under way just now, and closes what
 * the next request needs. */
#define CACHE_MAX 64L

struct socket {
    struct loop_watch watch;
    struct kube_net *net; /* borrowed */
};

struct kube_net {
    struct kube_net *next;
    struct kube *kube; /* borrowed */
    CURLM *multi;
    struct loop_timer timer;
    struct kube_transfer *transfers; /* under way */
    unsigned busy;                   /* deliver is on the stack */
    bool retired;
};

static void deliver(struct kube_net *net);

static void on_socket(void *arg, uint32_t events)
{
    struct socket *socket = arg;
    struct kube_net *net = socket->net;
    int flags = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    int running;
    (void)curl_multi_socket_action(net->multi, socket->watch.fd, flags, &running);
    deliver(net);
}

static void on_timer(void *arg)
{
    struct kube_net *net = arg;
    int running;
    (void)curl_multi_socket_action(net->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    deliver(net);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct kube_net *net = arg;
    struct socket *socket = socket_arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (socket) {
            loop_unwatch(net->kube->loop, &socket->watch);
            free(socket);
            (void)curl_multi_assign(net->multi, fd, NULL);
        }
        return 0;
    }
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    if (socket) {
        return loop_rewatch(net->kube->loop, &socket->watch, events) < 0 ? -1 : 0;
    }
    socket = xcalloc(1, sizeof(*socket));
    *socket = (struct socket){.watch = {.fd = fd, .fn = on_socket, .arg = socket}, .net = net};
    if (loop_watch(net->kube->loop, &socket->watch, events) < 0) {
        free(socket);
        return -1;
    }
    (void)curl_multi_assign(net->multi, fd, socket);
    return 0;
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct kube_net *net = arg;
    (void)multi;
    if (timeout_ms < 0) {
        loop_timer_clear(net->kube->loop, &net->timer);
    } else {
        loop_timer_set(net->kube->loop, &net->timer, clock_now_ms() + (uint64_t)timeout_ms);
    }
    return 0;
}

static struct kube_net *net_new(struct kube *kube)
{
    struct kube_net *net = xcalloc(1, sizeof(*net));
    net->kube = kube;
    net->timer.fn = on_timer;
    net->timer.arg = net;
    net->multi = curl_multi_init();
    if (!net->multi) {
        abort();
    }
    (void)curl_multi_setopt(net->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    (void)curl_multi_setopt(net->multi, CURLMOPT_SOCKETDATA, net);
    (void)curl_multi_setopt(net->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(net->multi, CURLMOPT_TIMERDATA, net);
    (void)curl_multi_setopt(net->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    (void)curl_multi_setopt(net->multi, CURLMOPT_MAXCONNECTS, CACHE_MAX);
    return net;
}

/* Takes it out of the client's list and frees it; nothing is under way on it. */
static void net_free(struct kube_net *net)
{
    struct kube_net **link = &net->kube->net;
    while (*link != net) {
        link = &(*link)->next;
    }
    *link = net->next;
    (void)curl_multi_cleanup(net->multi);
    loop_timer_clear(net->kube->loop, &net->timer);
    free(net);
}

static void net_end_if_empty(struct kube_net *net)
{
    if (net->retired && net->busy == 0 && !net->transfers) {
        net_free(net);
    }
}

void kube_net_renew(struct kube *kube, const struct kube_net *seen)
{
    if (kube->net && kube->net == seen && !kube->net->retired) {
        kube->net->retired = true;
        net_end_if_empty(kube->net);
    }
}

void kube_net_free_all(struct kube *kube)
{
    while (kube->net) {
        assert(!kube->net->transfers && kube->net->busy == 0);
        net_free(kube->net);
    }
}

/* ---- one transfer ---- */

static void detach(struct kube_transfer *transfer)
{
    struct kube_net *net = transfer->net;
    (void)curl_multi_remove_handle(net->multi, transfer->easy);
    if (transfer->previous) {
        transfer->previous->next = transfer->next;
    } else {
        net->transfers = transfer->next;
    }
    if (transfer->next) {
        transfer->next->previous = transfer->previous;
    }
    transfer->net = NULL;
    transfer->next = transfer->previous = NULL;
}

static void read_figures(struct kube_transfer *transfer)
{
    long status = 0, version = 0;
    curl_off_t after_s = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &after_s);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
    if (version) {
        transfer->net->kube->multiplexes = version >= CURL_HTTP_VERSION_2_0;
    }
    transfer->status = (int)status;
    transfer->retry_after_ms = after_s > 0 && after_s < 86400 ? (uint64_t)after_s * 1000 : 0;
}

static struct kube_transfer *next_dirty(const struct kube_net *net)
{
    struct kube_transfer *transfer = net->transfers;
    while (transfer && !transfer->dirty) {
        transfer = transfer->next;
    }
    return transfer;
}

/* Tells the owners what came and what has ended. */
static void deliver(struct kube_net *net)
{
    struct kube_transfer *transfer;
    CURLMsg *message;
    int left;
    net->busy++;
    while ((transfer = next_dirty(net))) {
        transfer->dirty = false;
        read_figures(transfer);
        transfer->came(transfer->arg);
    }
    while ((message = curl_multi_info_read(net->multi, &left))) {
        CURLcode code = message->data.result; /* read before: the message goes with its handle */
        char *owner = NULL;
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
        transfer = (struct kube_transfer *)(void *)owner;
        read_figures(transfer);
        if (!transfer->link || code != CURLE_OK) {
            detach(transfer);
        }
        transfer->ended(transfer->arg, code);
    }
    net->busy--;
    net_end_if_empty(net);
}

static struct kube_net *net_of_requests(struct kube *kube)
{
    if (!kube->net || kube->net->retired) {
        struct kube_net *net = net_new(kube);
        net->next = kube->net;
        kube->net = net;
    }
    return kube->net;
}

static struct kube_net *net_of_link(struct kube *kube)
{
    struct kube_net *net = net_new(kube);
    net->retired = true;
    struct kube_net **end = &kube->net; /* the first one stays that of new requests */
    while (*end) {
        end = &(*end)->next;
    }
    *end = net;
    return net;
}

void kube_transfer_begin(struct kube_transfer *transfer, struct kube *kube,
                         const struct kube_send *send)
{
    struct kube_net *net = send->link ? net_of_link(kube) : net_of_requests(kube);
    transfer->link = send->link;
    transfer->easy = curl_easy_init();
    if (!transfer->easy) {
        abort();
    }
    kube_transfer_set_up(transfer, kube, send);
    transfer->net = net;
    transfer->next = net->transfers;
    if (transfer->next) {
        transfer->next->previous = transfer;
    }
    net->transfers = transfer;
    kube->figures.requests++;
    if (curl_multi_add_handle(net->multi, transfer->easy) != CURLM_OK) {
        abort(); /* only without memory, or for a handle that is in use */
    }
}

void kube_transfer_done(struct kube_transfer *transfer)
{
    struct kube_net *net = transfer->net;
    if (net) {
        detach(transfer);
        net_end_if_empty(net);
    }
    if (transfer->easy) {
        curl_easy_cleanup(transfer->easy);
        transfer->easy = NULL;
    }
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->connect_to);
    transfer->headers = NULL;
    transfer->connect_to = NULL;
    buf_done(&transfer->body);
    transfer->too_large = transfer->begun = transfer->dirty = transfer->link = false;
    transfer->status = 0;
    transfer->retry_after_ms = 0;
}
