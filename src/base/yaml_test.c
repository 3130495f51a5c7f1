#include "base/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

static int read_text(const char *text, struct json_object **ret_value, struct err *err)
{
    char path[] = "/tmp/jsorc-yaml-test-XXXXXX";
    int fd = mkstemp(path);
    EXPECT_INT(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    int failed = yaml_read_file(path, ret_value, err);
    (void)unlink(path);
    return failed;
}

static void reads_yaml_and_json_alike(void)
{
    static const struct {
        const char *text;
        const char *json;
    } rows[] = {
        {"a: 1\nb: [x, 2.5, true, null, \"1\"]\n", "{\"a\":1,\"b\":[\"x\",2.5,true,null,\"1\"]}"},
        {"{\"a\": {\"b\": \"c\"}}", "{\"a\":{\"b\":\"c\"}}"},
        {"base: &b {x: 1}\nuse: *b\n", "{\"base\":{\"x\":1},\"use\":{\"x\":1}}"},
        {"text: |\n  two\n  lines\n", "{\"text\":\"two\\nlines\\n\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *value = NULL;
        struct err err = {0};
        EXPECT_INT(read_text(rows[i].text, &value, &err), 0);
        EXPECT_STR(json_text(value), rows[i].json);
    }
}

static void tells_where_a_file_is_wrong(void)
{
    struct json_object *value = NULL;
    struct err err = {0};
    EXPECT_INT(read_text("a: 1\nb: [1, 2\nc: 3\n", &value, &err), -EINVAL);
    EXPECT(strstr(err.text, "line ") != NULL);
    EXPECT_INT(yaml_read_file("/nonexistent/x.yaml", &value, &err), -ENOENT);
    EXPECT_INT(yaml_read_file("/tmp", &value, &err), -EINVAL);
}

static void an_empty_file_is_nothing(void)
{
    struct json_object *value = NULL;
    EXPECT_INT(read_text("# only a comment\n", &value, NULL), 0);
    EXPECT(value == NULL);
}

static void reads_any_number_of_documents(void)
{
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"a: 1\n", "[{\"a\":1}]"},
        {"a: 1\n---\nb: &x [2]\nc: *x\n", "[{\"a\":1},{\"b\":[2],\"c\":[2]}]"},
        {"{\"a\": 1}", "[{\"a\":1}]"},
        {"", "[]"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *documents = NULL;
        struct err err = {0};
        EXPECT_INT(yaml_read_documents(slice_str(rows[i].text), "t", &documents, &err), 0);
        EXPECT_STR(json_text(documents), rows[i].json);
    }
    struct json_object *documents = NULL;
    struct err err = {0};
    EXPECT_INT(yaml_read_documents(SLICE("a: 1\n---\nb: [\n"), "t", &documents, &err), -EINVAL);
    EXPECT(strstr(err.text, "'t' line ") == err.text);
    EXPECT(!documents);
}

TEST_MAIN(reads_yaml_and_json_alike, tells_where_a_file_is_wrong, an_empty_file_is_nothing,
          reads_any_number_of_documents)
