/* A closed-loop load of which every request is another: each carries a number of its own, and its
 * answer must be that number. Prints what was seen as one JSON object.
 *
 *     nonce_load HOST PORT PATH CONNECTIONS SECONDS REQUESTS_PER_S [FIRST_NONCE] [> result.json]
 *
 * REQUESTS_PER_S 0 = as fast as the connections allow. Ends early on SIGTERM, then also with what
 * it saw. A connection that breaks is opened anew; its request counts by what became of it. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/client.h"
#include "loop/loop.h"
#include "measure/histogram.h"

#define TIMEOUT_MS      60000
#define CONNECTIONS_MAX 1024
#define KINDS_MAX       16 /* different failures that are told apart */

struct load {
    struct loop *loop;
    struct sockaddr_in address;
    const char *host;
    const char *path;
    unsigned connection_count;
    struct connection *connections;
    uint64_t interval_ns; /* of one connection; 0 = none */
    uint64_t end_ms;
    uint64_t next_nonce;
    uint64_t sent, right, wrong, failed, unsent;
    unsigned under_way;
    struct {
        int status; /* of HTTP, or minus the outcome */
        uint64_t count;
    } kinds[KINDS_MAX];
    struct histogram *latency;
    uint64_t max_ns;
    uint64_t longest_gap_ns; /* between two right answers of any connection */
    uint64_t last_right_ns;
};

struct connection {
    struct load *load;
    struct http_client *client;
    struct loop_timer timer;
    uint64_t nonce;
    uint64_t start_ns;
    uint64_t due_ns;
};

static atomic_bool stopping;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stopping, true);
}

static void begin(void *arg);

static void count_kind(struct load *load, int status)
{
    for (int i = 0; i < KINDS_MAX; i++) {
        if (load->kinds[i].count == 0 || load->kinds[i].status == status) {
            load->kinds[i].status = status;
            load->kinds[i].count++;
            return;
        }
    }
}

static void count_right(struct load *load, uint64_t start_ns)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t took_ns = now_ns - start_ns;
    load->right++;
    histogram_add(load->latency, took_ns);
    load->max_ns = took_ns > load->max_ns ? took_ns : load->max_ns;
    if (load->last_right_ns && now_ns - load->last_right_ns > load->longest_gap_ns) {
        load->longest_gap_ns = now_ns - load->last_right_ns;
    }
    load->last_right_ns = now_ns;
}

static void next(struct connection *connection)
{
    struct load *load = connection->load;
    load->under_way--;
    if (clock_now_ms() >= load->end_ms || atomic_load(&stopping)) {
        if (load->under_way == 0) {
            loop_stop(load->loop);
        }
        return;
    }
    uint64_t now_ns = clock_now_ns();
    connection->due_ns += load->interval_ns;
    if (connection->due_ns < now_ns) {
        connection->due_ns = now_ns;
    }
    load->under_way++; /* also while it waits for its time */
    /* A timer also when it is due at once: the client may not be freed inside its callback twice.
     */
    loop_timer_set(load->loop, &connection->timer, connection->due_ns / 1000000);
}

static void on_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct connection *connection = arg;
    struct load *load = connection->load;
    char wanted[32];
    int size = snprintf(wanted, sizeof(wanted), "%" PRIu64, connection->nonce);
    if (outcome == HTTP_UNSENT) {
        load->unsent++;
        count_kind(load, -1 - (int)outcome);
    } else if (outcome != HTTP_REPLIED) {
        load->failed++;
        count_kind(load, -1 - (int)outcome);
    } else if (reply->status != 200) {
        load->failed++;
        count_kind(load, reply->status);
    } else if (slice_eq(reply->body, (struct slice){wanted, (size_t)size})) {
        count_right(load, connection->start_ns);
    } else {
        load->wrong++;
    }
    next(connection);
}

static void begin(void *arg)
{
    struct connection *connection = arg;
    struct load *load = connection->load;
    if (!connection->client || !http_client_usable(connection->client)) {
        http_client_free(connection->client);
        connection->client = http_client_new(load->loop, (const struct sockaddr *)&load->address,
                                             sizeof(load->address), NULL, load->host);
    }
    char body[64], head[512];
    connection->nonce = load->next_nonce++;
    int body_size = snprintf(body, sizeof(body), "{\"nonce\":%" PRIu64 "}", connection->nonce);
    int head_size = snprintf(head, sizeof(head),
                             "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                             "Content-Length: %d\r\n\r\n",
                             load->path, load->host, body_size);
    connection->start_ns = clock_now_ns();
    load->sent++;
    http_client_send(connection->client,
                     &(struct http_send){.head = {head, (size_t)head_size},
                                         .body = {body, (size_t)body_size},
                                         .timeout_ms = TIMEOUT_MS,
                                         .connect_timeout_ms = TIMEOUT_MS,
                                         .reply_bytes_max = 65536},
                     on_reply, connection);
}

static void print_result(const struct load *load, double seconds)
{
    printf("{\"seconds\": %.3f, \"sent\": %" PRIu64 ", \"right\": %" PRIu64 ", \"wrong\": %" PRIu64
           ", \"failed\": %" PRIu64 ", \"unsent\": %" PRIu64 ", \"kinds\": {",
           seconds, load->sent, load->right, load->wrong, load->failed, load->unsent);
    for (int i = 0; i < KINDS_MAX && load->kinds[i].count > 0; i++) {
        printf("%s\"%d\": %" PRIu64, i ? ", " : "", load->kinds[i].status, load->kinds[i].count);
    }
    printf("}, \"per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, "
           "\"max_ms\": %.3f, \"longest_gap_ms\": %.3f, \"next_nonce\": %" PRIu64 "}\n",
           (double)load->right / seconds, histogram_quantile(load->latency, 0.5) / 1e6,
           histogram_quantile(load->latency, 0.99) / 1e6,
           histogram_quantile(load->latency, 0.999) / 1e6, (double)load->max_ns / 1e6,
           (double)load->longest_gap_ns / 1e6, load->next_nonce);
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        (void)fprintf(stderr, "usage: nonce_load HOST PORT PATH CONNECTIONS SECONDS "
                              "REQUESTS_PER_S [FIRST_NONCE]\n");
        return 2;
    }
    double seconds = strtod(argv[5], NULL), per_s = strtod(argv[6], NULL);
    struct load load = {
        .loop = loop_new(NULL),
        .address = {.sin_family = AF_INET,
                    .sin_port = htons((uint16_t)strtol(argv[2], NULL, 10)),
                    .sin_addr.s_addr = inet_addr(argv[1])},
        .host = argv[1],
        .path = argv[3],
        .connection_count = (unsigned)strtol(argv[4], NULL, 10),
        .next_nonce = argc > 7 ? strtoull(argv[7], NULL, 10) : 1,
        .latency = histogram_new(),
    };
    if (load.connection_count < 1 || load.connection_count > CONNECTIONS_MAX) {
        (void)fprintf(stderr, "nonce_load: 1 to %d connections\n", CONNECTIONS_MAX);
        return 2;
    }
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    load.interval_ns = per_s > 0 ? (uint64_t)(1e9 * load.connection_count / per_s) : 0;
    uint64_t start_ns = clock_now_ns();
    load.end_ms = start_ns / 1000000 + (uint64_t)(seconds * 1000);
    load.connections = xcalloc(load.connection_count, sizeof(struct connection));
    for (unsigned i = 0; i < load.connection_count; i++) {
        struct connection *connection = &load.connections[i];
        *connection = (struct connection){.load = &load, .timer = {.fn = begin, .arg = connection}};
        connection->due_ns = start_ns + load.interval_ns * i / load.connection_count;
        load.under_way++;
        loop_timer_set(load.loop, &connection->timer, connection->due_ns / 1000000);
    }
    loop_run(load.loop);
    print_result(&load, (double)(clock_now_ns() - start_ns) / 1e9);
    for (unsigned i = 0; i < load.connection_count; i++) {
        http_client_free(load.connections[i].client);
    }
    free(load.connections);
    histogram_free(load.latency);
    loop_free(load.loop);
    return 0;
}
