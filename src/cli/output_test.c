#include "cli/output.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "cli/table.h"

/* What output_value shows for the JSON text; option as of --output. The caller frees it. */
static char *shown(const char *json, const char *option)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    CLEANUP(json_put) struct json_object *value = NULL;
    struct output output;
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    EXPECT_INT(json_parse(slice_str(json), &value, NULL), 0);
    output_init(&output, stream, option);
    EXPECT_INT(output_value(&output, value, NULL), 0);
    (void)fclose(stream);
    return text;
}

static void expect_shown(const char *json, const char *option, const char *wanted)
{
    char *text = shown(json, option);
    EXPECT_STR(text, wanted);
    free(text);
}

static void shows_json_indented_and_texts_unquoted(void)
{
    expect_shown("{\"a\":[1,\"x/y\"],\"b\":{}}", NULL,
                 "{\n  \"a\": [\n    1,\n    \"x/y\"\n  ],\n  \"b\": {}\n}\n");
    expect_shown("\"two\\nlines\"", NULL, "two\nlines\n");
    expect_shown("\"two\\nlines\"", "json", "\"two\\nlines\"\n");
    expect_shown("null", NULL, "null\n");
    expect_shown("1.50", NULL, "1.50\n");
}

static void shows_lists_as_tables(void)
{
    expect_shown("[{\"name\":\"a\",\"n\":1},{\"name\":\"b\",\"n\":20,\"more\":[1]}]", "table",
                 "name   n  more\na      1  -\nb     20  [1]\n");
    expect_shown("[\"text.split\",\"text.cut\"]", "table", "value\ntext.split\ntext.cut\n");
    expect_shown("{\"a\":{\"mode\":\"module\"},\"b\":{\"mode\":null}}", "table",
                 "name  mode\na     module\nb     -\n");
    expect_shown("{\"success\":true,\"n\":2}", "table",
                 "name     value\nsuccess  true\nn        2\n");
}

static void shows_as_json_what_is_no_table(void)
{
    expect_shown("[]", "table", "[]\n");
    expect_shown("[1,{\"a\":1}]", "table", "[\n  1,\n  {\n    \"a\": 1\n  }\n]\n");
    expect_shown("true", "table", "true\n");
}

static void keeps_a_result_in_a_file_as_well(void)
{
    char path[] = "/tmp/output_test.XXXXXX";
    char content[64] = "";
    int fd = mkstemp(path);
    EXPECT(fd >= 0);
    expect_shown("{\"a\":1}", path, "{\n  \"a\": 1\n}\n");
    EXPECT_INT(read(fd, content, sizeof(content) - 1), 12);
    EXPECT_STR(content, "{\n  \"a\": 1\n}");
    (void)close(fd);
    (void)unlink(path);
}

static void tells_of_a_file_that_cannot_be_written(void)
{
    struct output output;
    struct err err = {0};
    output_init(&output, stdout, "/nonexistent/file");
    output.stream = fopen("/dev/null", "we");
    EXPECT_INT(output_value(&output, NULL, &err), -ENOENT);
    (void)fclose(output.stream);
    EXPECT_STR(err.text, "cannot write '/nonexistent/file': No such file or directory");
}

static void lets_no_escape_act_on_a_terminal(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    struct output output = {.stream = stream, .terminal = true};
    CLEANUP(json_put) struct json_object *value = json_object_new_string("a\x1b[2J\tb\nc\xc2\x9b");
    EXPECT_INT(output_value(&output, value, NULL), 0);
    (void)fclose(stream);
    EXPECT_STR(text, "a?[2J\tb\nc?\n");
    free(text);
}

TEST_MAIN(shows_json_indented_and_texts_unquoted, shows_lists_as_tables,
          shows_as_json_what_is_no_table, keeps_a_result_in_a_file_as_well,
          tells_of_a_file_that_cannot_be_written, lets_no_escape_act_on_a_terminal)
