#include "http/server_testbed.h"

static void answers_on_one_connection_again_and_again(void)
{
    struct fixture fixture;
    char data[4096];
    start(&fixture, &HTTP_LIMITS_DEFAULT);
    int fd = dial(&fixture);
    for (int i = 0; i < 100; i++) {
        put(fd, "POST /a/b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
        EXPECT_INT(read_until(fd, data, sizeof(data), "2 /a/b x=1 hello", 1), 1);
    }
    EXPECT(strstr(data, "HTTP/1.1 200 OK\r\n") == data);
    EXPECT(strstr(data, "\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n") != NULL);
    EXPECT(strstr(data, "\r\nX-Test: yes\r\n") != NULL);
    (void)close(fd);
    stop(&fixture);
}

static void answers_pipelined_requests_in_their_order(void)
{
    struct fixture fixture;
    char data[65536];
    start(&fixture, &HTTP_LIMITS_DEFAULT);
    int fd = dial(&fixture);
    put(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /later HTTP/1.1\r\nHost: h\r\n\r\n"
            "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nxGET /4 HTTP/1.1\r\nHo");
    put(fd, "st: h\r\n\r\n");
    EXPECT_INT(read_until(fd, data, sizeof(data), "/4", 1), 1);
    const char *later = strstr(data, "later");
    EXPECT(strstr(data, "0 /1") && later && strstr(data, "2 /3  x"));
    EXPECT(strstr(data, "0 /1") < later && later < strstr(data, "2 /3  x"));
    (void)close(fd);
    stop(&fixture);
}

static void joins_a_chunked_body(void)
{
    struct fixture fixture;
    char data[4096];
    start(&fixture, &HTTP_LIMITS_DEFAULT);
    int fd = dial(&fixture);
    put(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    test_pause_ms(10);
    put(fd, "4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_INT(read_until(fd, data, sizeof(data), "/next", 1), 1);
    EXPECT(strstr(data, "2 /  abcdefg") != NULL);
    (void)close(fd);
    stop(&fixture);
}

static void sends_100_continue_when_it_is_expected(void)
{
    struct fixture fixture;
    char data[4096];
    start(&fixture, &HTTP_LIMITS_DEFAULT);
    int fd = dial(&fixture);
    put(fd, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_INT(read_until(fd, data, sizeof(data), "HTTP/1.1 100 Continue\r\n\r\n", 1), 1);
    put(fd, "ok");
    EXPECT_INT(read_until(fd, data, sizeof(data), "2 /  ok", 1), 1);
    (void)close(fd);
    stop(&fixture);
}

static void refuses_what_it_cannot_take_and_closes(void)
{
    char long_head[5000];
    memset(long_head, 'x', sizeof(long_head));
    (void)snprintf(long_head, 40, "GET / HTTP/1.1\r\nA: ");
    long_head[strlen(long_head)] = 'x';
    long_head[sizeof(long_head) - 1] = '\0';
    char whole_head[sizeof(long_head) + 5]; /* complete at once, not cut off while it is read */
    (void)snprintf(whole_head, sizeof(whole_head), "%s\r\n\r\n", long_head);
    const struct {
        const char *text;
        const char *answer;
    } rows[] = {
        {"nonsense\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\nbad header\r\n\r\n", "HTTP/1.1 400 "},
        {"POST / HTTP/1.1\r\nContent-Length: 1000001\r\n\r\n", "HTTP/1.1 413 "},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
         "HTTP/1.1 400 "},
        {"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "HTTP/1.1 400 "},
        {long_head, "HTTP/1.1 431 "},
        {whole_head, "HTTP/1.1 431 "},
        /* RFC 9112 5.2: a folded value, which whoever passes it on would cut at the wrong place */
        {"GET / HTTP/1.1\r\nA: 12\r\n 34\r\nB: c\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\nA:\r\n 12\r\n\t34\r\n\r\n", "HTTP/1.1 400 "},
    };
    struct http_limits limits = HTTP_LIMITS_DEFAULT;
    limits.body_bytes_max = 1000000;
    limits.head_bytes_max = 4096;
    struct fixture fixture;
    char data[4096];
    start(&fixture, &limits);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = dial(&fixture);
        put(fd, rows[i].text);
        (void)read_until(fd, data, sizeof(data), "never", 1); /* until it closes */
        EXPECT(strstr(data, rows[i].answer) == data);
        EXPECT(strstr(data, "{\"detail\":\"") != NULL);
        (void)close(fd);
    }
    stop(&fixture);
}

/* One byte of body a chunk, and a kilobyte of extension around it. */
static void bounds_what_surrounds_the_chunks_of_a_body(void)
{
    char chunk[1100], data[4096];
    memset(chunk, 'x', sizeof(chunk));
    memcpy(chunk, "1;", 2);
    memcpy(chunk + sizeof(chunk) - 5, "\r\nb\r\n", 5);
    struct http_limits limits = HTTP_LIMITS_DEFAULT;
    limits.body_bytes_max = 100000;
    limits.head_bytes_max = 4096;
    struct fixture fixture;
    start(&fixture, &limits);
    int fd = dial(&fixture);
    put(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    size_t sent = 0;
    while (sent < 10 * limits.body_bytes_max &&
           send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) == (ssize_t)sizeof(chunk)) {
        sent += sizeof(chunk);
        struct timeval soon = {.tv_usec = 1000};
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
        if (read_until(fd, data, sizeof(data), "HTTP/1.1 413 ", 1) > 0) {
            break;
        }
    }
    EXPECT(strstr(data, "HTTP/1.1 413 ") == data);
    EXPECT(sent <= 4 * limits.body_bytes_max);
    (void)close(fd);
    stop(&fixture);
}

static void times_out_a_slow_request_with_408(void)
{
    struct http_limits limits = HTTP_LIMITS_DEFAULT;
    limits.request_timeout_ms = 50;
    struct fixture fixture;
    char data[4096];
    start(&fixture, &limits);
    int fd = dial(&fixture);
    put(fd, "GET / HTTP/1.1\r\nHo");
    (void)read_until(fd, data, sizeof(data), "never", 1);
    EXPECT(strstr(data, "HTTP/1.1 408 ") == data);
    (void)close(fd);
    stop(&fixture);
}

static void pause_reading(void *arg)
{
    struct fixture *fixture = arg;
    http_server_pause(fixture->server);
    (void)sem_post(&fixture->arrived);
}

static void resume_reading(void *arg)
{
    struct fixture *fixture = arg;
    http_server_resume(fixture->server);
}

static void blames_no_client_for_its_own_pause(void)
{
    struct http_limits limits = HTTP_LIMITS_DEFAULT;
    limits.request_timeout_ms = 200;
    limits.idle_timeout_ms = 300;
    struct fixture fixture;
    char data[4096];
    start(&fixture, &limits);
    int begun = dial(&fixture), idle = dial(&fixture);
    put(idle, "GET /first HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_INT(read_until(idle, data, sizeof(data), "/first", 1), 1);
    put(begun, "GET /begun HTTP/1.1\r\nHo");
    test_pause_ms(20); /* that much is read */
    (void)sem_init(&fixture.arrived, 0, 0);
    struct loop_task pause = {.fn = pause_reading, .arg = &fixture};
    loop_post(fixture.loop, &pause);
    (void)sem_wait(&fixture.arrived);
    put(begun, "st: h\r\n\r\n");
    put(idle, "GET /idle HTTP/1.1\r\nHost: h\r\n\r\n");
    test_pause_ms(600); /* beyond both limits */
    struct loop_task resume = {.fn = resume_reading, .arg = &fixture};
    loop_post(fixture.loop, &resume);
    EXPECT_INT(read_until(begun, data, sizeof(data), "0 /begun", 1), 1);
    EXPECT_INT(read_until(idle, data, sizeof(data), "0 /idle", 1), 1);
    (void)close(begun);
    (void)close(idle);
    stop(&fixture);
}

static void answers_a_client_that_closed_only_its_sending_side(void)
{
    struct fixture fixture;
    char data[4096];
    start(&fixture, &HTTP_LIMITS_DEFAULT);
    int fd = dial(&fixture);
    put(fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_INT(shutdown(fd, SHUT_WR), 0);
    EXPECT_INT(read_until(fd, data, sizeof(data), "later", 1), 1);
    (void)close(fd);
    stop(&fixture);
}

static void drops_the_answer_to_a_client_that_is_gone(void)
{
    struct fixture fixture;
    start(&fixture, &HTTP_LIMITS_DEFAULT);
    int fd = dial(&fixture);
    put(fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    test_pause_ms(5);
    (void)close(fd);
    test_pause_ms(60); /* the answer is written to a closed peer meanwhile */
    fd = dial(&fixture);
    char data[4096];
    put(fd, "GET /alive HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_INT(read_until(fd, data, sizeof(data), "/alive", 1), 1);
    (void)close(fd);
    stop(&fixture);
}

static void speaks_http_1_0_and_head(void)
{
    struct fixture fixture;
    char data[4096];
    start(&fixture, &HTTP_LIMITS_DEFAULT);
    int fd = dial(&fixture);
    put(fd, "GET /old HTTP/1.0\r\n\r\n");
    (void)read_until(fd, data, sizeof(data), "never", 1);
    EXPECT(strstr(data, "Connection: close\r\n") != NULL && strstr(data, "0 /old") != NULL);
    (void)close(fd);
    fd = dial(&fixture);
    put(fd, "HEAD /h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    (void)read_until(fd, data, sizeof(data), "never", 1);
    EXPECT(strstr(data, "Content-Length: 6\r\n") != NULL && strstr(data, "1 /h") == NULL);
    (void)close(fd);
    stop(&fixture);
}

static void passes_large_bodies_both_ways(void)
{
    struct fixture fixture;
    start(&fixture, &HTTP_LIMITS_DEFAULT);
    size_t size = 8 * 1024 * 1024;
    char *body = malloc(size + 1), *back = malloc(size + 4096);
    for (size_t i = 0; i < size; i++) {
        body[i] = (char)('a' + i % 23);
    }
    body[size] = '\0';
    int fd = dial(&fixture);
    char head[200];
    (void)snprintf(head, sizeof(head),
                   "POST / HTTP/1.1\r\nConnection: close\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   size);
    put(fd, head);
    for (size_t sent = 0; sent < size;) {
        ssize_t put_now = send(fd, body + sent, size - sent, MSG_NOSIGNAL);
        EXPECT(put_now > 0);
        sent += put_now > 0 ? (size_t)put_now : size;
    }
    size_t got = 0;
    for (ssize_t n; (n = recv(fd, back + got, size + 4095 - got, 0)) > 0;) {
        got += (size_t)n;
    }
    back[got] = '\0';
    const char *start_of_body = strstr(back, "2 /  ");
    EXPECT(start_of_body && strcmp(start_of_body + 5, body) == 0);
    (void)close(fd);
    free(body);
    free(back);
    stop(&fixture);
}

static void drain_what_arrived(void *arg)
{
    struct fixture *fixture = arg;
    (void)sem_post(&fixture->draining);
    (void)sem_wait(&fixture->arrived);
    http_server_drain(fixture->server, -1);
}

static void answers_all_that_arrived_before_it_drains(void)
{
    struct fixture fixture;
    char data[4096];
    start(&fixture, &HTTP_LIMITS_DEFAULT);
    int kept = dial(&fixture), waiting = dial(&fixture);
    put(kept, "GET /before HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_INT(read_until(kept, data, sizeof(data), "/before", 1), 1);
    put(waiting, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");

    (void)sem_init(&fixture.draining, 0, 0);
    (void)sem_init(&fixture.arrived, 0, 0);
    fixture.drain = (struct loop_task){.fn = drain_what_arrived, .arg = &fixture};
    loop_post(fixture.loop, &fixture.drain);
    (void)sem_wait(&fixture.draining);
    int fresh = dial(&fixture), silent = dial(&fixture); /* not accepted yet */
    put(fresh, "GET /fresh HTTP/1.1\r\nHost: h\r\n\r\n");
    put(kept, "GET /kept HTTP/1.1\r\nHost: h\r\n\r\n");
    (void)sem_post(&fixture.arrived);

    const struct {
        int fd;
        const char *text;
    } rows[] = {{kept, "/kept"}, {fresh, "/fresh"}, {waiting, "later"}, {silent, ""}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)read_until(rows[i].fd, data, sizeof(data), "never", 1); /* until it closes */
        EXPECT(strstr(data, rows[i].text) != NULL);
        EXPECT(*rows[i].text == '\0' || strstr(data, "Connection: close\r\n") != NULL);
        (void)close(rows[i].fd);
    }
    int refused = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_INT(connect(refused, (struct sockaddr *)&fixture.address, sizeof(fixture.address)), -1);
    (void)close(refused);
    stop(&fixture);
}

TEST_MAIN(answers_on_one_connection_again_and_again, answers_pipelined_requests_in_their_order,
          joins_a_chunked_body, sends_100_continue_when_it_is_expected,
          refuses_what_it_cannot_take_and_closes, bounds_what_surrounds_the_chunks_of_a_body,
          times_out_a_slow_request_with_408, blames_no_client_for_its_own_pause,
          answers_a_client_that_closed_only_its_sending_side,
          drops_the_answer_to_a_client_that_is_gone, speaks_http_1_0_and_head,
          passes_large_bodies_both_ways, answers_all_that_arrived_before_it_drains)
