#include "action/snapshot.h"

#include <stdio.h>

#include "action/publisher.h"
#include "action/target.h"
#include "base/alloc.h"
#include "base/test.h"

static struct snapshot *snapshot_of(const char *const *names, size_t count, struct target *target)
{
    struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));
    snapshot->module_count = 1;
    snapshot->modules = xcalloc(1, sizeof(snapshot->modules[0]));
    snapshot->modules[0] =
        (struct module_route){.name = xstrdup("m"),
                              .state = ROUTE_READY,
                              .targets = target ? target_set_new(&target, 1) : NULL};
    snapshot->action_count = count;
    snapshot->actions = xcalloc(count, sizeof(snapshot->actions[0]));
    for (size_t i = 0; i < count; i++) {
        snapshot->actions[i].name = xstrdup(names[i]);
        snapshot->actions[i].module = &snapshot->modules[0];
    }
    snapshot_sort(snapshot);
    return snapshot;
}

static void finds_exactly_the_names_it_has(void)
{
    static const char *const names[] = {"use.encode", "a.b", "use.enc", "z.z", "use.encoder"};
    struct snapshot *snapshot = snapshot_of(names, 5, NULL);
    for (size_t i = 0; i < 5; i++) {
        const struct action_route *route = snapshot_find(snapshot, slice_str(names[i]));
        EXPECT(route != NULL);
        EXPECT_STR(route ? route->name : NULL, names[i]);
    }
    EXPECT(snapshot_find(snapshot, SLICE("use.en")) == NULL);
    EXPECT(snapshot_find(snapshot, SLICE("")) == NULL);
    EXPECT(snapshot_find(snapshot, SLICE("zz")) == NULL);
    snapshot_free(snapshot, NULL);
}

static void tells_an_unknown_action_from_one_of_a_module_that_failed(void)
{
    struct module_route modules[] = {
        {.name = (char *)(uintptr_t) "kit", .state = ROUTE_FAILED, .why = (char *)(uintptr_t) "x"},
        {.name = (char *)(uintptr_t) "kit.ocr",
         .state = ROUTE_FAILED,
         .why = (char *)(uintptr_t) "y"},
        {.name = (char *)(uintptr_t) "gone", .state = ROUTE_FAILED}, /* unloaded */
        {.name = (char *)(uintptr_t) "good", .state = ROUTE_READY}};
    static const struct {
        const char *action, *why;
    } rows[] = {{"kit.read", "x"}, {"kit.ocr.read", "y"}, {"kit.", "x"},   {"kit", ""},
                {"kits.f", ""},    {"gone.f", ""},        {"good.no", ""}, {"", ""}};
    struct snapshot snapshot = {.module_count = 4, .modules = modules};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct module_route *module =
            snapshot_failed_module(&snapshot, slice_str(rows[i].action));
        EXPECT_STR(module ? module->why : "", rows[i].why);
    }
}

static void frees_a_snapshot_only_when_every_loop_has_left_it(void)
{
    static const char *const names[] = {"a.b"};
    struct publisher *publisher = publisher_new(2, NULL);
    struct target *target = target_new_local(1, "/tmp/x");
    publisher_publish(publisher, snapshot_of(names, 1, target));
    EXPECT_INT(target->refs, 2);
    (void)publisher_take(publisher, 0);
    (void)publisher_take(publisher, 1);
    EXPECT(publisher_settled(publisher));

    publisher_publish(publisher, snapshot_of(names, 1, NULL));
    EXPECT(!publisher_settled(publisher));
    (void)publisher_take(publisher, 0);
    publisher_reclaim(publisher);
    EXPECT_INT(target->refs, 2); /* loop 1 may still look at the first one */
    const struct snapshot *snapshot = publisher_take(publisher, 1);
    EXPECT_INT(snapshot->version, 2);
    publisher_reclaim(publisher);
    EXPECT_INT(target->refs, 1);
    publisher_free(publisher);
    target_unref(target);
}

TEST_MAIN(finds_exactly_the_names_it_has, tells_an_unknown_action_from_one_of_a_module_that_failed,
          frees_a_snapshot_only_when_every_loop_has_left_it)
