#include "manifest/condition.h"

#include "base/json.h"
#include "base/test.h"

#define POD(status) "{\"kind\": \"Pod\", \"status\": {" status "}}"
#define WAITING(reason)                                                                            \
    POD("\"containerStatuses\": [{\"name\": \"c\", \"restartCount\": 4, \"state\": {\"waiting\": " \
        "{\"reason\": \"" reason "\", \"message\": \"m\"}}, \"lastState\": {\"terminated\": "      \
        "{\"reason\": \"OOMKilled\", \"exitCode\": 137}}}]")
#define DEPLOYMENT(type, value, reason, message)                                                   \
    "{\"kind\": \"Deployment\", \"status\": {\"conditions\": [{\"type\": \"" type                  \
    "\", \"status\": \"" value "\", \"reason\": \"" reason "\", \"message\": \"" message "\"}]}}"

static void says_what_keeps_an_object_from_its_work(void)
{
    static const struct {
        const char *object;
        const char *reason; /* NULL = nothing */
        const char *text;
        bool stuck;
    } rows[] = {
        {"{}", NULL, NULL, false},
        {"{\"kind\": \"Secret\", \"status\": {}}", NULL, NULL, false},
        {POD("\"phase\": \"Running\""), NULL, NULL, false},
        {WAITING("ContainerCreating"), "OOMKilled", "container 'c' ended with status 137", false},
        {POD("\"containerStatuses\": [{\"state\": {\"waiting\": {\"reason\": "
             "\"ContainerCreating\"}}}]"),
         NULL, NULL, false},
        {WAITING("ImagePullBackOff"), "ImagePullBackOff", "m", true},
        {WAITING("ErrImagePull"), "ErrImagePull", "m", false},
        {WAITING("CreateContainerConfigError"), "CreateContainerConfigError", "m", true},
        {WAITING("CrashLoopBackOff"), "OOMKilled",
         "container 'c' ended 4 times, last with status 137 (OOMKilled)", true},
        {POD("\"initContainerStatuses\": [{\"state\": {\"waiting\": {\"reason\": "
             "\"InvalidImageName\"}}}]"),
         "InvalidImageName", "", true},
        {POD("\"phase\": \"Pending\", \"conditions\": [{\"type\": \"PodScheduled\", \"status\": "
             "\"False\", \"reason\": \"Unschedulable\", \"message\": \"0/1 nodes\"}]"),
         "Unschedulable", "0/1 nodes", true},
        {POD("\"phase\": \"Failed\", \"reason\": \"Evicted\", \"message\": \"low on memory\""),
         "Evicted", "low on memory", false},
        {"{\"kind\": \"Pod\", \"metadata\": {\"deletionTimestamp\": \"x\"}, \"status\": "
         "{\"phase\": \"Failed\"}}",
         NULL, NULL, false},
        {DEPLOYMENT("Available", "False", "MinimumReplicasUnavailable", ""), NULL, NULL, false},
        {DEPLOYMENT("ReplicaFailure", "True", "FailedCreate",
                    "pods x is forbidden: exceeded quota: q"),
         "QuotaExceeded", "pods x is forbidden: exceeded quota: q", true},
        {DEPLOYMENT("ReplicaFailure", "True", "FailedCreate", "x violates PodSecurity \\\"r\\\""),
         "PodSecurity", "x violates PodSecurity \"r\"", true},
        {DEPLOYMENT("ReplicaFailure", "True", "FailedCreate", "no"), "FailedCreate", "no", true},
        {DEPLOYMENT("ReplicaFailure", "False", "", ""), NULL, NULL, false},
        {DEPLOYMENT("Progressing", "False", "ProgressDeadlineExceeded", "two\\nlines"),
         "ProgressDeadlineExceeded", "two lines", true},
        {"{\"kind\": \"PersistentVolumeClaim\", \"status\": {\"phase\": \"Pending\"}}", NULL, NULL,
         false},
        {"{\"kind\": \"PersistentVolumeClaim\", \"status\": {\"phase\": \"Lost\"}}", "ClaimLost",
         "the volume of the claim is gone", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *object = NULL;
        struct condition condition = {0};
        EXPECT_INT(json_parse(slice_str(rows[i].object), &object, NULL), 0);
        EXPECT_INT(condition_of(object, &condition), rows[i].reason != NULL);
        EXPECT_STR(condition.reason, rows[i].reason ? rows[i].reason : "");
        EXPECT_STR(condition.text, rows[i].text ? rows[i].text : "");
        EXPECT_INT(condition.stuck, rows[i].stuck);
    }
}

#define ROLLOUT(kind, status)                                                                      \
    "{\"kind\": \"" kind "\", \"metadata\": {\"generation\": 2}, \"spec\": {\"replicas\": 2}, "    \
    "\"status\": {" status "}}"

static void knows_when_all_pods_are_of_the_present_spec(void)
{
    static const struct {
        const char *object;
        bool rolled_out;
    } rows[] = {
        {"{\"kind\": \"Secret\"}", true},
        {ROLLOUT("Deployment", ""), false},
        {ROLLOUT("Deployment",
                 "\"observedGeneration\": 1, \"replicas\": 2, \"updatedReplicas\": 2, "
                 "\"availableReplicas\": 2"),
         false},
        {ROLLOUT("Deployment",
                 "\"observedGeneration\": 2, \"replicas\": 2, \"updatedReplicas\": 2, "
                 "\"availableReplicas\": 2"),
         true},
        {ROLLOUT("Deployment",
                 "\"observedGeneration\": 2, \"replicas\": 3, \"updatedReplicas\": 2, "
                 "\"availableReplicas\": 3"),
         false},
        {ROLLOUT("Deployment",
                 "\"observedGeneration\": 2, \"replicas\": 2, \"updatedReplicas\": 2, "
                 "\"availableReplicas\": 1"),
         false},
        {ROLLOUT("StatefulSet", "\"observedGeneration\": 2, \"readyReplicas\": 2"), true},
        {ROLLOUT("StatefulSet", "\"observedGeneration\": 2, \"readyReplicas\": 2, "
                                "\"currentRevision\": \"a\", \"updateRevision\": \"b\""),
         false},
        {ROLLOUT("DaemonSet", "\"observedGeneration\": 2, \"desiredNumberScheduled\": 1, "
                              "\"updatedNumberScheduled\": 1, \"numberAvailable\": 0"),
         false},
        {ROLLOUT("DaemonSet", "\"observedGeneration\": 2, \"desiredNumberScheduled\": 1, "
                              "\"updatedNumberScheduled\": 1, \"numberAvailable\": 1"),
         true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *object = NULL;
        EXPECT_INT(json_parse(slice_str(rows[i].object), &object, NULL), 0);
        EXPECT_INT(condition_is_rolled_out(object), rows[i].rolled_out);
    }
}

TEST_MAIN(says_what_keeps_an_object_from_its_work, knows_when_all_pods_are_of_the_present_spec)
