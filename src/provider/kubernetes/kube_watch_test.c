#include "provider/kubernetes/kube_testserver.h"

static const struct kube_ref pods = {.api_version = "v1", .kind = "Pod"};

struct log { /* what a watch told, as a text: "+a +b . ~a -b !forbidden ok" */
    char text[1024];
    unsigned changes, synced, trouble;
    struct kube_watch *free_at_change; /* freed in the callback */
};

static void note(struct log *log, const char *sign, const char *name)
{
    size_t used = strlen(log->text);
    (void)snprintf(log->text + used, sizeof(log->text) - used, "%s%s%s", used ? " " : "", sign,
                   name);
}

static void on_change(void *arg, enum kube_change change, struct json_object *object)
{
    static const char *const signs[] = {"+", "~", "-"};
    struct log *log = arg;
    EXPECT_STR(json_str(object, "kind"), "Pod");
    note(log, signs[change], json_str(json_member(object, "metadata", json_type_object), "name"));
    log->changes++;
    if (log->free_at_change) {
        (void)kube_watch_free(log->free_at_change);
        log->free_at_change = NULL;
    }
}

static void on_synced(void *arg)
{
    struct log *log = arg;
    note(log, ".", "");
    log->synced++;
}

static void on_trouble(void *arg, const struct kube_reply *reply)
{
    struct log *log = arg;
    note(log, "!", reply ? kube_outcome_name(reply->outcome) : "well");
    log->trouble++;
}

static struct kube_watch *watch_pods(struct server *server, struct log *log)
{
    struct kube_watch_events events = {on_change, on_synced, on_trouble, log};
    return kube_watch_new(server->kube, &pods, NULL, &events);
}

#define POD(name, version)                                                                         \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name                       \
    "\",\"uid\":\"u-" name "\",\"namespace\":\"default\",\"resourceVersion\":\"" version "\"}}"
#define LIST(version, items)                                                                       \
    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items   \
    "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)                                                                          \
    EVENT("BOOKMARK", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"" version "\"}}")

static bool is_watch(const struct seen *seen)
{
    return strstr(seen->path, "watch=1") != NULL;
}

static bool from_version(const struct seen *seen, const char *version)
{
    const char *at = strstr(seen->path, "resourceVersion=");
    return at && strcmp(at + strlen("resourceVersion="), version) == 0;
}

/* A list of a and b; then the stream: changes, cut; then from the last version on. */
static void answer_changes(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (server_discover(server, conn, seen)) {
        return;
    }
    if (!is_watch(seen)) {
        server_reply(conn, 200, "", LIST("10", POD("a", "8") "," POD("b", "9")));
        return;
    }
    server_begin(conn);
    if (server->step++ == 0) {
        EXPECT(from_version(seen, "10"));
        server_chunk(conn, EVENT("MODIFIED", POD("a", "11")));
        server_chunk(conn, EVENT("ADDED", POD("c", "12")) EVENT("DELETED", POD("b", "13")));
        server_chunk(conn, BOOKMARK("20"));
        server_chunk(conn, "{\"type\":\"ADDED\",\"obj"); /* half a line, then a reset */
        server->held = conn;
    } else {
        EXPECT(from_version(seen, "20"));
        server_chunk(conn, EVENT("ADDED", POD("d", "21")));
    }
}

static void reads_on_from_where_it_was_cut(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_changes, NULL, NULL);
    struct log log = {0};
    struct kube_watch *watch = watch_pods(server, &log);
    EXPECT(!kube_watch_is_synced(watch));
    server_until(server, &log.changes, 5);
    EXPECT(kube_watch_is_synced(watch));
    server_cut(server->held);
    server_until(server, &log.changes, 6);
    EXPECT_STR(log.text, "+a +b . ~a +c -b +d"); /* and no word of the cut */
    (void)kube_watch_free(watch);
}

static void reads_on_at_once_when_another_request_is_answered(void)
{
    static const struct kube_settings settings = {
        .backoff_ms_min = 3600000, .backoff_ms_max = 3600000, .seed = 1};
    CLEANUP(server_free) struct server *server = server_new(answer_changes, NULL, &settings);
    struct log log = {0};
    struct kube_ref pod = {.api_version = "v1", .kind = "Pod", .name = "a"};
    struct kube_figures figures = {0};
    struct kube_answer answer = {0};
    struct kube_watch *watch = watch_pods(server, &log);
    server_until(server, &log.changes, 5);
    server_cut(server->held);
    while (figures.waits[KUBE_WAIT_FAULT] == 0) {
        loop_turn(server->loop, 20);
        kube_figures_read(server->kube, &figures);
    }
    (void)kube_get(server->kube, &pod, kube_keep, &answer);
    EXPECT_INT(kube_wait(server->kube, &answer), KUBE_OK);
    server_until(server, &log.changes, 6);
    kube_answer_done(&answer);
    (void)kube_watch_free(watch);
}

/* The versions are too old: at first told by a line, then by the status. */
static void answer_gone(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (server_discover(server, conn, seen)) {
        return;
    }
    if (!is_watch(seen)) {
        static const char *const lists[] = {
            LIST("10", POD("a", "8") "," POD("b", "9")),
            LIST("30", POD("b", "25") "," POD("c", "28")),
            LIST("40", POD("c", "28")),
        };
        server_reply(conn, 200, "", lists[server->step]);
    } else if (server->step == 0) {
        server->step++;
        server_begin(conn);
        server_chunk(conn,
                     EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}"));
    } else if (server->step == 1) {
        server->step++;
        server_reply(conn, 410, "", "{\"kind\":\"Status\",\"code\":410}");
    } else {
        server->step++;
        server_begin(conn);
    }
}

static void lists_anew_and_tells_only_what_differs(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_gone, NULL, NULL);
    struct log log = {0};
    struct kube_figures figures;
    struct kube_watch *watch = watch_pods(server, &log);
    server_until(server, &log.synced, 3);
    EXPECT_STR(log.text, "+a +b . ~b +c -a . -b .");
    kube_figures_read(server->kube, &figures);
    EXPECT_INT(figures.relists, 2);
    EXPECT_INT(figures.restarts, 2);
    EXPECT_INT(figures.answers[KUBE_VERB_LIST][2], 3);
    EXPECT_INT(figures.answers[KUBE_VERB_WATCH][2], 1);
    EXPECT_INT(figures.answers[KUBE_VERB_WATCH][4], 1);
    EXPECT_INT(figures.watches, 1);
    EXPECT_INT(figures.watches_live, 1);
    (void)kube_watch_free(watch);
}

static void answer_denied(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (server_discover(server, conn, seen)) {
        return;
    }
    if (server->step == 0) {
        server_reply(conn, 403, "",
                     "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"pods is "
                     "forbidden: User \\\"jo\\\" cannot list resource \\\"pods\\\"\"}");
    } else if (!is_watch(seen)) {
        server_reply(conn, 200, "", LIST("10", ""));
    } else {
        server_begin(conn);
    }
}

static void says_once_why_it_cannot_and_goes_on_by_itself(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_denied, NULL, NULL);
    struct log log = {0};
    struct kube_watch *watch = watch_pods(server, &log);
    server_until(server, &log.trouble, 1);
    unsigned before = server->requests;
    server_until(server, &server->requests,
                 before + 3); /* it goes on asking, and does not repeat */
    EXPECT_STR(log.text, "!forbidden");
    EXPECT(!kube_watch_is_synced(watch));
    server->step = 1;
    server_until(server, &log.trouble, 2);
    EXPECT_STR(log.text, "!forbidden . !well");
    EXPECT(kube_watch_is_synced(watch));
    (void)kube_watch_free(watch);
}

static void answer_silent(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (server_discover(server, conn, seen)) {
        return;
    }
    if (!is_watch(seen)) {
        server_reply(conn, 200, "", LIST("10", ""));
    } else if (server->step++ > 0) {
        server_begin(conn);
        server_chunk(conn, EVENT("ADDED", POD("late", "11")));
    } /* else: half open */
}

static void begins_anew_when_nothing_comes(void)
{
    struct kube_settings settings = test_settings;
    settings.silence_ms_max = 200;
    CLEANUP(server_free) struct server *server = server_new(answer_silent, NULL, &settings);
    struct log log = {0};
    struct kube_watch *watch = watch_pods(server, &log);
    server_until(server, &log.changes, 1);
    EXPECT(strncmp(log.text, ". +late", 7) == 0);
    EXPECT(server->connections >= 2); /* not on the one that hangs */
    (void)kube_watch_free(watch);
}

static void answer_nonsense(struct server *server, struct server_conn *conn,
                            const struct seen *seen)
{
    if (server_discover(server, conn, seen)) {
        return;
    }
    if (!is_watch(seen)) {
        server_reply(conn, 200, "", server->step ? LIST("20", POD("a", "15")) : LIST("10", ""));
    } else {
        server_begin(conn);
        if (server->step++ == 0) {
            server_chunk(conn, "{\"type\":\"ADDED\"\n"); /* what it said is lost: list anew */
        }
    }
}

static void lists_anew_after_a_line_that_makes_no_sense(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_nonsense, NULL, NULL);
    struct log log = {0};
    struct kube_watch *watch = watch_pods(server, &log);
    server_until(server, &log.trouble, 2);
    EXPECT_STR(log.text, ". !broken +a . !well");
    (void)kube_watch_free(watch);
}

static void may_be_freed_in_its_callback(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_changes, NULL, NULL);
    struct log in_list = {0}, in_stream = {0};
    in_list.free_at_change = watch_pods(server, &in_list);
    server_until(server, &in_list.changes, 1);
    struct kube_watch *watch = watch_pods(server, &in_stream);
    server_until(server, &in_stream.synced, 1);
    in_stream.free_at_change = watch;
    server_until(server, &in_stream.changes, 3);
    for (int i = 0; i < 5; i++) {
        loop_turn(server->loop, 10);
    }
    EXPECT_STR(in_list.text, "+a");
    EXPECT_STR(in_stream.text, "+a +b . ~a");
}

static void watches_one_object_by_its_name(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_denied, NULL, NULL);
    struct kube_ref one = {.api_version = "v1", .kind = "Pod", .name = "web-1"};
    struct log log = {0};
    struct kube_watch_events events = {on_change, on_synced, NULL, &log};
    server->step = 1;
    struct kube_watch *watch = kube_watch_new(
        server->kube, &one, &(struct kube_select){.fields = "status.phase=Running"}, &events);
    server_until(server, &log.synced, 1);
    EXPECT_INT(log.trouble, 0);
    (void)kube_watch_free(watch);
}

TEST_MAIN(reads_on_from_where_it_was_cut, reads_on_at_once_when_another_request_is_answered,
          lists_anew_and_tells_only_what_differs, says_once_why_it_cannot_and_goes_on_by_itself,
          begins_anew_when_nothing_comes, lists_anew_after_a_line_that_makes_no_sense,
          may_be_freed_in_its_callback, watches_one_object_by_its_name)
