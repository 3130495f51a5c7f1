#include "api/openapi.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/op.h"
#include "api/route.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/test.h"

static struct json_object *document_of(const char *actions_text, const char *walkers_text)
{
    CLEANUP(json_put) struct json_object *actions = NULL;
    CLEANUP(json_put) struct json_object *walkers = NULL;
    EXPECT_INT(json_parse(slice_str(actions_text), &actions, NULL), 0);
    EXPECT_INT(json_parse(slice_str(walkers_text), &walkers, NULL), 0);
    return openapi_document(actions, walkers, "1.2.3");
}

static struct json_object *at(struct json_object *object, const char *first, const char *second)
{
    struct json_object *member = json_member(object, first, json_type_object);
    return second ? json_member(member, second, json_type_object) : member;
}

static void lists_every_operation_and_route(void)
{
    CLEANUP(json_put) struct json_object *document = document_of("null", "null");
    struct json_object *paths = at(document, "paths", NULL);
    static const char *const prefixes[] = {"/js_public/", "/js/", "/js_admin/"};
    EXPECT_STR(json_str(document, "openapi"), "3.1.0");
    EXPECT_STR(json_str(at(document, "info", NULL), "version"), "1.2.3");
    for (const struct op *const *op = OP_TABLE; *op; op++) {
        CLEANUP(str_free) char *path = xasprintf("%s%s", prefixes[(*op)->access], (*op)->name);
        struct json_object *row = at(paths, path, (*op)->get ? "get" : "post");
        EXPECT(row != NULL);
        EXPECT_STR(json_str(row, "summary"), (*op)->help);
        EXPECT((at(row, "responses", "401") != NULL) == ((*op)->access != OP_PUBLIC));
    }
    for (const struct route *const *route = ROUTE_TABLE; *route; route++) {
        EXPECT(at(paths, (*route)->path, NULL) != NULL);
    }
}

static void describes_live_actions_and_walkers(void)
{
    CLEANUP(json_put)
    struct json_object *document = document_of(
        "{\"text.split\":{\"module\":\"text\",\"doc\":\"Splits.\",\"params\":[{\"name\":"
        "\"text\",\"type\":\"str\",\"required\":true}]},\"odd.one\":{}}",
        "[{\"name\":\"intake\",\"doc\":\"Takes in.\",\"params\":[{\"name\":\"text\",\"type\":"
        "\"str\",\"required\":true}]},{\"name\":\"old\"},5]");
    struct json_object *paths = at(document, "paths", NULL);
    struct json_object *split = at(paths, "/actions/text.split", "post");
    EXPECT_STR(json_str(split, "description"), "Splits.");
    struct json_object *content = at(at(split, "requestBody", "content"), "application/json", NULL);
    EXPECT_STR(json_text(at(content, "schema", "properties")), "{\"text\":{\"type\":\"string\"}}");
    EXPECT(at(paths, "/actions/odd.one", "post") != NULL);
    struct json_object *intake = at(paths, "/walkers/intake", "post");
    content = at(at(intake, "requestBody", "content"), "application/json", NULL);
    EXPECT_STR(json_str(intake, "description"), "Takes in.");
    EXPECT_STR(json_text(at(at(content, "schema", "properties"), "ctx", "properties")),
               "{\"text\":{\"type\":\"string\"}}");
    EXPECT_STR(json_text(json_member(at(content, "schema", NULL), "required", json_type_array)),
               "[\"ctx\"]");
    EXPECT(at(paths, "/walkers/old", "post") != NULL);
    EXPECT(at(paths, "/js/wapi/intake", "post") != NULL);
    EXPECT_STR(
        json_text(json_member(at(paths, "/js/wapi/intake", "post"), "security", json_type_array)),
        "[{\"token\":[]}]");
    EXPECT_STR(
        json_text(json_member(at(paths, "/walkers/intake", "post"), "security", json_type_array)),
        "[{},{\"token\":[]}]");
}

/* Names of operations must be unique in the document, or generated clients lose some. */
static void gives_each_operation_an_id_of_its_own(void)
{
    CLEANUP(json_put)
    struct json_object *document = document_of("{\"health.health\":{}}", "[{\"name\":\"health\"}]");
    CLEANUP(json_put) struct json_object *seen = json_object_new_object();
    struct json_object *paths = at(document, "paths", NULL);
    int count = 0;
    json_object_object_foreach(paths, path, methods)
    {
        (void)path;
        json_object_object_foreach(methods, method, row)
        {
            (void)method;
            json_set_bool(seen, json_str(row, "operationId"), true);
            count++;
        }
    }
    EXPECT(count > 5);
    EXPECT_INT(json_object_object_length(seen), count);
}

TEST_MAIN(lists_every_operation_and_route, describes_live_actions_and_walkers,
          gives_each_operation_an_id_of_its_own)
