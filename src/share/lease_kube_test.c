/* The lease in the cluster against an API server that a test plays: one Lease, whose record others
 * change, too. What the state does with its number is tested in store_pg_test.c. */
#include "share/lease_kube.h"

#include "provider/kubernetes/kube_testserver.h"
#include "share/lease.h"
#include "store/store_shared.h"
#include "store/store_testdir.h"

#define TTL_MS    3600000 /* no test waits for its end */
#define PATH      "/apis/coordination.k8s.io/v1/namespaces/default/leases"
#define RECORD    "\"leaseDurationSeconds\":%d,\"leaseTransitions\":%d,\"renewTime\":\"%s\"}"
#define NOT_FOUND "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\"}"
#define CONFLICT  "{\"kind\":\"Status\",\"code\":409,\"reason\":\"Conflict\"}"
#define FORBIDDEN "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\",\"message\":\"no\"}"

/* What the API server has. One test at a time. */
static struct {
    struct json_object *object; /* NULL = there is none */
    int version;
    unsigned gets, writes;
    bool refuses;      /* to write */
    bool loses_answer; /* of the next write: it is done, and the connection cut */
    bool is_late;      /* the next write comes after one by another */
} cluster;

static void cluster_set(struct json_object *object)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%d", ++cluster.version);
    json_set_str(json_member(object, "metadata", json_type_object), "resourceVersion", text);
    if (object != cluster.object) {
        (void)json_put(cluster.object);
        cluster.object = object;
    }
}

/* As another one writes it. */
static void other_writes(const char *holder, int lasts_s, int number, const char *time)
{
    CLEANUP(str_free)
    char *text = xasprintf(
        "{\"metadata\":{\"name\":\"jsorc\"},\"spec\":{\"holderIdentity\":\"%s\"," RECORD "}",
        holder, lasts_s, number, time);
    cluster_set(server_manifest(text));
}

static void cluster_forget(void)
{
    (void)json_put(cluster.object);
    memset(&cluster, 0, sizeof(cluster));
}

static const char *spec_str(const char *name)
{
    return json_str(json_member(cluster.object, "spec", json_type_object), name);
}

static int64_t spec_int(const char *name)
{
    return json_int(json_member(cluster.object, "spec", json_type_object), name, -1);
}

static bool is_current(const struct json_object *metadata)
{
    const char *wanted = json_str(metadata, "resourceVersion");
    const char *is =
        json_str(json_member(cluster.object, "metadata", json_type_object), "resourceVersion");
    return wanted && is && strcmp(wanted, is) == 0;
}

/* Members of a spec are texts and numbers: a merge is their replacement. */
static void merge(struct json_object *body)
{
    struct json_object *into = json_member(cluster.object, "spec", json_type_object);
    json_object_object_foreach(json_member(body, "spec", json_type_object), name, value)
    {
        json_set(into, name, json_ref(value));
    }
    cluster_set(cluster.object);
}

static void write_lease(struct server_conn *conn, const struct seen *seen)
{
    CLEANUP(json_put) struct json_object *body = server_manifest(seen->body.data);
    struct json_object *metadata = json_member(body, "metadata", json_type_object);
    bool creates = strcmp(seen->method, "POST") == 0;
    EXPECT_STR(seen->path, creates ? PATH "?fieldManager=jsorc" : PATH "/jsorc?fieldManager=jsorc");
    cluster.writes++;
    if (cluster.is_late) {
        cluster.is_late = false;
        other_writes("faster", 3600, 7, "t");
    }
    if (cluster.refuses) {
        server_reply(conn, 403, "", FORBIDDEN);
    } else if (creates ? cluster.object != NULL : !is_current(metadata)) {
        server_reply(conn, 409, "", CONFLICT);
    } else {
        if (creates) {
            cluster_set(json_ref(body));
        } else {
            merge(body);
        }
        if (cluster.loses_answer) {
            cluster.loses_answer = false;
            server_cut(conn);
        } else {
            server_reply(conn, 200, "", json_text(cluster.object));
        }
    }
}

static void answer(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (strcmp(seen->path, "/apis/coordination.k8s.io/v1") == 0) {
        server->discoveries++;
        server_reply(conn, 200, "",
                     "{\"kind\":\"APIResourceList\",\"resources\":["
                     "{\"name\":\"leases\",\"kind\":\"Lease\",\"namespaced\":true}]}");
    } else if (strcmp(seen->method, "GET") != 0) {
        write_lease(conn, seen);
    } else {
        EXPECT_STR(seen->path, PATH "/jsorc");
        cluster.gets++;
        server_reply(conn, cluster.object ? 200 : 404, "",
                     cluster.object ? json_text(cluster.object) : NOT_FOUND);
    }
}

/* ---- one daemon's end of it ---- */

struct daemon {
    struct testdir *dir;
    struct store *store;
    struct server *server;
    struct lease *lease;
    unsigned answers;
    struct lease_state state; /* of the last answer; number -1 = nobody knew */
    struct err err;
};

static const struct kube_settings once = {.tries_max = 1};

static struct daemon *daemon_new(void)
{
    struct daemon *daemon = xcalloc(1, sizeof(*daemon));
    daemon->dir = testdir_new();
    daemon->store = testdir_open(daemon->dir);
    daemon->server = server_new(answer, NULL, &once);
    daemon->lease = lease_kube_new(TAKE(daemon->server->kube), daemon->store, "jsorc", "me");
    return daemon;
}

static struct daemon *daemon_free(struct daemon *daemon)
{
    (void)daemon->lease->ops->free(daemon->lease);
    (void)server_free(daemon->server);
    (void)store_close(daemon->store);
    (void)testdir_remove(daemon->dir);
    free(daemon);
    cluster_forget();
    return NULL;
}
DEFINE_CLEANUP(struct daemon *, daemon_free)

static void on_taken(void *arg, const struct lease_state *state, const struct err *err)
{
    struct daemon *daemon = arg;
    daemon->state = state ? *state : (struct lease_state){.number = -1};
    daemon->err = err ? *err : (struct err){0};
    daemon->answers++;
}

/* Whether it is ours now. */
static bool takes_for(struct daemon *daemon, int64_t ttl_ms)
{
    unsigned wanted = daemon->answers + 1;
    daemon->lease->ops->take(daemon->lease, ttl_ms, on_taken, daemon);
    server_until(daemon->server, &daemon->answers, wanted);
    return daemon->state.mine;
}

static bool takes(struct daemon *daemon)
{
    return takes_for(daemon, TTL_MS);
}

/* ---- tests ---- */

static void makes_the_lease_and_renews_it(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    EXPECT(takes_for(daemon, 2500));
    EXPECT_INT(daemon->state.number, 1);
    EXPECT_STR(daemon->state.holder, "me");
    EXPECT_STR(spec_str("holderIdentity"), "me");
    EXPECT_INT(spec_int("leaseDurationSeconds"), 3); /* whole seconds, and never less than ours */
    EXPECT_INT(spec_int("leaseTransitions"), 1);
    EXPECT_INT(strlen(spec_str("renewTime")), strlen("2026-01-02T03:04:05.678000Z"));
    EXPECT_STR(spec_str("acquireTime"), spec_str("renewTime"));

    unsigned gets = cluster.gets, connections = daemon->server->connections;
    for (int i = 0; i < 5; i++) {
        EXPECT(takes(daemon));
    }
    EXPECT_INT(daemon->state.number, 1);
    EXPECT_INT(cluster.gets, gets); /* a renewal is one request */
    EXPECT(daemon->server->connections <= connections + 1);
    EXPECT_INT(spec_int("leaseDurationSeconds"), 3600);
}

static void leaves_it_to_another_one_that_gives_signs(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    /* Of the clocks of both nothing is concluded: long ago, and far ahead. */
    static const char *const times[] = {"1970-01-01T00:00:00.000000Z",
                                        "2999-01-01T00:00:00.000000Z"};
    for (int i = 0; i < 2; i++) {
        other_writes("other", 3600, 4, times[i]);
        EXPECT(!takes(daemon));
        EXPECT_STR(daemon->state.holder, "other");
        EXPECT_INT(daemon->state.number, 4);
    }
    EXPECT_INT(cluster.writes, 0);
}

static void takes_over_from_one_that_gives_none_for_the_duration(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    other_writes("other", 1, 4, "2999-01-01T00:00:00.000000Z");
    uint64_t seen_ms = clock_now_ms();
    EXPECT(!takes(daemon)); /* seen for the first time: who knows since when */
    while (!takes(daemon)) {
        EXPECT_INT(cluster.writes, 0);
        loop_turn(daemon->server->loop, 50);
    }
    EXPECT(clock_now_ms() - seen_ms >= 1000);
    EXPECT_INT(daemon->state.number, 5);
    EXPECT_STR(spec_str("holderIdentity"), "me");
}

static void takes_at_once_what_was_given_back(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    other_writes("", 3600, 4, "t");
    EXPECT(takes(daemon));
    EXPECT_INT(daemon->state.number, 5);
}

static void gives_way_to_one_that_is_faster(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    other_writes("", 3600, 4, "t");
    cluster.is_late = true;
    EXPECT(!takes(daemon));
    EXPECT_STR(daemon->state.holder, "faster");
    EXPECT_INT(cluster.writes, 1);
    EXPECT_STR(spec_str("holderIdentity"), "faster");
}

static void sees_that_another_one_has_taken_it(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    EXPECT(takes(daemon));
    other_writes("other", 3600, 2, "t");
    EXPECT(!takes(daemon));
    EXPECT_STR(daemon->state.holder, "other");
    EXPECT(!takes(daemon)); /* and asks no more to renew */
    EXPECT_INT(cluster.writes, 2);
}

static void goes_on_when_the_answer_to_a_renewal_is_lost(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    EXPECT(takes(daemon));
    cluster.loses_answer = true;
    (void)takes(daemon);
    EXPECT(takes(daemon));
    EXPECT_INT(daemon->state.number, 1);
}

static void goes_on_under_a_greater_number_when_the_lease_was_deleted(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    EXPECT(takes(daemon));
    (void)json_put(TAKE(cluster.object));
    EXPECT(takes(daemon));
    EXPECT_INT(daemon->state.number, 2);
}

static void goes_above_the_number_that_the_state_has_seen(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    if (testdir_url()) {
        testdir_sql("INSERT INTO jsorc.leases VALUES ('control', 'earlier', 7, 0)");
    }
    int64_t number = testdir_url() ? 8 : 1; /* a file has seen nobody */
    EXPECT(takes(daemon));
    EXPECT_INT(daemon->state.number, number);
    EXPECT_INT(spec_int("leaseTransitions"), number);
    EXPECT(takes(daemon));
    EXPECT_INT(daemon->state.number, number);
}

static void leaves_it_to_another_one_that_decides_by_the_state(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    bool shared = testdir_url() != NULL; /* a file is its daemon's alone */
    if (shared) {
        testdir_sql(
            "INSERT INTO jsorc.leases VALUES ('control', 'another', 7, 9223372036854775807)");
    }
    EXPECT(takes(daemon) == !shared);
    EXPECT(!shared || strstr(daemon->err.text, "by the state 'another' decides"));
    if (shared) {
        testdir_sql("UPDATE jsorc.leases SET until_ms = 0");
    }
    EXPECT(takes(daemon));
    EXPECT_INT(daemon->state.number, shared ? 8 : 1);
}

static void says_why_it_cannot_be_had(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    cluster.refuses = true;
    EXPECT(!takes(daemon));
    EXPECT_INT(daemon->state.number, -1);
    EXPECT(strstr(daemon->err.text, "Lease 'jsorc'") != NULL);
    cluster.refuses = false;
    EXPECT(takes(daemon));
}

static void gives_it_back(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    EXPECT(takes(daemon));
    /* While a renewal is under way, which changes the version that we know. */
    unsigned writes = cluster.writes + 1;
    daemon->lease->ops->take(daemon->lease, TTL_MS, on_taken, daemon);
    server_until(daemon->server, &cluster.writes, writes);
    daemon->lease->ops->release(daemon->lease);
    uint64_t end_ms = clock_now_ms() + TEST_PATIENCE_MS;
    while (*spec_str("holderIdentity") && clock_now_ms() < end_ms) {
        loop_turn(daemon->server->loop, 100);
    }
    EXPECT_STR(spec_str("holderIdentity"), "");
    EXPECT_INT(spec_int("leaseDurationSeconds"), 1);
    EXPECT_INT(spec_int("leaseTransitions"), 1); /* the next one counts on */
}

static void does_not_take_from_another_one_what_it_gives_back(void)
{
    CLEANUP(daemon_free) struct daemon *daemon = daemon_new();
    EXPECT(takes(daemon));
    other_writes("other", 3600, 2, "t");
    unsigned gets = cluster.gets + 1;
    daemon->lease->ops->release(daemon->lease);
    server_until(daemon->server, &cluster.gets, gets);
    loop_turn(daemon->server->loop, 100);
    EXPECT_STR(spec_str("holderIdentity"), "other");
}

TEST_MAIN(makes_the_lease_and_renews_it, leaves_it_to_another_one_that_gives_signs,
          takes_over_from_one_that_gives_none_for_the_duration, takes_at_once_what_was_given_back,
          gives_way_to_one_that_is_faster, sees_that_another_one_has_taken_it,
          goes_on_when_the_answer_to_a_renewal_is_lost,
          goes_on_under_a_greater_number_when_the_lease_was_deleted,
          goes_above_the_number_that_the_state_has_seen,
          leaves_it_to_another_one_that_decides_by_the_state, says_why_it_cannot_be_had,
          gives_it_back, does_not_take_from_another_one_what_it_gives_back)
