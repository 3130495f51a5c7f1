#include "provider/kubernetes/kube.h"

#include "measure/histogram.h"
#include "provider/kubernetes/kube_testserver.h"

static const struct kube_ref web = {.api_version = "apps/v1", .kind = "Deployment", .name = "web"};

#define NOT_FOUND                                                                                  \
    "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"deployments.apps \\\"web\\\" not " \
    "found\",\"details\":{\"name\":\"web\"},\"code\":404}"

/* What the test's function answers to all that is not discovery. */
static void answer_get(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (!server_discover(server, conn, seen)) {
        EXPECT_STR(seen->path, "/apis/apps/v1/namespaces/default/deployments/web");
        EXPECT(header_has(seen, "Authorization:") == false);
        server_reply(conn, 200, "", "{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"}}");
    }
}

static void finds_the_path_of_a_kind_once_and_keeps_the_connection(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_get, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        struct kube_answer answer = {0};
        (void)kube_get(server->kube, &web, kube_keep, &answer);
        EXPECT(!answer.come); /* never before the function has returned */
        EXPECT_INT(kube_wait(server->kube, &answer), KUBE_OK);
        EXPECT_STR(json_str(json_member(answer.object, "metadata", json_type_object), "name"),
                   "web");
        kube_answer_done(&answer);
    }
    EXPECT_INT(server->discoveries, 1);
    EXPECT_INT(server->requests, 4);
    EXPECT_INT(server->connections, 1);
}

static void answer_crd(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (strcmp(seen->path, "/apis/acme.io/v1") == 0) {
        server->discoveries++;
        server_reply(conn, server->step ? 200 : 404, "",
                     server->step ? "{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":"
                                    "\"tools\",\"kind\":\"Tool\",\"namespaced\":false}]}"
                                  : "404 page not found");
    } else {
        EXPECT_STR(seen->path, "/apis/acme.io/v1/tools/x");
        server_reply(conn, 200, "", "{}");
    }
}

static void asks_again_for_a_kind_that_came_later(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_crd, NULL, NULL);
    struct kube_ref tool = {.api_version = "acme.io/v1", .kind = "Tool", .name = "x"};
    struct kube_answer first = {0};
    (void)kube_get(server->kube, &tool, kube_keep, &first);
    EXPECT_INT(kube_wait(server->kube, &first), KUBE_NO_KIND);
    EXPECT(strstr(first.err.text, "knows no kind 'Tool' of 'acme.io/v1'") != NULL);
    kube_answer_done(&first);
    server->step = 1;
    uint64_t end_ms = clock_now_ms() + TEST_PATIENCE_MS;
    enum kube_outcome outcome = KUBE_NO_KIND;
    while (outcome == KUBE_NO_KIND && clock_now_ms() < end_ms) {
        struct kube_answer again = {0};
        test_pause_ms(50);
        loop_turn(server->loop, 0);
        (void)kube_get(server->kube, &tool, kube_keep, &again);
        outcome = kube_wait(server->kube, &again);
        kube_answer_done(&again);
    }
    EXPECT_INT(outcome, KUBE_OK);
    EXPECT_INT(server->discoveries, 2); /* not for each try */
}

static void answer_moved(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (server_discover(server, conn, seen)) {
        return;
    }
    if (server->step++ == 0) {
        server_reply(conn, 404, "", "404 page not found");
    } else {
        server_reply(conn, 404, "", NOT_FOUND);
    }
}

static void looks_a_path_up_again_when_it_is_not_there(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_moved, NULL, NULL);
    struct kube_answer answer = {0};
    (void)kube_get(server->kube, &web, kube_keep, &answer);
    EXPECT_INT(kube_wait(server->kube, &answer), KUBE_NOT_FOUND);
    EXPECT_INT(server->discoveries, 2);
    EXPECT_STR(answer.err.text, "cannot get Deployment 'web' in namespace 'default': "
                                "deployments.apps \"web\" not found");
    kube_answer_done(&answer);
}

static void answer_pages(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (server_discover(server, conn, seen)) {
        return;
    }
    if (!strstr(seen->path, "continue=")) {
        EXPECT_STR(seen->path, "/api/v1/pods?labelSelector=app%3Dweb%2Ctier%21%3Dx&limit=2");
        server_reply(
            conn, 200, "",
            "{\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"n\\u0026t/1\"},"
            "\"items\":[{\"metadata\":{\"name\":\"a\"}},{\"metadata\":{\"name\":\"b\"}}]}");
    } else if (server->step++ == 0) {
        server_reply(conn, 410, "", "{\"kind\":\"Status\",\"reason\":\"Expired\",\"code\":410}");
    } else {
        EXPECT(strstr(seen->path, "&continue=n%26t%2F1") != NULL);
        server_reply(conn, 200, "",
                     "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"metadata\":{}}]}");
    }
}

static void lists_all_pages_and_begins_anew_when_they_are_too_old(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_pages, NULL, NULL);
    struct kube_ref pods = {.api_version = "v1", .kind = "Pod", .namespace = KUBE_NAMESPACES};
    struct kube_answer answer = {0};
    (void)kube_list(server->kube, &pods, &(struct kube_select){.labels = "app=web,tier!=x"},
                    kube_keep, &answer);
    EXPECT_INT(kube_wait(server->kube, &answer), KUBE_OK);
    struct json_object *items = json_member(answer.object, "items", json_type_array);
    EXPECT_INT(json_object_array_length(items), 3);
    EXPECT_STR(json_str(json_object_array_get_idx(items, 0), "kind"), "Pod");
    EXPECT_STR(json_str(json_object_array_get_idx(items, 0), "apiVersion"), "v1");
    kube_answer_done(&answer);
}

static void answer_busy(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    static const int statuses[] = {429, 503, 200};
    if (!server_discover(server, conn, seen)) {
        EXPECT_STR(seen->method, "POST");
        server_reply(conn, statuses[server->step < 2 ? server->step : 2],
                     server->step == 0 ? "Retry-After: 1\r\n" : "", "{}");
        server->step++;
    }
}

static void waits_when_the_server_says_later_even_with_a_create(void)
{
    static const struct kube_settings settings = {
        .backoff_ms_min = 1, .backoff_ms_max = 5000, .seed = 1};
    CLEANUP(server_free) struct server *server = server_new(answer_busy, NULL, &settings);
    CLEANUP(json_put)
    struct json_object *pod =
        server_manifest("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"}}");
    struct kube_answer answer = {0};
    struct kube_figures figures;
    uint64_t begin_ms = clock_now_ms();
    (void)kube_create(server->kube, pod, NULL, kube_keep, &answer);
    EXPECT_INT(kube_wait(server->kube, &answer), KUBE_OK);
    EXPECT(clock_now_ms() - begin_ms >= 1000); /* not before Retry-After */
    kube_figures_read(server->kube, &figures);
    EXPECT_INT(figures.retries, 2);
    EXPECT_INT(figures.throttled, 1);
    EXPECT_INT(figures.failures, 0);
    EXPECT_INT(figures.requests, 4);
    EXPECT_INT(figures.answers[KUBE_VERB_GET][2], 1); /* which kinds there are */
    EXPECT_INT(figures.answers[KUBE_VERB_CREATE][2], 1);
    EXPECT_INT(figures.answers[KUBE_VERB_CREATE][4], 1);
    EXPECT_INT(figures.answers[KUBE_VERB_CREATE][5], 1);
    EXPECT_INT(figures.waits[KUBE_WAIT_LATER], 2);
    EXPECT(figures.wait_ms[KUBE_WAIT_LATER] >= 1000);
    EXPECT_INT(figures.waits[KUBE_WAIT_FAULT], 0);
    EXPECT_INT(histogram_count(figures.answering), 4);
    EXPECT(figures.answering_ns > 0);
    EXPECT_INT(figures.flying, 0);
    EXPECT_INT(figures.queued, 0);
    kube_answer_done(&answer);
}

static void answer_never(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (!server_discover(server, conn, seen)) {
        server->step++;
        server_reply(conn, 503, "", "");
    }
}

static void gives_up_after_the_last_try(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_never, NULL, NULL);
    struct kube_answer answer = {0};
    (void)kube_get(server->kube, &web, kube_keep, &answer);
    EXPECT_INT(kube_wait(server->kube, &answer), KUBE_BUSY);
    EXPECT_INT(answer.status, 503);
    EXPECT_INT(server->step, 5);
    kube_answer_done(&answer);
}

static void answer_cut(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (!server_discover(server, conn, seen)) {
        server->step++;
        if (server->step == 1 || strcmp(seen->method, "POST") == 0) {
            server_cut(conn);
        } else {
            server_reply(conn, 200, "", "{}");
        }
    }
}

static void sends_again_after_a_cut_only_what_may_be_done_twice(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_cut, NULL, NULL);
    CLEANUP(json_put)
    struct json_object *pod =
        server_manifest("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"}}");
    struct kube_answer got = {0}, created = {0};
    (void)kube_get(server->kube, &web, kube_keep, &got);
    EXPECT_INT(kube_wait(server->kube, &got), KUBE_OK);
    unsigned before = server->step;
    (void)kube_create(server->kube, pod, NULL, kube_keep, &created);
    EXPECT_INT(kube_wait(server->kube, &created), KUBE_UNREACHABLE);
    EXPECT_INT(created.status, 0);
    EXPECT_INT(server->step, before + 1);
    kube_answer_done(&got);
    kube_answer_done(&created);
}

static void answer_slowly(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (!server_discover(server, conn, seen) && server->step++ > 0) {
        server_reply(conn, 200, "", "{}");
    } /* else: not a word, and the connection stays */
}

static void leaves_a_connection_that_hangs(void)
{
    struct kube_settings settings = test_settings;
    settings.try_timeout_ms = 300;
    CLEANUP(server_free) struct server *server = server_new(answer_slowly, NULL, &settings);
    struct kube_answer answer = {0};
    (void)kube_get(server->kube, &web, kube_keep, &answer);
    EXPECT_INT(kube_wait(server->kube, &answer), KUBE_OK);
    EXPECT_INT(server->connections, 2);
    kube_answer_done(&answer);
}

static void refuses_what_cannot_be_sent(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_get, NULL, NULL);
    CLEANUP(json_put) struct json_object *nameless = server_manifest("{\"kind\":\"Pod\"}");
    struct kube_ref evil = web;
    struct kube_answer first = {0}, second = {0}, third = {0};
    evil.name = "../../x";
    (void)kube_get(server->kube, &evil, kube_keep, &first);
    EXPECT_INT(kube_wait(server->kube, &first), KUBE_INVALID);
    (void)kube_apply(server->kube, nameless, NULL, kube_keep, &second);
    EXPECT_INT(kube_wait(server->kube, &second), KUBE_INVALID);
    EXPECT_STR(second.err.text, "Pod has no apiVersion");
    (void)kube_raw(server->kube, "GET", "no path", NULL, kube_keep, &third);
    EXPECT_INT(kube_wait(server->kube, &third), KUBE_INVALID);
    EXPECT_INT(server->requests - server->discoveries, 0);
    kube_answer_done(&first);
    kube_answer_done(&second);
    kube_answer_done(&third);
}

static void answer_deep(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    char deep[128] = "";
    if (!server_discover(server, conn, seen)) {
        memset(deep, '[', sizeof(deep) - 1);
        server_reply(conn, 200, "", server->step++ % 2 ? "nonsense" : deep);
    }
}

static void takes_no_answer_that_is_too_deep_or_no_json(void)
{
    struct kube_settings settings = test_settings;
    settings.tries_max = 1;
    CLEANUP(server_free) struct server *server = server_new(answer_deep, NULL, &settings);
    for (int i = 0; i < 2; i++) {
        struct kube_answer answer = {0};
        (void)kube_get(server->kube, &web, kube_keep, &answer);
        EXPECT_INT(kube_wait(server->kube, &answer), KUBE_BROKEN);
        kube_answer_done(&answer);
    }
}

static void never(void *arg, const struct kube_reply *reply)
{
    (void)arg;
    (void)reply;
    EXPECT(false);
}

static void calls_nobody_back_after_a_cancel(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_slowly, NULL, NULL);
    struct kube_answer answer = {0};
    struct kube_request *early = kube_get(server->kube, &web, never, NULL);
    struct kube_request *late = kube_get(server->kube, &web, never, NULL);
    kube_cancel(early);
    server_until(server, &server->step, 1);
    kube_cancel(late);
    (void)kube_get(server->kube, &web, kube_keep, &answer);
    EXPECT_INT(kube_wait(server->kube, &answer), KUBE_OK);
    kube_answer_done(&answer);
    (void)kube_get(server->kube, &web, never, NULL); /* kube_free ends it */
}

static void holds_back_what_is_more_than_the_server_shall_have_at_a_time(void)
{
    enum { MANY = 200 };
    CLEANUP(server_free) struct server *server = server_new(answer_get, NULL, NULL);
    static struct kube_answer answers[MANY];
    for (int i = 0; i < MANY; i++) {
        (void)kube_get(server->kube, &web, kube_keep, &answers[i]);
    }
    for (int i = 0; i < MANY; i++) {
        EXPECT_INT(kube_wait(server->kube, &answers[i]), KUBE_OK);
        kube_answer_done(&answers[i]);
    }
    EXPECT_INT(server->requests, MANY + 1);
    EXPECT(server->connections <= 7); /* HTTP/1.1: one each */
}

TEST_MAIN(finds_the_path_of_a_kind_once_and_keeps_the_connection,
          asks_again_for_a_kind_that_came_later, looks_a_path_up_again_when_it_is_not_there,
          lists_all_pages_and_begins_anew_when_they_are_too_old,
          waits_when_the_server_says_later_even_with_a_create, gives_up_after_the_last_try,
          sends_again_after_a_cut_only_what_may_be_done_twice, leaves_a_connection_that_hangs,
          refuses_what_cannot_be_sent, takes_no_answer_that_is_too_deep_or_no_json,
          calls_nobody_back_after_a_cancel,
          holds_back_what_is_more_than_the_server_shall_have_at_a_time)
