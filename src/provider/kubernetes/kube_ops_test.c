#include "provider/kubernetes/kube_testserver.h"

static const struct kube_ref web = {.api_version = "apps/v1", .kind = "Deployment", .name = "web"};

static void answer_writes(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (server_discover(server, conn, seen)) {
        return;
    }
    server->step++;
    switch (server->step) {
    case 1:
        EXPECT_STR(seen->method, "PATCH");
        EXPECT_STR(seen->path, "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=jsorc"
                               "&dryRun=All&force=true");
        EXPECT(header_has(seen, "Content-Type: application/apply-patch+yaml"));
        break;
    case 2:
        EXPECT_STR(seen->path,
                   "/apis/apps/v1/namespaces/default/deployments/web?fieldManager=jsorc");
        EXPECT(header_has(seen, "Content-Type: application/merge-patch+json"));
        EXPECT_STR(seen->body.data, "{\"spec\":{\"replicas\":2}}");
        break;
    default:
        EXPECT_STR(seen->method, "DELETE");
        EXPECT_STR(seen->body.data, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                                    "\"propagationPolicy\":\"Foreground\",\"gracePeriodSeconds\":0,"
                                    "\"preconditions\":{\"uid\":\"u-1\"}}");
    }
    server_reply(conn, 200, "", "{\"kind\":\"Deployment\"}");
}

static void writes_as_the_api_wants_it(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_writes, NULL, NULL);
    CLEANUP(json_put)
    struct json_object *object = server_manifest(
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":"
        "\"web\",\"namespace\":\"shop\"}}");
    CLEANUP(json_put) struct json_object *patch = server_manifest("{\"spec\":{\"replicas\":2}}");
    struct kube_answer answers[3] = {0};
    (void)kube_apply(server->kube, object, &(struct kube_write){.dry_run = true, .force = true},
                     kube_keep, &answers[0]);
    EXPECT_INT(kube_wait(server->kube, &answers[0]), KUBE_OK);
    (void)kube_patch(server->kube, &web, patch, NULL, kube_keep, &answers[1]);
    EXPECT_INT(kube_wait(server->kube, &answers[1]), KUBE_OK);
    (void)kube_delete(
        server->kube, &web,
        &(struct kube_remove){.propagation = KUBE_FOREGROUND, .uid = "u-1", .grace_s = -1},
        kube_keep, &answers[2]);
    EXPECT_INT(kube_wait(server->kube, &answers[2]), KUBE_OK);
    for (int i = 0; i < 3; i++) {
        kube_answer_done(&answers[i]);
    }
}

static void answer_log(struct server *server, struct server_conn *conn, const struct seen *seen)
{
    if (server_discover(server, conn, seen)) {
        return;
    }
    if (strstr(seen->path, "/log?")) {
        EXPECT_STR(seen->path, "/api/v1/namespaces/shop/pods/web-1/log?limitBytes=1048576"
                               "&container=main&previous=true&tailLines=5");
        server_reply(conn, 200, "", "one\ntwo\n");
    } else if (strstr(seen->path, "selfsubjectaccessreviews")) {
        EXPECT_STR(seen->body.data,
                   "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"
                   "\"SelfSubjectAccessReview\",\"spec\":{\"resourceAttributes\":{\"verb\":"
                   "\"patch\",\"group\":\"apps\",\"resource\":\"deployments\",\"name\":\"web\","
                   "\"namespace\":\"default\"}}}");
        server_reply(conn, 201, "", "{\"status\":{\"allowed\":true}}");
    } else {
        EXPECT_STR(seen->path, "/readyz");
        server_reply(conn, 200, "", "ok");
    }
}

static void reads_logs_paths_and_what_is_allowed(void)
{
    CLEANUP(server_free) struct server *server = server_new(answer_log, NULL, NULL);
    struct kube_log_options options = {.container = "main", .previous = true, .lines_max = 5};
    struct kube_answer log = {0}, allowed = {0}, ready = {0};
    (void)kube_log(server->kube, "shop", "web-1", &options, kube_keep, &log);
    EXPECT_INT(kube_wait(server->kube, &log), KUBE_OK);
    EXPECT_STR(log.text, "one\ntwo\n");
    (void)kube_access(server->kube, "patch", &web, kube_keep, &allowed);
    EXPECT_INT(kube_wait(server->kube, &allowed), KUBE_OK);
    EXPECT(kube_access_allowed(allowed.object));
    (void)kube_raw(server->kube, "GET", "/readyz", NULL, kube_keep, &ready);
    EXPECT_INT(kube_wait(server->kube, &ready), KUBE_OK);
    EXPECT_STR(ready.text, "ok");
    kube_answer_done(&log);
    kube_answer_done(&allowed);
    kube_answer_done(&ready);
}

TEST_MAIN(writes_as_the_api_wants_it, reads_logs_paths_and_what_is_allowed)
