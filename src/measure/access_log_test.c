#include "measure/access_log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "measure/exchange.h"

static char path[64];

static void new_path(void)
{
    (void)snprintf(path, sizeof(path), "/tmp/jsorc-access-XXXXXX");
    (void)close(mkstemp(path));
}

/* The lines of the file at name as objects, at most 8; how many. */
static int read_lines(const char *name, struct json_object **lines)
{
    static char line[8192];
    int count = 0;
    FILE *file = fopen(name, "re");
    while (file && count < 8 && fgets(line, sizeof(line), file)) {
        EXPECT_INT(json_parse_object(slice_str(line), &lines[count++], NULL), 0);
    }
    (void)fclose(file);
    return count;
}

static struct exchange some_exchange(void)
{
    struct sockaddr_in remote = {.sin_family = AF_INET, .sin_port = htons(4321)};
    EXPECT_INT(inet_pton(AF_INET, "192.0.2.7", &remote.sin_addr), 1);
    struct exchange exchange = {.began_ns = clock_now_ns(),
                                .exec_ns = 1234567,
                                .bytes_in = 5,
                                .bytes_out = 70000,
                                .user_id = 3,
                                .status = 200,
                                .texts = {[EXCHANGE_REQUEST_ID] = SLICE("abc"),
                                          [EXCHANGE_METHOD] = SLICE("POST"),
                                          [EXCHANGE_PATH] = SLICE("/a\"b\\\n\xff"),
                                          [EXCHANGE_NAME] = SLICE("text.größe")}};
    exchange.ended_ns = exchange.began_ns + 2500000;
    exchange_set_remote(&exchange, (const struct sockaddr *)&remote);
    return exchange;
}

static void writes_a_line_of_json_for_each_request(void)
{
    struct json_object *lines[8];
    new_path();
    struct access_log *log = access_log_open(path, NULL);
    struct exchange exchange = some_exchange();
    access_log_add(log, &exchange);
    exchange = (struct exchange){.began_ns = 1, .ended_ns = 1, .status = 404};
    access_log_add(log, &exchange);
    access_log_close(log);
    EXPECT_INT(read_lines(path, lines), 2);
    EXPECT_STR(json_str(lines[0], "request_id"), "abc");
    EXPECT_STR(json_str(lines[0], "path"), "/a\"b\\\n?");
    EXPECT_STR(json_str(lines[0], "name"), "text.größe");
    EXPECT_STR(json_str(lines[0], "remote"), "192.0.2.7:4321");
    EXPECT_INT(strlen(json_str(lines[0], "ts")), strlen("2026-01-31T12:00:00.123Z"));
    EXPECT_INT(json_int(lines[0], "user", 0), 3);
    EXPECT_INT(json_int(lines[0], "bytes_out", 0), 70000);
    EXPECT(json_double(lines[0], "duration_ms", 0) == 2.5);
    EXPECT(json_double(lines[0], "exec_ms", 0) == 1.235);
    EXPECT_INT(json_int(lines[1], "status", 0), 404);
    EXPECT_STR(json_str(lines[1], "remote"), "unix");
    EXPECT(json_str(lines[1], "name") == NULL);
    for (int i = 0; i < 2; i++) {
        (void)json_put(lines[i]);
    }
    (void)unlink(path);
}

static void follows_a_file_that_was_renamed(void)
{
    struct json_object *lines[8];
    char old[80];
    new_path();
    (void)snprintf(old, sizeof(old), "%s.1", path);
    struct access_log *log = access_log_open(path, NULL);
    struct exchange exchange = some_exchange();
    access_log_add(log, &exchange);
    while (access_log_written(log) < 1) {
        test_pause_ms(5);
    }
    EXPECT_INT(rename(path, old), 0);
    access_log_add(log, &exchange);
    access_log_close(log);
    EXPECT_INT(read_lines(old, lines), 1);
    (void)json_put(lines[0]);
    EXPECT_INT(read_lines(path, lines), 1);
    (void)json_put(lines[0]);
    (void)unlink(path);
    (void)unlink(old);
}

static void drops_what_does_not_fit_and_counts_it(void)
{
    enum { COUNT = 40000 };
    new_path();
    struct access_log *log = access_log_open(path, NULL);
    struct exchange exchange = some_exchange();
    for (int i = 0; i < COUNT; i++) {
        access_log_add(log, &exchange);
    }
    uint64_t dropped = access_log_dropped(log);
    EXPECT(dropped > 0 && dropped < COUNT);
    while (access_log_written(log) + access_log_dropped(log) < COUNT) {
        test_pause_ms(5);
    }
    EXPECT_INT(access_log_dropped(log), dropped);
    access_log_close(log);
    (void)unlink(path);
}

static void tells_why_a_file_cannot_be_opened(void)
{
    struct err err = {0};
    EXPECT(access_log_open("/nowhere/access.log", &err) == NULL);
    EXPECT(strstr(err.text, "/nowhere/access.log") != NULL);
}

TEST_MAIN(writes_a_line_of_json_for_each_request, follows_a_file_that_was_renamed,
          drops_what_does_not_fit_and_counts_it, tells_why_a_file_cannot_be_opened)
