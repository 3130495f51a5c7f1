#include "manifest/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

static struct json_object *json(const char *text)
{
    struct json_object *value = NULL;
    struct err err = {0};
    EXPECT_INT(json_parse(slice_str(text), &value, &err), 0);
    return value;
}

static struct manifest *read_text(const char *text)
{
    CLEANUP(json_put) struct json_object *source = json(text);
    struct manifest *manifest = NULL;
    struct err err = {0};
    EXPECT_INT(manifest_read(source, &manifest, &err), 0);
    EXPECT_STR(err.text, "");
    return manifest;
}

#define A "{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {\"name\": \"a\"}}"
#define B "{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"b\"}}"

static void reads_every_form(void)
{
    static const struct {
        const char *text;
        const char *map;
    } rows[] = {
        {A, "{\"Secret\":{\"a\":" A "}}"},
        {"[" A ", null, " B "]", "{\"Secret\":{\"a\":" A "},\"Service\":{\"b\":" B "}}"},
        {"{\"Secret\": " A "}", "{\"Secret\":{\"a\":" A "}}"},
        {"{\"Secret\": [" A "]}", "{\"Secret\":{\"a\":" A "}}"},
        {"{\"Secret\": {\"a\": " A "}}", "{\"Secret\":{\"a\":" A "}}"},
        {"{\"Secret\": {\"a\": {}}}", "{\"Secret\":{\"a\":" A "}}"},
        {"{\"Secret\": {\"a\": {\"metadata\": {\"x\": null}, \"status\": {}, \"data\": null}}}",
         "{\"Secret\":{\"a\":" A "}}"},
        {"{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [" A "]}",
         "{\"Secret\":{\"a\":" A "}}"},
        {"{\"__OLD_CONFIG__\": {\"Secret\": [\"old\"]}, \"Secret\": null}", "{}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(manifest_free) struct manifest *manifest = read_text(rows[i].text);
        CLEANUP(json_put) struct json_object *map = manifest_map(manifest);
        CLEANUP(json_put) struct json_object *wanted = json(rows[i].map);
        EXPECT(json_object_equal(map, wanted));
        EXPECT(!manifest->may_delete_claims);
    }
}

static void says_what_is_wrong_with_an_object(void)
{
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"3", "a manifest is an object or a list of objects"},
        {"{\"Secret\": [3]}", "'Secret' is no object with apiVersion, kind and metadata"},
        {"{\"Secret\": {\"a\": 3}}", "'a' is no object with apiVersion, kind and metadata"},
        {"{\"Widget\": {\"a\": {}}}", "the Widget 'a' has no apiVersion"},
        {"{\"Secret\": [{}]}", "the Secret '?' has no metadata.name"},
        {"{\"apiVersion\": \"v1\", \"metadata\": {\"name\": \"a\"}}", "the object 'a' has no kind"},
        {"[[[[[[" A "]]]]]]", "lists within lists, more than 4 deep"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *source = json(rows[i].text);
        struct manifest *manifest = NULL;
        struct err err = {0};
        EXPECT_INT(manifest_read(source, &manifest, &err), -EINVAL);
        EXPECT_STR(err.text, rows[i].error);
        EXPECT(!manifest);
    }
}

static void refuses_one_object_more_than_the_limit(void)
{
    CLEANUP(json_put) struct json_object *list = json_object_new_array();
    struct manifest *manifest = NULL;
    for (int i = 0; i <= MANIFEST_OBJECTS_MAX; i++) {
        (void)json_object_array_add(list, json(A));
    }
    EXPECT_INT(manifest_read(list, &manifest, NULL), -E2BIG);
    (void)json_object_array_del_idx(list, 0, 1);
    EXPECT_INT(manifest_read(list, &manifest, NULL), 0);
    (void)manifest_free(manifest);
}

static void only_the_whole_phrase_permits_deleting_claims(void)
{
    static const struct {
        const char *text;
        bool may;
    } rows[] = {
        {"{\"__UNSAFE_PARAPHRASE__\": \"I know what I'm doing!\"}", true},
        {"{\"__UNSAFE_PARAPHRASE__\": \"I know what I'm doing\"}", false},
        {"{\"__UNSAFE_PARAPHRASE__\": true}", false},
        {"{}", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(manifest_free) struct manifest *manifest = read_text(rows[i].text);
        EXPECT_INT(manifest->may_delete_claims, rows[i].may);
        EXPECT_INT(manifest->count, 0);
    }
}

static void rewrites_namespaces(void)
{
    static const struct {
        enum manifest_space space;
        const char *wanted[4]; /* of: none, written, shared, cluster-wide */
    } rows[] = {
        {MANIFEST_DEDICATED, {"own", "own", "jsorc-dedicated-x", NULL}},
        {MANIFEST_SOURCE, {"default", "theirs", "jsorc-dedicated-x", NULL}},
        {MANIFEST_MANUAL, {"given", "given", "jsorc-dedicated-x", NULL}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(manifest_free)
        struct manifest *manifest = read_text(
            "{\"Secret\": {\"none\": {}, \"written\": {\"metadata\": {\"namespace\": \"theirs\"}}, "
            "\"shared\": {\"metadata\": {\"namespace\": \"jsorc-dedicated-x\"}}}, "
            "\"ClusterRole\": {\"wide\": {\"metadata\": {\"namespace\": \"theirs\"}}}}");
        manifest_rewrite(manifest, rows[i].space, "own", "given");
        for (size_t k = 0; k < 4; k++) {
            const char *namespace = manifest_namespace(manifest->objects[k].value);
            if (rows[i].wanted[k]) {
                EXPECT_STR(namespace, rows[i].wanted[k]);
            } else {
                EXPECT(!namespace);
            }
        }
    }
}

static void reads_where_objects_shall_go(void)
{
    enum manifest_space space = MANIFEST_MANUAL;
    const char *given = NULL;
    EXPECT_INT(manifest_space_of("source", &space, NULL), 0);
    EXPECT_INT(space, MANIFEST_SOURCE);
    EXPECT_INT(manifest_space_of("DEDICATED", &space, NULL), 0);
    EXPECT_INT(space, MANIFEST_DEDICATED);
    EXPECT_INT(manifest_space_of("x", &space, NULL), -EINVAL);
    EXPECT_INT(manifest_space_from(NULL, &given), MANIFEST_DEDICATED);
    EXPECT_INT(manifest_space_from("", &given), MANIFEST_DEDICATED);
    EXPECT_INT(manifest_space_from("SOURCE", &given), MANIFEST_SOURCE);
    EXPECT(!given);
    EXPECT_INT(manifest_space_from("data", &given), MANIFEST_MANUAL);
    EXPECT_STR(given, "data");
}

static void makes_what_others_refer_to_first(void)
{
    static const char *const order[] = {"Namespace",
                                        "CustomResourceDefinition",
                                        "ConfigMap",
                                        "Secret",
                                        "PersistentVolumeClaim",
                                        "ServiceAccount",
                                        "Role",
                                        "RoleBinding",
                                        "Service",
                                        "Deployment",
                                        "Ingress",
                                        "ValidatingWebhookConfiguration",
                                        "Elasticsearch"};
    for (size_t i = 1; i < sizeof(order) / sizeof(order[0]); i++) {
        EXPECT(manifest_rank(order[i - 1]) < manifest_rank(order[i]));
    }
    EXPECT_INT(manifest_rank("Widget"), manifest_rank("Kibana"));
    EXPECT(manifest_is_guarded("PersistentVolumeClaim") && !manifest_is_guarded("Secret"));
}

static const struct manifest_owner owner = {"inst-1", MANIFEST_ACTION, "word_tools"};

static void labels_objects_and_the_pods_they_make(void)
{
    CLEANUP(manifest_free)
    struct manifest *manifest =
        read_text("{\"Deployment\": {\"a\": {\"metadata\": {\"labels\": {\"config_version\": 2}}, "
                  "\"spec\": {\"template\": {\"spec\": {}}}}}, \"Secret\": {\"b\": {}}}");
    manifest_own(manifest, &owner);
    const struct json_object *object = manifest->objects[0].value;
    EXPECT_STR(manifest_label(object, MANIFEST_MANAGED_BY), "jsorc");
    EXPECT_STR(manifest_label(object, MANIFEST_OWNER), "inst-1");
    EXPECT_STR(manifest_label(object, MANIFEST_ACTION), "word_tools");
    EXPECT_STR(manifest_label(object, MANIFEST_VERSION), "2");
    struct json_object *spec = json_member(object, "spec", json_type_object);
    struct json_object *template = json_member(spec, "template", json_type_object);
    EXPECT_STR(manifest_label(template, MANIFEST_ACTION), "word_tools");
    EXPECT_STR(manifest_label(manifest->objects[1].value, MANIFEST_OWNER), "inst-1");
}

static const char *hash_of(const struct manifest *manifest)
{
    struct json_object *metadata =
        json_member(manifest->objects[0].value, "metadata", json_type_object);
    return json_str(json_member(metadata, "annotations", json_type_object), MANIFEST_HASH);
}

static void the_hash_is_of_what_is_wanted_and_not_of_its_writing(void)
{
    CLEANUP(manifest_free)
    struct manifest *one = read_text("{\"Secret\": {\"a\": {\"data\": {\"x\": \"1\", \"y\": 2}}}}");
    CLEANUP(manifest_free)
    struct manifest *same = read_text("{\"Secret\": {\"a\": {\"data\": {\"y\": 2, \"x\": \"1\"}, "
                                      "\"status\": null}}}");
    CLEANUP(manifest_free)
    struct manifest *other =
        read_text("{\"Secret\": {\"a\": {\"data\": {\"x\": \"1\", \"y\": 3}}}}");
    manifest_own(one, &owner);
    manifest_own(same, &owner);
    manifest_own(other, &owner);
    EXPECT_INT(strlen(hash_of(one)), MANIFEST_HASH_SIZE - 1);
    EXPECT_STR(hash_of(one), hash_of(same));
    EXPECT(strcmp(hash_of(one), hash_of(other)) != 0);
    CLEANUP(str_free) char *before = xstrdup(hash_of(one));
    manifest_own(one, &owner); /* again: the hash is not a part of itself */
    EXPECT_STR(hash_of(one), before);
}

static void makes_names_that_the_cluster_takes(void)
{
    static const struct {
        const char *name;
        const char *label; /* NULL = changed and told apart by a hash */
        const char *object;
    } rows[] = {
        {"word-tools", "word-tools", "word-tools"},
        {"word_tools", "word_tools", NULL},
        {"a.b", "a.b", NULL},
        {"Ab", "Ab", NULL},
        {"_x", NULL, NULL},
        {"", NULL, NULL},
        {"x y", NULL, NULL},
        {"\xc3\xa9", NULL, NULL},
    };
    char label[MANIFEST_LABEL_MAX + 1];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        manifest_label_of(rows[i].name, label);
        EXPECT(strlen(label) > 0 && label[0] != '-' && label[0] != '_');
        EXPECT(!rows[i].label || strcmp(label, rows[i].label) == 0);
        EXPECT(rows[i].label || strcmp(label, rows[i].name) != 0);
        manifest_object_name_of(rows[i].name, label);
        EXPECT(strlen(label) > 0 && label[0] != '-');
        EXPECT(!rows[i].object || strcmp(label, rows[i].object) == 0);
    }
    char longer[300], other[MANIFEST_LABEL_MAX + 1];
    manifest_object_name_of("a.b", label);
    manifest_object_name_of("a_b", other);
    EXPECT(strncmp(label, "a-b-", 4) == 0 && strcmp(label, other) != 0);
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    manifest_label_of(longer, label);
    longer[200] = 'b';
    manifest_label_of(longer, other);
    EXPECT_INT(strlen(label), MANIFEST_LABEL_MAX);
    EXPECT(strcmp(label, other) != 0);
}

static void stamps_only_what_has_no_version(void)
{
    CLEANUP(manifest_free)
    struct manifest *manifest =
        read_text("{\"Secret\": {\"a\": {\"metadata\": {\"labels\": {\"config_version\": \"7\"}}}, "
                  "\"b\": {}}}");
    manifest_stamp(manifest, "1700000000.123");
    EXPECT_STR(manifest_label(manifest->objects[0].value, MANIFEST_VERSION), "7");
    EXPECT_STR(manifest_label(manifest->objects[1].value, MANIFEST_VERSION), "1700000000.123");
}

static void finds_what_was_changed_in_the_cluster(void)
{
    static const struct {
        const char *wanted, *live;
        bool within;
    } rows[] = {
        {"{\"a\": 1}", "{\"a\": 1, \"b\": 2}", true},
        {"{\"a\": 1}", "{\"a\": 2}", false},
        {"{\"a\": 1}", "{\"a\": 1.0}", true},
        {"{\"a\": \"1\"}", "{\"a\": 1}", false},
        {"{\"a\": {\"b\": [1, {\"c\": 2}]}}", "{\"a\": {\"b\": [1, {\"c\": 2, \"d\": 3}]}}", true},
        {"{\"a\": [1]}", "{\"a\": [1, 2]}", false},
        {"{\"a\": [1]}", "{\"a\": {}}", false},
        {"{\"a\": {}}", "{}", true}, /* the server leaves it out */
        {"{\"a\": []}", "{}", true},
        {"{\"a\": {\"b\": 1}}", "{}", false},
        {"{\"a\": {\"b\": 1}}", "{\"a\": 3}", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *wanted = json(rows[i].wanted);
        CLEANUP(json_put) struct json_object *live = json(rows[i].live);
        EXPECT_INT(manifest_is_within(wanted, live), rows[i].within);
    }
}

static void tells_what_differs(void)
{
    static const struct {
        const char *before, *after, *changes;
    } rows[] = {
        {"{\"a\": 1}", "{\"a\": 1}", "[]"},
        {"{\"a\": {\"b/c\": 1}}", "{\"a\": {\"b/c\": 2}}",
         "[{\"path\":\"/a/b~1c\",\"from\":1,\"to\":2}]"},
        {"{\"a\": [1, 2]}", "{\"a\": [1]}", "[{\"path\":\"/a/1\",\"from\":2}]"},
        {"{}", "{\"a\": {\"b\": 1}}", "[{\"path\":\"/a\",\"to\":{\"b\":1}}]"},
        {"{\"a\": 1}", "{}", "[{\"path\":\"/a\",\"from\":1}]"},
        {"{\"a\": {}}", "{\"a\": []}", "[{\"path\":\"/a\",\"from\":{},\"to\":[]}]"},
        {"{\"status\": 1, \"metadata\": {\"generation\": 1, \"managedFields\": []}}",
         "{\"status\": 2, \"metadata\": {\"generation\": 2, \"managedFields\": [1]}}", "[]"},
        {"{\"a\": {\"status\": 1}}", "{\"a\": {\"status\": 2}}",
         "[{\"path\":\"/a/status\",\"from\":1,\"to\":2}]"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *before = json(rows[i].before);
        CLEANUP(json_put) struct json_object *after = json(rows[i].after);
        CLEANUP(json_put) struct json_object *changes = manifest_changes(before, after);
        EXPECT_STR(json_text(changes), rows[i].changes);
    }
    CLEANUP(json_put) struct json_object *after = json("{}");
    CLEANUP(json_put) struct json_object *none = manifest_changes(NULL, after);
    EXPECT_INT(json_object_array_length(none), 0);
}

static void keeps_ten_steps_of_history(void)
{
    CLEANUP(json_put) struct json_object *history = json_object_new_array();
    for (int i = 0; i < 15; i++) {
        CLEANUP(json_put) struct json_object *map = json_object_new_object();
        json_set_int(map, "n", i);
        manifest_history_push(history, map);
        CLEANUP(json_put) struct json_object *same = json_object_new_object();
        json_set_int(same, "n", i);
        manifest_history_push(history, same); /* no step */
    }
    EXPECT_INT(json_object_array_length(history), MANIFEST_HISTORY_MAX);
    for (int i = 0; i < MANIFEST_HISTORY_MAX; i++) {
        EXPECT_INT(json_int(json_object_array_get_idx(history, (size_t)i), "n", -1), 14 - i);
    }
}

TEST_MAIN(reads_every_form, says_what_is_wrong_with_an_object,
          refuses_one_object_more_than_the_limit, only_the_whole_phrase_permits_deleting_claims,
          rewrites_namespaces, reads_where_objects_shall_go, makes_what_others_refer_to_first,
          labels_objects_and_the_pods_they_make,
          the_hash_is_of_what_is_wanted_and_not_of_its_writing, makes_names_that_the_cluster_takes,
          stamps_only_what_has_no_version, finds_what_was_changed_in_the_cluster,
          tells_what_differs, keeps_ten_steps_of_history)
