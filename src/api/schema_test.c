#include "api/schema.h"

#include "api/op.h"
#include "base/json.h"
#include "base/test.h"

static void reads_annotations(void)
{
    static const struct {
        const char *annotation, *schema;
    } rows[] = {
        {"str", "{\"type\":\"string\"}"},
        {"int", "{\"type\":\"integer\"}"},
        {"float", "{\"type\":\"number\"}"},
        {"bool", "{\"type\":\"boolean\"}"},
        {"dict[str, int]", "{\"type\":\"object\"}"},
        {"list", "{\"type\":\"array\"}"},
        {"list[str]", "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"},
        {"typing.List[list[int]]", "{\"type\":\"array\",\"items\":{\"type\":\"array\","
                                   "\"items\":{\"type\":\"integer\"}}}"},
        {"tuple[int, str]", "{\"type\":\"array\"}"},
        {"list[dict[str, int] | None]",
         "{\"type\":\"array\",\"items\":{\"type\":[\"object\",\"null\"]}}"},
        {"str | None", "{\"type\":[\"string\",\"null\"]}"},
        {"None | str", "{\"type\":[\"string\",\"null\"]}"},
        {"Optional[int]", "{\"type\":[\"integer\",\"null\"]}"},
        {"Union[int, None]", "{\"type\":[\"integer\",\"null\"]}"},
        {"int | str", "{}"},
        {"any", "{}"},
        {"numpy.ndarray", "{}"},
        {"", "{}"},
        {"list[", "{\"type\":\"array\"}"},
        {"]", "{}"},
        {"|", "{}"},
        {"list[list[list[list[list[list[list[list[list[list[int]]]]]]]]]]", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *schema = schema_of_annotation(rows[i].annotation);
        EXPECT(schema != NULL);
        if (rows[i].schema) {
            EXPECT_STR(json_text(schema), rows[i].schema);
        }
    }
}

static void describes_an_operation(void)
{
    static const struct op op = {
        .name = "probe",
        .params = {{"name", OP_STR, NULL, "Its name."},
                   {"ctx", OP_DICT, "{}", NULL},
                   {"value", OP_STR_OR_DICT, NULL, NULL},
                   {"any", OP_ANY, "null", NULL},
                   {"note", OP_STR, "null", NULL}},
    };
    CLEANUP(json_put) struct json_object *schema = schema_of_op(&op);
    EXPECT_STR(json_text(schema), "{\"type\":\"object\",\"properties\":{"
                                  "\"name\":{\"type\":\"string\",\"description\":\"Its name.\"},"
                                  "\"ctx\":{\"type\":\"object\",\"default\":{}},"
                                  "\"value\":{\"type\":[\"string\",\"object\"]},"
                                  "\"any\":{\"default\":null},"
                                  "\"note\":{\"type\":[\"string\",\"null\"],\"default\":null}},"
                                  "\"required\":[\"name\",\"value\"]}");
}

static void describes_the_fields_of_a_route(void)
{
    EXPECT(schema_of_fields("") == NULL);
    EXPECT(schema_of_fields(NULL) == NULL);
    CLEANUP(json_put) struct json_object *schema = schema_of_fields("email  password name?");
    EXPECT_STR(json_text(schema), "{\"type\":\"object\",\"properties\":{\"email\":{},"
                                  "\"password\":{},\"name\":{}},"
                                  "\"required\":[\"email\",\"password\"]}");
}

static void describes_an_action(void)
{
    CLEANUP(json_put) struct json_object *params = NULL;
    EXPECT_INT(json_parse(SLICE("[{\"name\":\"text\",\"type\":\"str\",\"required\":true,"
                                "\"doc\":\"What.\"},"
                                "{\"name\":\"*parts\",\"type\":\"str\",\"required\":true},"
                                "{\"name\":\"limit\",\"type\":\"int\",\"default\":5},"
                                "{\"name\":\"other\",\"type\":\"int\",\"default\":null},"
                                "{\"name\":\"own\",\"schema\":{\"enum\":[1]},\"default\":1},"
                                "{\"name\":\"**options\"},"
                                "{\"no\":\"name\"}, 5, null]"),
                          &params, NULL),
               0);
    CLEANUP(json_put) struct json_object *schema = schema_of_params(params);
    EXPECT_STR(json_text(schema), "{\"type\":\"object\",\"properties\":{"
                                  "\"text\":{\"type\":\"string\",\"description\":\"What.\"},"
                                  "\"*parts\":{\"type\":\"array\"},"
                                  "\"limit\":{\"type\":\"integer\",\"default\":5},"
                                  "\"other\":{\"type\":[\"integer\",\"null\"],\"default\":null},"
                                  "\"own\":{\"enum\":[1],\"default\":1},"
                                  "\"**options\":{\"type\":\"object\"}},"
                                  "\"required\":[\"text\"],\"additionalProperties\":false}");
    CLEANUP(json_put) struct json_object *empty = schema_of_params(NULL);
    EXPECT_STR(json_text(empty), "{\"type\":\"object\",\"properties\":{},\"required\":[],"
                                 "\"additionalProperties\":false}");
}

TEST_MAIN(reads_annotations, describes_an_operation, describes_the_fields_of_a_route,
          describes_an_action)
