#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "manifest/manifest.h"

static struct manifest *read_slice(struct slice text)
{
    CLEANUP(json_put) struct json_object *source = NULL;
    struct manifest *manifest = NULL;
    EXPECT_INT(json_parse(text, &source, NULL), 0);
    EXPECT_INT(manifest_read(source, &manifest, NULL), 0);
    return manifest;
}

static struct manifest *read_text(const char *text)
{
    return read_slice(slice_str(text));
}

/* A Secret `s` with this data, beside what it may refer to; the data once they are resolved. */
static int resolve_data(const char *data, char *ret_text, size_t size, struct err *err)
{
    struct buf text = {0};
    buf_printf(
        &text,
        "{\"ServiceAccount\": {\"acme-agent\": {\"metadata\": {\"namespace\": \"ns\"}}}, "
        "\"Secret\": {\"creds\": {\"data\": {\"user\": \"joe\", \"n\": 7, \"l\": [1, 2]}}, "
        "\"s\": {\"data\": %s}, \"later\": {\"data\": {\"x\": \"$j{Secret.creds.data.user}\"}}}}",
        data);
    CLEANUP(manifest_free) struct manifest *manifest = read_slice(buf_slice(&text));
    buf_done(&text);
    int failed = manifest_resolve(manifest, err);
    struct json_object *value = json_member(manifest->objects[2].value, "data", json_type_object);
    (void)snprintf(ret_text, size, "%s", failed ? "" : json_text(value));
    return failed;
}

static void puts_in_what_is_at_the_path(void)
{
    static const struct {
        const char *data, *wanted;
    } rows[] = {
        {"{\"a\": \"$j{Secret.creds.data.user}\"}", "{\"a\":\"joe\"}"},
        {"{\"a\": \"$j{ServiceAccount[\\\"acme-agent\\\"].metadata.namespace}\"}",
         "{\"a\":\"ns\"}"},
        {"{\"a\": \"$j{Secret[\\\"creds\\\"][\\\"data\\\"][\\\"user\\\"]}\"}", "{\"a\":\"joe\"}"},
        {"{\"a\": \"u=$j{Secret.creds.data.user}, $j{Secret.creds.data.user}!\"}",
         "{\"a\":\"u=joe, joe!\"}"},
        {"{\"a\": \"$j{Secret.creds.data.n}\"}", "{\"a\":7}"},
        {"{\"a\": [\"$j{Secret.creds.data.l}\"]}", "{\"a\":[[1,2]]}"},
        {"{\"a\": \"$j{Secret.creds.data.none}\"}", "{\"a\":null}"},
        {"{\"a\": \"$j{Secret.none.data}\"}", "{\"a\":null}"},
        {"{\"a\": \"$j{Secret.creds.data.l.0}\"}", "{\"a\":null}"}, /* lists have no members */
        {"{\"k-$j{Secret.creds.data.user}\": 1}", "{\"k-joe\":1}"},
        {"{\"a\": \"b\", \"c\": \"$j{Secret.s.data.a}\"}", "{\"a\":\"b\",\"c\":\"b\"}"},
        {"{\"a\": \"$j{Secret.creds.data.user}\", \"c\": \"$j{Secret.s.data.a}\"}",
         "{\"a\":\"joe\",\"c\":\"joe\"}"},
        {"{\"a\": \"$j{Secret.later.data.x}\"}", "{\"a\":\"$j{Secret.creds.data.user}\"}"},
        {"{\"a\": \"$j{\", \"b\": \"$\", \"c\": \"\"}", "{\"a\":\"$j{\",\"b\":\"$\",\"c\":\"\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[400];
        struct err err = {0};
        EXPECT_INT(resolve_data(rows[i].data, text, sizeof(text), &err), 0);
        EXPECT_STR(err.text, "");
        EXPECT_STR(text, rows[i].wanted);
    }
}

static void says_which_placeholder_is_wrong(void)
{
    static const struct {
        const char *data, *error;
    } rows[] = {
        {"{\"a\": \"$j{Secret}\"}",
         "Secret 's': '$j{Secret}' is no path KIND.NAME.MEMBER or KIND[\"NAME\"].MEMBER"},
        {"{\"a\": \"$j{}\"}", "Secret 's': '$j{}' is no path KIND.NAME.MEMBER or "
                              "KIND[\"NAME\"].MEMBER"},
        {"{\"a\": \"$j{Secret..data}\"}", "Secret 's': '$j{Secret..data}' is no path "
                                          "KIND.NAME.MEMBER or KIND[\"NAME\"].MEMBER"},
        {"{\"a\": \"$j{Secret[\\\"s}\"}", "Secret 's': '$j{Secret[\"s}' is no path "
                                          "KIND.NAME.MEMBER or KIND[\"NAME\"].MEMBER"},
        {"{\"a\": \"x $j{Secret.creds.data.n}\"}",
         "Secret 's': '$j{Secret.creds.data.n}' stands within a text and is no text"},
        {"{\"a\": \"x $j{Secret.creds.data.none}\"}",
         "Secret 's': '$j{Secret.creds.data.none}' stands within a text and is no text"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[400];
        struct err err = {0};
        EXPECT_INT(resolve_data(rows[i].data, text, sizeof(text), &err), -EINVAL);
        EXPECT_STR(err.text, rows[i].error);
    }
}

/* Each text has the one before it twice, or each value holds the one before it. */
static int resolve_chain(const char *first, const char *format, int steps)
{
    struct buf text = {0};
    buf_printf(&text, "{\"Secret\": {\"s\": {\"data\": {\"x0\": %s", first);
    for (int i = 1; i <= steps; i++) {
        buf_printf(&text, ", \"x%d\": ", i);
        buf_printf(&text, format, i - 1, i - 1); /* NOLINT(clang-diagnostic-format-nonliteral) */
    }
    buf_printf(&text, "}}}}");
    CLEANUP(manifest_free) struct manifest *manifest = read_slice(buf_slice(&text));
    buf_done(&text);
    return manifest_resolve(manifest, NULL);
}

static void ends_what_would_grow_without_end(void)
{
    EXPECT_INT(resolve_chain("\"x\"", "\"$j{Secret.s.data.x%d}$j{Secret.s.data.x%d}\"", 10), 0);
    EXPECT_INT(resolve_chain("\"x\"", "\"$j{Secret.s.data.x%d}$j{Secret.s.data.x%d}\"", 64),
               -E2BIG);
    EXPECT_INT(resolve_chain("[]", "[\"$j{Secret.s.data.x%d}\", \"$j{Secret.s.data.x%d}\"]", 40),
               -E2BIG);
    EXPECT_INT(resolve_chain("[]", "[\"$j{Secret.s.data.x%d}\", %d]", 100), -E2BIG);
}

static void a_name_may_have_a_placeholder_and_is_called_as_it_was_written(void)
{
    CLEANUP(manifest_free)
    struct manifest *manifest =
        read_text("{\"ServiceAccount\": {\"op\": {\"metadata\": {\"namespace\": \"ns\"}}}, "
                  "\"ClusterRole\": {\"op-$j{ServiceAccount.op.metadata.namespace}\": {}}, "
                  "\"ClusterRoleBinding\": {\"b\": {\"roleRef\": "
                  "{\"name\": \"op-$j{ServiceAccount.op.metadata.namespace}\"}}}}");
    EXPECT_INT(manifest_resolve(manifest, NULL), 0);
    EXPECT_STR(manifest_name(manifest->objects[1].value), "op-ns");
    CLEANUP(json_put) struct json_object *map = manifest_map(manifest);
    EXPECT(
        json_member(json_member(map, "ClusterRole", json_type_object), "op-ns", json_type_object));
}

static void refuses_an_object_that_loses_its_name(void)
{
    CLEANUP(manifest_free)
    struct manifest *manifest =
        read_text("{\"Secret\": [{\"metadata\": {\"name\": \"$j{Secret.none.x}\"}}]}");
    EXPECT_INT(manifest_resolve(manifest, NULL), -EINVAL);
}

static void a_config_fills_in_a_manifest_of_ours(void)
{
    CLEANUP(manifest_free)
    struct manifest *manifest = read_text("{\"Secret\": {\"config\": {\"data\": {"
                                          "\"a\": \"$j{config.size}\", \"b\": \"$j{config.none}\", "
                                          "\"c\": \"at $j{config.name}\", \"d\": "
                                          "\"$j{Secret.config.data.c}\"}}}}");
    CLEANUP(json_put) struct json_object *config = NULL;
    EXPECT_INT(json_parse_object(SLICE("{\"size\": {\"cpu\": 1}, \"name\": \"x\"}"), &config, NULL),
               0);
    EXPECT_INT(manifest_fill(manifest, config, NULL), 0);
    EXPECT_STR(json_text(json_member(manifest->objects[0].value, "data", json_type_object)),
               "{\"a\":{\"cpu\":1},\"b\":null,\"c\":\"at x\",\"d\":\"at x\"}");
}

TEST_MAIN(puts_in_what_is_at_the_path, a_config_fills_in_a_manifest_of_ours,
          says_which_placeholder_is_wrong, ends_what_would_grow_without_end,
          a_name_may_have_a_placeholder_and_is_called_as_it_was_written,
          refuses_an_object_that_loses_its_name)
