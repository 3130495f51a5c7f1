#include "cli/value.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

/* The JSON text of value_guess(text), in a buffer that the next call overwrites. */
static const char *guessed(const char *text)
{
    static char json[256];
    CLEANUP(json_put) struct json_object *value = value_guess(text);
    (void)snprintf(json, sizeof(json), "%s", json_text(value));
    return json;
}

/* As guessed, of value_typed; "error: TEXT" when it fails. */
static const char *typed(enum op_type type, const char *text)
{
    static char json[512];
    struct err err = {0};
    CLEANUP(json_put) struct json_object *value = NULL;
    if (value_typed(type, text, &value, &err) < 0) {
        (void)snprintf(json, sizeof(json), "error: %.400s", err.text);
    } else {
        (void)snprintf(json, sizeof(json), "%s", json_text(value));
    }
    return json;
}

static const char *formed(const char *form, const char *text)
{
    static char json[512];
    struct err err = {0};
    CLEANUP(json_put) struct json_object *value = NULL;
    if (value_form(form, text, &value, &err) < 0) {
        (void)snprintf(json, sizeof(json), "error: %.400s", err.text);
    } else {
        (void)snprintf(json, sizeof(json), "%s", json_text(value));
    }
    return json;
}

/* A file in a folder of its own with that content; the path lives until the next call. */
static const char *file_with(const char *name, const char *content, size_t size)
{
    static char path[128];
    char folder[] = "/tmp/value_test.XXXXXX";
    if (!mkdtemp(folder)) {
        abort();
    }
    (void)snprintf(path, sizeof(path), "@%s/%s", folder, name);
    FILE *file = fopen(path + 1, "we");
    if (!file || fwrite(content, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
    return path;
}

static void remove_file(const char *path)
{
    char folder[128];
    (void)unlink(path + 1);
    (void)snprintf(folder, sizeof(folder), "%s", path + 1);
    *strrchr(folder, '/') = '\0';
    EXPECT_INT(rmdir(folder), 0);
}

static void guesses_what_looks_like_json(void)
{
    static const struct {
        const char *text;
        const char *json;
    } rows[] = {
        {"5", "5"},
        {"-5", "-5"},
        {"1.5e3", "1.5e3"},
        {"true", "true"},
        {"True", "true"},
        {"False", "false"},
        {"null", "null"},
        {"None", "null"},
        {"[1, \"a\"]", "[1,\"a\"]"},
        {"{\"a\": 1}", "{\"a\":1}"},
        {"\"5\"", "\"5\""},
        {"9223372036854775807", "9223372036854775807"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_STR(guessed(rows[i].text), rows[i].json);
    }
}

static void leaves_all_other_text_as_it_is(void)
{
    static const struct {
        const char *text;
        const char *json;
    } rows[] = {
        {"hi", "\"hi\""},
        {"", "\"\""},
        {"5 apples", "\"5 apples\""},
        {"[draft]", "\"[draft]\""},
        {"{name}", "\"{name}\""},
        {"nan", "\"nan\""},
        {"NaN", "\"NaN\""},
        {"Infinity", "\"Infinity\""},
        {"TRUE", "\"TRUE\""},
        {"12345678901234567890123", "\"12345678901234567890123\""}, /* an identifier */
        {"1.2.3", "\"1.2.3\""},
        {"'a'", "\"'a'\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_STR(guessed(rows[i].text), rows[i].json);
    }
}

static void types_by_the_row(void)
{
    EXPECT_STR(typed(OP_STR, "5"), "\"5\"");
    EXPECT_STR(typed(OP_STR, ""), "\"\"");
    EXPECT_STR(typed(OP_INT, "-12"), "-12");
    EXPECT_STR(typed(OP_FLOAT, "2"), "2.0");
    EXPECT_STR(typed(OP_BOOL, "True"), "true");
    EXPECT_STR(typed(OP_BOOL, "no"), "false");
    EXPECT_STR(typed(OP_DICT, "{\"a\": [1]}"), "{\"a\":[1]}");
    EXPECT_STR(typed(OP_DICT, ""), "{}");
    EXPECT_STR(typed(OP_LIST, "[]"), "[]");
    EXPECT_STR(typed(OP_STR_OR_DICT, "{\"a\": 1}"), "\"{\\\"a\\\": 1}\"");
    EXPECT_STR(typed(OP_ANY, "[1]"), "[1]");
    EXPECT_STR(typed(OP_ANY, "word"), "\"word\"");
}

static void takes_the_word_none_as_null_for_every_type(void)
{
    for (int type = OP_STR; type <= OP_ANY; type++) {
        EXPECT_STR(typed(type, "None"), "null");
    }
}

static void says_what_a_value_is_not(void)
{
    EXPECT_STR(typed(OP_INT, "5x"), "error: '5x' is no whole number");
    EXPECT_STR(typed(OP_INT, ""), "error: '' is no whole number");
    EXPECT_STR(typed(OP_INT, "99999999999999999999"),
               "error: 99999999999999999999 is beyond 64 bits");
    EXPECT_STR(typed(OP_FLOAT, "inf"), "error: 'inf' is no number");
    EXPECT_STR(typed(OP_BOOL, "maybe"), "error: 'maybe' is neither true nor false");
    EXPECT_STR(typed(OP_LIST, "{}"), "error: a JSON list such as '[1, 2]' is needed");
    EXPECT(strstr(typed(OP_DICT, "{a"), "a JSON object such as '{\"a\": 1}' is needed: ") != NULL);
}

static void reads_files_behind_an_at_sign(void)
{
    const char *text = file_with("note.txt", "5\n", 2);
    EXPECT_STR(typed(OP_STR, text), "\"5\\n\"");
    EXPECT_STR(formed("", text), "\"5\\n\"");
    EXPECT_STR(formed("json", text), "5");
    EXPECT_STR(formed("base64", text), "\"NQo=\"");
    remove_file(text);

    const char *json = file_with("ctx.json", "{\"a\": 1}\n", 9);
    EXPECT_STR(typed(OP_DICT, json), "{\"a\":1}");
    EXPECT_STR(formed("", json), "{\"a\":1}");
    EXPECT_STR(formed("str", json), "\"{\\\"a\\\": 1}\\n\"");
    remove_file(json);
}

static void refuses_bytes_that_json_cannot_carry(void)
{
    const char *path = file_with("page.png", "\x89PNG", 4);
    EXPECT(strstr(formed("", path), "no UTF-8 text") != NULL);
    EXPECT_STR(formed("base64", path), "\"iVBORw==\"");
    remove_file(path);
}

static void tells_of_a_file_that_is_not_there(void)
{
    EXPECT_STR(typed(OP_STR, "@/nonexistent/x"),
               "error: cannot read '/nonexistent/x': No such file or directory");
    struct json_object *value = NULL;
    EXPECT_INT(value_typed(OP_STR, "@/nonexistent/x", &value, NULL), -ENOENT);
}

static void takes_two_at_signs_as_one(void)
{
    EXPECT_STR(typed(OP_STR, "@@ann"), "\"@ann\"");
    EXPECT_STR(formed("", "@@ann"), "\"@ann\"");
    EXPECT_STR(typed(OP_STR, "@"), "\"@\"");
}

static void forces_a_form(void)
{
    EXPECT_STR(formed("str", "5"), "\"5\"");
    EXPECT_STR(formed("str", "None"), "\"None\"");
    EXPECT_STR(formed("int", "5"), "5");
    EXPECT_STR(formed("float", "5"), "5.0");
    EXPECT_STR(formed("bool", "1"), "true");
    EXPECT_STR(formed("json", "\"a\""), "\"a\"");
    EXPECT_STR(formed("base64", "hi"), "\"aGk=\"");
    EXPECT_STR(formed("hex", "5"),
               "error: unknown form ':hex'; known: str int float bool json base64");
}

TEST_MAIN(guesses_what_looks_like_json, leaves_all_other_text_as_it_is, types_by_the_row,
          takes_the_word_none_as_null_for_every_type, says_what_a_value_is_not,
          reads_files_behind_an_at_sign, refuses_bytes_that_json_cannot_carry,
          tells_of_a_file_that_is_not_there, takes_two_at_signs_as_one, forces_a_form)
