/* The reconciler against an API server that remembers, refuses and fails. */
#include "provider/kubernetes/reconciler.h"

#include "manifest/pod.h"
#include "measure/histogram.h"
#include "provider/kubernetes/reconciler_priv.h"
#include "provider/kubernetes/reconciler_testcluster.h"

#define MAPS        "/api/v1/namespaces/ns/configmaps"
#define SERVICES    "/api/v1/namespaces/ns/services"
#define CLAIMS      "/api/v1/namespaces/ns/persistentvolumeclaims"
#define PODS        "/api/v1/namespaces/ns/pods"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/ns/deployments"
#define SLICES      "/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices"

static const struct manifest_owner owner = {.kind = MANIFEST_ACTION, .name = "m"};

static struct manifest *manifest_of(const char *remote)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    struct manifest *manifest = NULL;
    struct err err = {0};
    EXPECT_INT(json_parse(slice_str(remote), &value, NULL), 0);
    int failed =
        pod_is_short(value)
            ? pod_manifest(value, &(struct pod_module){.name = "m", .source = "m"}, &manifest, &err)
            : manifest_read(value, &manifest, &err);
    EXPECT_INT(failed, 0);
    manifest_rewrite(manifest, MANIFEST_DEDICATED, "ns", NULL);
    return manifest;
}

struct world {
    struct reconciler *reconciler;
    struct reconciler_set *set;
    unsigned told;
};

static void on_changed(void *arg)
{
    ((struct world *)arg)->told++;
}

static void world_begin(struct world *world)
{
    *world = (struct world){
        .reconciler = reconciler_new(cluster.server->loop, cluster.server->kube, "inst", 1)};
}

static void world_want(struct world *world, const char *remote)
{
    world->set = reconciler_want(world->reconciler, &owner, manifest_of(remote), on_changed, world);
}

static bool settled(void *arg)
{
    const struct world *world = arg;
    return reconciler_is_settled(world->set);
}

static bool refused(void *arg)
{
    struct condition condition;
    return cluster.refused > 0 && reconciler_condition(((struct world *)arg)->set, &condition);
}

static bool has_endpoint(void *arg)
{
    size_t count = 0;
    (void)reconciler_endpoints(((struct world *)arg)->set, &count);
    return count > 0;
}

static bool has_no_endpoint(void *arg)
{
    return !has_endpoint(arg);
}

static bool has_condition(void *arg)
{
    struct condition condition;
    return reconciler_condition(((struct world *)arg)->set, &condition);
}

static bool has_claim_alone(void *arg)
{
    (void)arg;
    return cluster.object_count == 1 && cluster_find(CLAIMS, "c");
}

static void world_end(struct world *world)
{
    world->reconciler = reconciler_free(world->reconciler);
}

/* ---- tests ---- */

static void makes_changes_and_deletes(void)
{
    struct world world;
    cluster_start();
    world_begin(&world);
    world_want(&world, "{\"image\": \"x:1\"}");
    cluster_until(settled, &world, "made");
    EXPECT_INT(cluster.object_count, 3);
    EXPECT_INT(cluster.created, 3);
    EXPECT_INT(cluster.applied, 3); /* nothing was asked twice */
    EXPECT(world.told > 0);

    reconciler_change(world.set, manifest_of("{\"image\": \"x:2\", \"command\": [\"run\"]}"));
    cluster_until(settled, &world, "changed");
    EXPECT_INT(cluster.object_count, 2); /* no start-up script any more */
    EXPECT(!cluster_find(MAPS, "m-up"));
    EXPECT_INT(cluster.changed, 1); /* the Service is as it was */

    reconciler_unwant(world.set);
    cluster_until(settled, &world, "deleted");
    EXPECT_INT(cluster.object_count, 0);
    world_end(&world);
    cluster_end();
}

/* What a person changed in the cluster: an object of other values, one without its labels, one that
 * is gone. */
static void mends_what_somebody_changed(void)
{
    struct world world;
    cluster_start();
    world_begin(&world);
    world_want(&world, "{\"image\": \"x:1\", \"replicas\": 2}");
    cluster_until(settled, &world, "made");

    struct json_object *copy = NULL;
    EXPECT_INT(json_object_deep_copy(cluster_find(DEPLOYMENTS, "m")->value, &copy, NULL), 0);
    json_set_int(json_member(copy, "spec", json_type_object), "replicas", 0);
    unsigned applied = cluster.applied;
    cluster_put(DEPLOYMENTS, copy);
    while (cluster.applied == applied) {
        loop_turn(cluster.server->loop, 20);
    }
    cluster_until(settled, &world, "mended");
    struct json_object *spec =
        json_member(cluster_find(DEPLOYMENTS, "m")->value, "spec", json_type_object);
    EXPECT_INT(json_int(spec, "replicas", -1), 2);

    applied = cluster.applied;
    EXPECT(cluster_remove(SERVICES, "m"));
    while (cluster.applied == applied) {
        loop_turn(cluster.server->loop, 20);
    }
    cluster_until(settled, &world, "made again");
    EXPECT(cluster_find(SERVICES, "m"));

    struct reconciler_figures figures;
    reconciler_figures_read(world.reconciler, &figures);
    EXPECT_INT(figures.repaired, 2);
    EXPECT_INT(figures.applied, 5);
    EXPECT_INT(figures.deleted, 0);
    EXPECT_INT(figures.sets, 1);
    EXPECT_INT(figures.unsettled, 0);
    EXPECT_INT(figures.objects, 3);
    EXPECT_INT(figures.asking, 0);
    EXPECT_INT(figures.failing, 0);
    EXPECT_INT(figures.watches, 5); /* those of the objects, of pods and of endpoints */
    EXPECT(histogram_count(figures.settling) >= 3);
    EXPECT(histogram_count(figures.turning) >= 3);
    EXPECT(figures.settling_ns > 0 && figures.turning_ns > 0);
    world_end(&world);
    cluster_end();
}

/* The daemon ends in the middle of everything; the next one wants the same, and something less. */
static void finds_what_an_earlier_life_left(void)
{
    struct world world;
    const struct manifest_owner other = {.kind = MANIFEST_ACTION, .name = "gone"};
    cluster_start();
    world_begin(&world);
    world_want(&world, "{\"image\": \"x:1\"}");
    struct world left = {.reconciler = world.reconciler};
    left.set = reconciler_want(
        world.reconciler, &other,
        manifest_of("{\"Secret\": {\"s\": {}}, \"PersistentVolumeClaim\": {\"data\": {}}}"),
        on_changed, &left);
    cluster_until(settled, &world, "made");
    cluster_until(settled, &left, "made");
    EXPECT_INT(cluster.object_count, 5);
    world_end(&world);

    unsigned applied = cluster.applied;
    world_begin(&world);
    world_want(&world, "{\"image\": \"x:1\"}");
    cluster_until(settled, &world, "found");
    EXPECT_INT(cluster.applied, applied); /* all is as it was left */
    reconciler_sweep(world.reconciler);
    while (cluster.object_count > 4) {
        loop_turn(cluster.server->loop, 20);
    }
    EXPECT_INT(cluster.deleted, 1);
    EXPECT(cluster_find(CLAIMS, "data")); /* nobody said the phrase */
    world_end(&world);
    cluster_end();
}

static bool two_agree(void *arg)
{
    const struct world *worlds = arg;
    return settled(arg) && reconciler_is_settled(worlds[1].set);
}

/* Two daemons of one installation; the second one does not lead, then it does. */
static void only_looks_while_it_is_passive(void)
{
    struct world worlds[2];
    cluster_start();
    world_begin(&worlds[0]);
    world_begin(&worlds[1]);
    reconciler_set_passive(worlds[1].reconciler, true);
    reconciler_sweep(worlds[1].reconciler);
    world_want(&worlds[1], "{\"image\": \"x:1\"}");
    world_want(&worlds[0], "{\"image\": \"x:1\"}");
    cluster_until(two_agree, worlds, "made by one, seen by both");
    EXPECT_INT(cluster.applied, 3);
    reconciler_unwant(worlds[1].set);
    reconciler_change(worlds[0].set, manifest_of("{\"image\": \"x:2\"}"));
    cluster_until(settled, &worlds[0], "changed by the one");
    EXPECT_INT(cluster.deleted, 0);
    EXPECT_INT(cluster.object_count, 3);

    world_end(&worlds[0]);
    reconciler_set_passive(worlds[1].reconciler, false);
    cluster_until(settled, &worlds[1], "deleted by the other");
    EXPECT_INT(cluster.object_count, 0);
    world_end(&worlds[1]);
    cluster_end();
}

static void a_claim_is_deleted_by_the_phrase_alone(void)
{
    for (int phrase = 0; phrase < 2; phrase++) {
        struct world world;
        cluster_start();
        world_begin(&world);
        world_want(&world, "{\"PersistentVolumeClaim\": {\"data\": {}}, \"Secret\": {\"s\": {}}}");
        cluster_until(settled, &world, "made");
        reconciler_change(world.set,
                          manifest_of(phrase ? "{\"__UNSAFE_PARAPHRASE__\": \"I know what I'm "
                                               "doing!\", \"Secret\": {\"s\": {}}}"
                                             : "{\"Secret\": {\"s\": {}}}"));
        cluster_until(settled, &world, "changed");
        EXPECT((cluster_find(CLAIMS, "data") == NULL) == (phrase == 1));
        world_end(&world);
        cluster_end();
    }
}

static void says_why_it_cannot_and_goes_on_when_it_can(void)
{
    static const struct {
        int status;
        const char *body;
        const char *reason;
    } rows[] = {
        {403,
         "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\",\"message\":\"configmaps "
         "is forbidden: User \\\"u\\\" cannot patch resource \\\"configmaps\\\" in API group "
         "\\\"\\\" in the namespace \\\"ns\\\"\"}",
         "Forbidden"},
        {403,
         "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\",\"message\":\"configmaps "
         "\\\"m-up\\\" is forbidden: exceeded quota: q\"}",
         "QuotaExceeded"},
        {422, "{\"kind\":\"Status\",\"code\":422,\"reason\":\"Invalid\",\"message\":\"data: no\"}",
         "Invalid"},
        {409,
         "{\"kind\":\"Status\",\"code\":409,\"reason\":\"Conflict\",\"message\":\"conflict "
         "with other\"}",
         "Conflict"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        struct condition condition = {0};
        cluster_start();
        cluster.refuse_method = "PATCH";
        cluster.refuse_path = "configmaps";
        cluster.refuse_status = rows[i].status;
        cluster.refuse_body = rows[i].body;
        world_begin(&world);
        world_want(&world, "{\"image\": \"x:1\"}");
        cluster_until(refused, &world, "refused");
        EXPECT(reconciler_condition(world.set, &condition));
        EXPECT_STR(condition.reason, rows[i].reason);
        EXPECT(condition.stuck);
        cluster.refuse_method = NULL;
        cluster_until(settled, &world, "made after all");
        EXPECT(!reconciler_condition(world.set, &condition));
        EXPECT_INT(cluster.object_count, 3);
        world_end(&world);
        cluster_end();
    }
}

#define POD_OF(name, module)                                                                       \
    "{\"kind\": \"Pod\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"" name                 \
    "\", \"namespace\": \"ns\", \"labels\": {\"jsorc/owner\": \"inst\", \"jsorc/action\": "        \
    "\"" module                                                                                    \
    "\"}}, \"status\": {\"containerStatuses\": [{\"state\": {\"waiting\": {\"reason\": "           \
    "\"ImagePullBackOff\"}}}]}}"

#define SLICE_OF(ready)                                                                            \
    "{\"kind\": \"EndpointSlice\", \"apiVersion\": \"discovery.k8s.io/v1\", \"addressType\": "     \
    "\"IPv4\", \"metadata\": {\"name\": \"m-1\", \"namespace\": \"ns\", \"labels\": "              \
    "{\"jsorc/owner\": \"inst\", \"jsorc/action\": \"m\", \"kubernetes.io/service-name\": "        \
    "\"m\"}}, \"ports\": [{\"name\": \"http\", \"port\": 80}], \"endpoints\": [{\"addresses\": "   \
    "[\"10.0.0.1\"], \"targetRef\": {\"name\": \"p\"}, \"conditions\": {\"ready\": " ready "}}]}"

static void tells_of_pods_and_where_they_answer(void)
{
    struct world world;
    struct condition condition = {0};
    size_t count = 0;
    cluster_start();
    world_begin(&world);
    world_want(&world, "{\"image\": \"x:1\"}");
    cluster_until(settled, &world, "made");
    EXPECT(!reconciler_is_rolled_out(world.set));
    cluster_put_text(PODS, POD_OF("p", "m"));
    cluster_until(has_condition, &world, "a pod that cannot start");
    EXPECT(reconciler_condition(world.set, &condition));
    EXPECT_STR(condition.reason, "ImagePullBackOff");
    EXPECT(cluster_remove(PODS, "p"));
    cluster_put_text(SLICES, SLICE_OF("true"));
    cluster_until(has_endpoint, &world, "an endpoint");
    EXPECT_STR(reconciler_endpoints(world.set, &count)[0].address, "10.0.0.1");
    cluster_put_text(SLICES, SLICE_OF("false"));
    cluster_until(has_no_endpoint, &world, "no endpoint");
    EXPECT(!reconciler_condition(world.set, &condition));
    world_end(&world);
    cluster_end();
}

static const struct manifest_owner first = {.kind = MANIFEST_ACTION, .name = "first"};

/* Watches that have told of pods of "m", which nobody wants yet. */
static void begin_late(struct world *world, struct world *early, bool passive)
{
    world_begin(world);
    reconciler_set_passive(world->reconciler, passive);
    *early = (struct world){.reconciler = world->reconciler};
    early->set = reconciler_want(world->reconciler, &first,
                                 manifest_of("{\"Service\": {\"first\": {}}}"), on_changed, early);
    cluster_put_text(PODS, POD_OF("first-1", "first"));
    cluster_put_text(PODS, POD_OF("m-1", "m"));
    cluster_put_text(SLICES, SLICE_OF("true"));
    cluster_until(has_condition, early, "the first one's pod");
}

/* Objects of "m" that an earlier life made, too. */
static void begin_later(struct world *world, struct world *early)
{
    cluster_start();
    world_begin(world);
    world_want(world, "{\"image\": \"x:1\"}");
    cluster_until(settled, world, "made");
    world_end(world);
    begin_late(world, early, false);
    cluster_until(settled, early, "the first one's objects");
}

static bool makes_service(void *arg)
{
    (void)arg;
    return cluster_find(SERVICES, "m") != NULL;
}

static void learns_of_pods_behind_what_another_one_makes(void)
{
    struct world world, early, other;
    cluster_start();
    begin_late(&world, &early, true);
    world_want(&world, "{\"image\": \"x:1\"}");
    world_begin(&other);
    world_want(&other, "{\"image\": \"x:1\"}");
    cluster_until(makes_service, NULL, "the Service");
    cluster_until(has_endpoint, &world, "an endpoint that was there");
    cluster_until(has_condition, &world, "a pod that was there");
    world_end(&other);
    world_end(&world);
    cluster_end();
}

static void asks_for_no_pods_behind_what_it_makes(void)
{
    struct world world, early;
    cluster_start();
    begin_late(&world, &early, false);
    cluster_until(settled, &early, "the first one's objects");
    cluster.refuse_method = "GET";
    cluster.refuse_path = "action%3Dm";
    cluster.refuse_status = 403;
    cluster.refuse_body = "{}";
    world_want(&world, "{\"image\": \"x:1\"}");
    cluster_until(settled, &world, "made");
    cluster_put_text(SLICES, SLICE_OF("true"));
    cluster_until(has_endpoint, &world, "what came later");
    EXPECT_INT(cluster.refused, 0);
    world_end(&world);
    cluster_end();
}

static void learns_of_pods_that_were_there_before(void)
{
    for (int refusing = 0; refusing < 2; refusing++) {
        struct world world, early;
        begin_later(&world, &early);
        cluster.refuse_method = refusing ? "GET" : NULL;
        cluster.refuse_path = "action%3Dm";
        cluster.refuse_status = 403;
        cluster.refuse_body = "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\"}";
        world_want(&world, "{\"image\": \"x:1\"}");
        cluster_until(settled, &world, "made");
        while (refusing && cluster.refused < RECONCILER_READINGS) {
            loop_turn(cluster.server->loop, 20);
        }
        cluster.refuse_method = NULL;
        cluster_until(has_endpoint, &world, "an endpoint that was there");
        cluster_until(has_condition, &world, "a pod that was there");
        world_end(&world);
        cluster_end();
    }
}

static bool holds(void *arg)
{
    (void)arg;
    return cluster.held != NULL;
}

static bool has_no_condition(void *arg)
{
    return !has_condition(arg);
}

/* The pod is in the list, but the watch tells of its end before the list arrives. */
static void believes_the_watch_rather_than_an_older_list(void)
{
    struct world world, early;
    begin_later(&world, &early);
    cluster.hold_query = "pods?labelSelector=jsorc%2Fowner%3Dinst%2Cjsorc%2Faction%3Dm";
    world_want(&world, "{\"image\": \"x:1\"}");
    cluster_until(holds, NULL, "the list");
    EXPECT(cluster_remove(PODS, "m-1"));
    EXPECT(cluster_remove(PODS, "first-1"));
    cluster_until(has_no_condition, &early, "what the watch tells");
    cluster_release();
    cluster_until(has_endpoint, &world, "an endpoint that was there");
    cluster_until(settled, &world, "made");
    for (size_t i = 0; i < RECONCILER_READINGS; i++) {
        while (world.set->readings[i].request) {
            loop_turn(cluster.server->loop, 20);
        }
    }
    EXPECT(!has_condition(&world));
    world_end(&world);
    cluster_end();
}

/* Requests lost before and after they were executed, refusals, cut watches: in the end all is there
 * once, and in the end all is gone, but never the claim. */
static void comes_to_the_same_end_whatever_fails(void)
{
    enum { SEEDS = 20 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world;
        cluster_start();
        cluster.faults = seed;
        cluster.faults_left = 25;
        world_begin(&world);
        world_want(&world, "{\"ConfigMap\": {\"a\": {}}, \"Service\": {\"b\": {}}, "
                           "\"PersistentVolumeClaim\": {\"c\": {}}, \"Deployment\": {\"d\": {}}}");
        cluster_until(settled, &world, "made");
        EXPECT_INT(cluster.object_count, 4);
        EXPECT(cluster_find(MAPS, "a") && cluster_find(SERVICES, "b") &&
               cluster_find(CLAIMS, "c") && cluster_find(DEPLOYMENTS, "d"));
        reconciler_unwant(world.set);
        cluster_until(has_claim_alone, &world, "deleted");
        cluster_until(settled, &world, "settled");
        EXPECT(cluster_find(CLAIMS, "c"));
        world_end(&world);
        cluster_end();
    }
}

TEST_MAIN(makes_changes_and_deletes, mends_what_somebody_changed, finds_what_an_earlier_life_left,
          only_looks_while_it_is_passive, a_claim_is_deleted_by_the_phrase_alone,
          says_why_it_cannot_and_goes_on_when_it_can, tells_of_pods_and_where_they_answer,
          learns_of_pods_that_were_there_before, learns_of_pods_behind_what_another_one_makes,
          asks_for_no_pods_behind_what_it_makes, believes_the_watch_rather_than_an_older_list,
          comes_to_the_same_end_whatever_fails)
