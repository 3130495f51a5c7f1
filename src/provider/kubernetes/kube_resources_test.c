#include "provider/kubernetes/kube_resources.h"

#include <errno.h>

#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

static struct json_object *parse(const char *text)
{
    struct json_object *value = NULL;
    EXPECT_INT(json_parse(slice_str(text), &value, NULL), 0);
    return value;
}

static void finds_a_kind_and_leaves_subresources_out(void)
{
    CLEANUP(json_put)
    struct json_object *document =
        parse("{\"kind\":\"APIResourceList\",\"resources\":["
              "{\"name\":\"deployments/scale\",\"kind\":\"Scale\",\"namespaced\":true},"
              "{\"name\":\"deployments\",\"kind\":\"Deployment\",\"namespaced\":true},"
              "{\"name\":\"../x\",\"kind\":\"Evil\",\"namespaced\":true},"
              "{\"name\":7,\"kind\":\"Odd\"}, null,"
              "{\"name\":\"nodes\",\"kind\":\"Node\",\"namespaced\":false}]}");
    CLEANUP(kube_resources_free) struct kube_resources *resources = NULL;
    EXPECT_INT(kube_resources_read(document, "apps/v1", &resources, NULL), 0);
    EXPECT_INT(resources->count, 2);
    const struct kube_resource *found = kube_resources_find(resources, "Deployment");
    EXPECT_STR(found->plural, "deployments");
    EXPECT_STR(found->api_version, "apps/v1");
    EXPECT(found->namespaced);
    EXPECT(!kube_resources_find(resources, "Node")->namespaced);
    EXPECT(kube_resources_find(resources, "Scale") == NULL);
    EXPECT(kube_resources_find(NULL, "Node") == NULL);
}

static void refuses_what_is_no_document_of_resources(void)
{
    static const char *const texts[] = {"{}", "[]", "{\"kind\":\"Status\",\"resources\":[]}",
                                        "{\"kind\":\"APIResourceList\",\"resources\":{}}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CLEANUP(json_put) struct json_object *document = parse(texts[i]);
        struct kube_resources *resources = NULL;
        EXPECT_INT(kube_resources_read(document, "v1", &resources, NULL), -EINVAL);
        EXPECT(resources == NULL);
    }
}

static void refuses_more_resources_than_the_limit(void)
{
    CLEANUP(json_put)
    struct json_object *document = parse("{\"kind\":\"APIResourceList\",\"resources\":[]}");
    struct kube_resources *resources = NULL;
    struct json_object *list = json_member(document, "resources", json_type_array);
    for (int i = 0; i <= KUBE_RESOURCES_MAX; i++) {
        EXPECT_INT(json_object_array_add(list, NULL), 0);
    }
    EXPECT_INT(kube_resources_read(document, "v1", &resources, NULL), -E2BIG);
}

static void takes_the_group_out_of_an_api_version(void)
{
    char group[16];
    kube_api_group("apps/v1", group, sizeof(group));
    EXPECT_STR(group, "apps");
    kube_api_group("v1", group, sizeof(group));
    EXPECT_STR(group, "");
}

static void knows_what_can_stand_in_a_path(void)
{
    EXPECT(kube_is_segment("web-1.x"));
    EXPECT(kube_is_segment("system:node"));
    EXPECT(!kube_is_segment(""));
    EXPECT(!kube_is_segment(".."));
    EXPECT(!kube_is_segment("a/b"));
    EXPECT(!kube_is_segment("a?b"));
    EXPECT(!kube_is_segment("a%2fb"));
}

TEST_MAIN(finds_a_kind_and_leaves_subresources_out, refuses_what_is_no_document_of_resources,
          refuses_more_resources_than_the_limit, takes_the_group_out_of_an_api_version,
          knows_what_can_stand_in_a_path)
