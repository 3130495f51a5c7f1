#include "worker/registry.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "worker/document.h"

DEFINE_CLEANUP(struct registry *, registry_free)

static const struct worker_loader loader = {.kind = "native"};

static void call(void *arg, const struct worker_call *input, struct worker_answer *answer)
{
    (void)arg;
    (void)input;
    (void)answer;
}

static int add_module(struct registry *registry, const char *name)
{
    struct worker_module_def def = {.name = name, .kind = "native", .source = "x.so"};
    return registry_add_module(registry, &def, NULL);
}

static int add(struct registry *registry, const char *module, const char *name,
               const char *const *aliases, struct worker_action **ret)
{
    struct worker_action_def def = {.module = module,
                                    .name = name,
                                    .aliases = aliases,
                                    .params = "[]",
                                    .loader = &loader,
                                    .call = call};
    return registry_add_action(registry, &def, ret, NULL);
}

static void finds_by_full_and_by_bare_name(void)
{
    CLEANUP(registry_free) struct registry *registry = registry_new();
    static const char *const aliases[] = {"cut", NULL};
    struct worker_action *split = NULL;
    EXPECT_INT(add_module(registry, "text"), 0);
    EXPECT_INT(add(registry, "text", "text.split", aliases, &split), 0);
    static const char *const names[] = {"text.split", "split", "text.cut", "cut"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        EXPECT(registry_find(registry, slice_str(names[i])) == split);
    }
    EXPECT(registry_find(registry, SLICE("text")) == NULL);
    EXPECT(registry_find(registry, SLICE("")) == NULL);
    EXPECT(registry_find(registry, SLICE("spli")) == NULL);
}

/* As the original: the first one is reached by the bare path, the last one has the full name. */
static void two_modules_may_share_names(void)
{
    CLEANUP(registry_free) struct registry *registry = registry_new();
    struct worker_action *first, *second;
    EXPECT_INT(add_module(registry, "use_enc"), 0);
    EXPECT_INT(add_module(registry, "use_qa"), 0);
    EXPECT_INT(add(registry, "use_enc", "use.setup", NULL, &first), 0);
    EXPECT_INT(add(registry, "use_qa", "use.setup", NULL, &second), 0);
    EXPECT(registry_find(registry, SLICE("setup")) == first);
    EXPECT(registry_find(registry, SLICE("use.setup")) == second);
    CLEANUP(json_put) struct json_object *spec = document_spec(registry);
    EXPECT_STR(json_text(spec), "{\"use.setup\":[]}");
}

static void refuses_what_cannot_be_served(void)
{
    CLEANUP(registry_free) struct registry *registry = registry_new();
    static const char *const dotted[] = {"a.b", NULL};
    static const char *const taken[] = {"split", NULL};
    EXPECT_INT(add_module(registry, "text"), 0);
    EXPECT_INT(add_module(registry, "text"), -EEXIST);
    EXPECT_INT(add(registry, "text", "text.split", NULL, NULL), 0);
    EXPECT_INT(add(registry, "text", "text.split", NULL, NULL), -EEXIST);
    EXPECT_INT(add(registry, "text", "text.cut", taken, NULL), -EEXIST);
    EXPECT_INT(add(registry, "text", "text.x", dotted, NULL), -EINVAL);
    EXPECT_INT(add(registry, "none", "text.y", NULL, NULL), -EINVAL);
    static const char *const names[] = {"",         "split",    ".split",    "text.",
                                        "text/a.b", "text.a b", "text.\xff", "text.a?b"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        EXPECT_INT(add(registry, "text", names[i], NULL, NULL), -EINVAL);
    }
    static const char *const params[] = {"{}", "[1]", "[{\"name\": \"x\"}]", "[",
                                         "[{\"name\": \"\", \"kind\": \"plain\"}]"};
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        struct worker_action_def def = {.module = "text",
                                        .name = "text.p",
                                        .params = params[i],
                                        .loader = &loader,
                                        .call = call};
        EXPECT_INT(registry_add_action(registry, &def, NULL, NULL), -EINVAL);
    }
    EXPECT_INT(registry->action_count, 1);
}

static void holds_as_many_actions_as_it_says(void)
{
    CLEANUP(registry_free) struct registry *registry = registry_new();
    char name[32];
    EXPECT_INT(add_module(registry, "m"), 0);
    for (int i = 0; i <= WORKER_ACTIONS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "m.f%d", i);
        int wanted = i < WORKER_ACTIONS_MAX ? 0 : -ENOSPC;
        int got = add(registry, "m", name, NULL, NULL);
        if (got != wanted) {
            EXPECT_INT(got, wanted);
        }
    }
    EXPECT(registry_find(registry, SLICE("f0")) != NULL);
    EXPECT(registry_find(registry, SLICE("m.f4095")) != NULL);
}

static void lists_walkers_of_their_module(void)
{
    CLEANUP(registry_free) struct registry *registry = registry_new();
    struct worker_stat *stat = NULL;
    EXPECT_INT(add_module(registry, "flow"), 0);
    const struct {
        struct worker_walker_def def;
        int code;
    } rows[] = {
        {{"flow", "intake", "[]", "Takes in."}, 0}, {{"flow", "intake", "[]", NULL}, -EEXIST},
        {{"none", "intake", NULL, NULL}, -EINVAL},  {{"flow", "a/b", NULL, NULL}, -EINVAL},
        {{"flow", "other", "{}", NULL}, -EINVAL},   {{"flow", "other", "[", NULL}, -EINVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(registry_add_walker(registry, &rows[i].def, &stat, NULL), rows[i].code);
    }
    worker_stat_add(stat, 2000000, true);
    CLEANUP(json_put) struct json_object *figures = document_walker_figures(registry);
    EXPECT_STR(json_text(figures), "{\"intake\":{\"calls\":1,\"errors\":1,\"exec_s\":0.002}}");
    CLEANUP(json_put) struct json_object *modules = document_modules(registry);
    EXPECT(strstr(json_text(modules), "\"walkers\":[\"intake\"]"));
    EXPECT(strstr(json_text(modules), "{\"intake\":{\"params\":[],\"doc\":\"Takes in.\"}}"));
}

static void finds_the_nearest_endpoint(void)
{
    CLEANUP(registry_free) struct registry *registry = registry_new();
    static const struct {
        const char *path;
        bool prefix;
    } endpoints[] = {{"/page", false}, {"/files", true}, {"/files/deep/", true}};
    for (size_t i = 0; i < 3; i++) {
        struct worker_endpoint_def endpoint = {.path = endpoints[i].path,
                                               .prefix = endpoints[i].prefix,
                                               .loader = &loader,
                                               .call = call};
        EXPECT_INT(registry_add_endpoint(registry, &endpoint, NULL), 0);
        EXPECT_INT(registry_add_endpoint(registry, &endpoint, NULL), -EEXIST);
    }
    static const struct {
        const char *path, *wanted; /* NULL = none */
    } rows[] = {{"/page", "/page"},        {"/page/", NULL},
                {"/files", "/files"},      {"/files/a", "/files"},
                {"/filesystem", NULL},     {"/files/deep/a", "/files/deep/"},
                {"/files/deep", "/files"}, {"/", NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct worker_endpoint *found = registry_endpoint(registry, slice_str(rows[i].path));
        EXPECT((found == NULL) == (rows[i].wanted == NULL));
        if (found && rows[i].wanted) {
            EXPECT_STR(found->path, rows[i].wanted);
        }
    }
    struct worker_endpoint_def bad = {.path = "page"};
    EXPECT_INT(registry_add_endpoint(registry, &bad, NULL), -EINVAL);
}

static void documents_say_what_is_declared(void)
{
    CLEANUP(registry_free) struct registry *registry = registry_new();
    static const char *const aliases[] = {"cut", NULL};
    struct worker_action_def def = {
        .module = "text",
        .name = "text.split",
        .aliases = aliases,
        .params =
            "[{\"name\":\"text\",\"kind\":\"plain\",\"type\":\"str\",\"required\":true,"
            "\"doc\":\"what\"},{\"name\":\"*parts\",\"kind\":\"list\",\"type\":\"list[float]\","
            "\"required\":false},{\"name\":\"mode\",\"kind\":\"keyword\",\"type\":\"any\","
            "\"required\":false,\"default\":null,\"schema\":{\"enum\":[1]}}]",
        .doc = "Splits.",
        .returns = "list[str]",
        .idempotent = true,
        .timeout_ms = 5000,
        .loader = &loader,
        .call = call,
    };
    EXPECT_INT(add_module(registry, "text"), 0);
    EXPECT_INT(registry_add_action(registry, &def, NULL, NULL), 0);

    CLEANUP(json_put) struct json_object *spec = document_spec(registry);
    EXPECT_STR(json_text(spec), "{\"text.split\":[\"text\",\"*parts\",\"mode\"],"
                                "\"text.cut\":[\"text\",\"*parts\",\"mode\"]}");
    CLEANUP(json_put) struct json_object *full = document_full_spec(registry);
    struct json_object *cut = json_member(full, "text.cut", json_type_object);
    EXPECT_STR(json_str(cut, "alias_of"), "text.split");
    EXPECT_STR(json_str(cut, "doc"), "Splits.");
    EXPECT(json_flag(cut, "idempotent", false));
    EXPECT_INT(json_int(cut, "timeout_ms", 0), 5000);

    CLEANUP(json_put) struct json_object *api = document_openapi(registry);
    const char *text = json_text(api);
    EXPECT(strstr(text, "\"/split/\":{\"post\""));
    EXPECT(strstr(text, "\"/cut/\":{\"post\""));
    EXPECT(strstr(text, "\"text\":{\"type\":\"string\",\"description\":\"what\"}"));
    EXPECT(strstr(text, "\"*parts\":{\"type\":\"array\",\"items\":{\"type\":\"array\","
                        "\"items\":{\"type\":\"number\"}}}"));
    EXPECT(strstr(text, "\"mode\":{\"enum\":[1],\"default\":null}"));
    EXPECT(strstr(text, "\"required\":[\"text\"]"));
    EXPECT(strstr(text, "\"schema\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"));
}

static void a_ceded_name_is_served_only_when_no_other_module_has_it(void)
{
    static const char *const orders[][2] = {{"enc", "qa"}, {"qa", "enc"}};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(registry_free) struct registry *registry = registry_new();
        EXPECT_INT(registry_cede(registry, "qa", "use.who", NULL), 0);
        EXPECT_INT(registry_cede(registry, "qa", "use.alone", NULL), 0);
        for (size_t k = 0; k < 2; k++) {
            EXPECT_INT(add_module(registry, orders[i][k]), 0);
            EXPECT_INT(add(registry, orders[i][k], "use.who", NULL, NULL), 0);
        }
        struct worker_action *alone = NULL;
        EXPECT_INT(add(registry, "qa", "use.alone", NULL, &alone), 0);
        EXPECT_STR(registry_find(registry, SLICE("use.who"))->module->name, "enc");
        EXPECT(registry_find(registry, SLICE("use.alone")) == alone);
        EXPECT(registry_is_ceded(registry, "qa", SLICE("use.who")));
        EXPECT(!registry_is_ceded(registry, "enc", SLICE("use.who")));
    }
}

TEST_MAIN(finds_by_full_and_by_bare_name, two_modules_may_share_names,
          a_ceded_name_is_served_only_when_no_other_module_has_it, refuses_what_cannot_be_served,
          holds_as_many_actions_as_it_says, lists_walkers_of_their_module,
          finds_the_nearest_endpoint, documents_say_what_is_declared)
