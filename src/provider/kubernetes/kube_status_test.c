#include "provider/kubernetes/kube_status.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/test.h"

static const struct kube_deed patch_web = {.verb = "patch",
                                           .group = "apps",
                                           .resource = "deployments",
                                           .kind = "Deployment",
                                           .namespace = "shop",
                                           .name = "web"};

struct row {
    int status;
    const char *body;
    enum kube_outcome outcome;
    const char *text; /* must be in the error's */
};

static const struct row rows[] = {
    {200, "", KUBE_OK, NULL},
    {201, "{}", KUBE_OK, NULL},
    {401, "{\"message\":\"Unauthorized\"}", KUBE_UNAUTHORIZED, "renew the token"},
    {403,
     "{\"reason\":\"Forbidden\",\"message\":\"deployments.apps \\\"web\\\" is forbidden: User "
     "\\\"system:serviceaccount:shop:jsorc\\\" cannot patch resource \\\"deployments\\\" in API "
     "group \\\"apps\\\" in the namespace \\\"shop\\\"\"}",
     KUBE_FORBIDDEN,
     "cannot patch Deployment 'web' in namespace 'shop': not allowed: grant "
     "'system:serviceaccount:shop:jsorc' the verb 'patch' on resource 'deployments' of API group "
     "'apps' in namespace 'shop', by a Role"},
    {403, "", KUBE_FORBIDDEN, "grant this user the verb 'patch'"},
    {403,
     "{\"reason\":\"Forbidden\",\"message\":\"pods \\\"a\\\" is forbidden: exceeded quota: q, "
     "requested: memory=2Gi\"}",
     KUBE_REFUSED, "raise the ResourceQuota"},
    {403, "{\"message\":\"pods \\\"a\\\" is forbidden: violates PodSecurity \\\"restricted\\\"\"}",
     KUBE_REFUSED, "level of pod security"},
    {404, "{\"message\":\"deployments.apps \\\"web\\\" not found\"}", KUBE_NOT_FOUND, "not found"},
    {409, "{\"reason\":\"AlreadyExists\",\"message\":\"it is there\"}", KUBE_EXISTS, "it is there"},
    {409,
     "{\"reason\":\"Conflict\",\"message\":\"Apply failed with 1 conflict: conflict with "
     "\\\"kubectl\\\"\"}",
     KUBE_CONFLICT, "with force"},
    {409, "", KUBE_CONFLICT, "answered 409"},
    {410, "{\"reason\":\"Expired\"}", KUBE_GONE, "410 Expired"},
    {400, "", KUBE_INVALID, "400"},
    {413, "", KUBE_INVALID, "413"},
    {415, "", KUBE_INVALID, "415"},
    {422, "{\"message\":\"spec.replicas: Invalid value: -1\"}", KUBE_INVALID, "spec.replicas"},
    {429, "", KUBE_BUSY, "asked again later"},
    {503, "", KUBE_BUSY, "asked again later"},
    {500, "{\"message\":\"oh\"}", KUBE_FAILED, "oh"},
    {504, "{\"reason\":\"ServerTimeout\"}", KUBE_BUSY, "504 ServerTimeout"},
    {302, "", KUBE_FAILED, "302"},
};

static void knows_what_each_answer_means(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *body = NULL;
        struct err err = {0};
        (void)json_parse(slice_str(rows[i].body), &body, NULL);
        enum kube_outcome outcome = kube_status_judge(rows[i].status, body, &patch_web, &err);
        EXPECT_INT(outcome, rows[i].outcome);
        EXPECT_INT(err.code, kube_outcome_errno(outcome));
        if (rows[i].text && !strstr(err.text, rows[i].text)) {
            EXPECT_STR(err.text, rows[i].text);
        }
    }
}

static void names_the_whole_cluster_where_there_is_no_namespace(void)
{
    struct kube_deed list = {.verb = "list", .group = "", .resource = "nodes", .kind = "Node"};
    struct err err = {0};
    EXPECT_INT(kube_status_judge(403, NULL, &list, &err), KUBE_FORBIDDEN);
    EXPECT_STR(err.text,
               "cannot list Node: not allowed: grant this user the verb 'list' on resource "
               "'nodes' of API group '' in the whole cluster, by a ClusterRole");
}

static void cuts_what_a_server_says_without_end(void)
{
    CLEANUP(json_put) struct json_object *status = json_object_new_object();
    char *message = xcalloc(1, 100001);
    struct err err = {0};
    memset(message, 'x', 100000);
    json_set_str(status, "message", message);
    EXPECT_INT(kube_status_judge(422, status, &patch_web, &err), KUBE_INVALID);
    EXPECT(strlen(err.text) < ERR_TEXT_MAX);
    free(message);
}

static void has_a_name_for_each_outcome(void)
{
    for (int i = KUBE_OK; i <= KUBE_BROKEN; i++) {
        EXPECT(kube_outcome_name((enum kube_outcome)i) != NULL);
        EXPECT((kube_outcome_errno((enum kube_outcome)i) == 0) == (i == KUBE_OK));
    }
}

TEST_MAIN(knows_what_each_answer_means, names_the_whole_cluster_where_there_is_no_namespace,
          cuts_what_a_server_says_without_end, has_a_name_for_each_outcome)
