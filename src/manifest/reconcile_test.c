#include "manifest/reconcile.h"

#include "base/test.h"

#define NOW 100000

enum {
    KEEP = RECONCILE_KEEP,
    WAIT = RECONCILE_WAIT,
    APPLY = RECONCILE_APPLY,
    DELETE = RECONCILE_DELETE,
    GUARD = RECONCILE_GUARD
};

static struct reconcile_plan plan_of(const struct reconcile_object *objects, size_t count,
                                     bool may_delete_claims, enum reconcile_step *steps)
{
    struct reconcile_plan plan = {.steps = steps};
    reconcile_decide(objects, count, may_delete_claims, NOW, &plan);
    return plan;
}

static const struct {
    const char *what;
    struct reconcile_object object;
    int step;
    bool may_delete_claims;
} single_rows[] = {
    {"absent", {.wanted = true, .wanted_hash = "a"}, APPLY, false},
    {"current", {.wanted = true, .seen = true, .wanted_hash = "a", .seen_hash = "a"}, KEEP, false},
    {"another manifest",
     {.wanted = true, .seen = true, .wanted_hash = "b", .seen_hash = "a"},
     APPLY,
     false},
    {"made by somebody else",
     {.wanted = true, .seen = true, .wanted_hash = "b", .seen_hash = NULL},
     APPLY,
     false},
    {"another version by its label",
     {.wanted = true,
      .seen = true,
      .wanted_hash = "a",
      .seen_hash = "a",
      .wanted_version = "2",
      .seen_version = "3"},
     APPLY,
     false},
    {"no version is version 1",
     {.wanted = true, .seen = true, .wanted_hash = "a", .seen_hash = "a", .wanted_version = "1"},
     KEEP,
     false},
    {"changed by hand, found after a restart",
     {.wanted = true,
      .seen = true,
      .wanted_hash = "a",
      .seen_hash = "a",
      .drifted = true,
      .mark = 7},
     APPLY,
     false},
    {"written in another way by the server",
     {.wanted = true,
      .seen = true,
      .wanted_hash = "a",
      .seen_hash = "a",
      .drifted = true,
      .mark = 7,
      .mark_at_end = 7},
     KEEP,
     false},
    {"changed by hand since it was applied",
     {.wanted = true,
      .seen = true,
      .wanted_hash = "a",
      .seen_hash = "a",
      .drifted = true,
      .mark = 8,
      .mark_at_end = 7},
     APPLY,
     false},
    {"going, made anew after it", {.wanted = true, .seen = true, .going = true}, WAIT, false},
    {"a request is under way", {.wanted = true, .busy = true}, WAIT, false},
    {"not known yet", {.wanted = true, .unread = true}, WAIT, false},
    {"failed a moment ago", {.wanted = true, .retry_ms = NOW + 5}, WAIT, false},
    {"failed long ago", {.wanted = true, .retry_ms = NOW}, APPLY, false},
    {"no longer wanted", {.seen = true}, DELETE, false},
    {"going as it shall", {.seen = true, .going = true}, WAIT, false},
    {"gone", {.seen = false}, KEEP, false},
    {"a claim", {.kind = "PersistentVolumeClaim", .seen = true}, GUARD, false},
    {"a claim with the phrase", {.kind = "PersistentVolumeClaim", .seen = true}, DELETE, true},
    {"a claim that somebody deleted",
     {.kind = "PersistentVolumeClaim", .seen = true, .going = true},
     GUARD,
     false},
};

static void decides_for_one_object(void)
{
    for (size_t i = 0; i < sizeof(single_rows) / sizeof(single_rows[0]); i++) {
        struct reconcile_object object = single_rows[i].object;
        enum reconcile_step step = RECONCILE_KEEP;
        object.kind = object.kind ? object.kind : "Deployment";
        struct reconcile_plan plan = plan_of(&object, 1, single_rows[i].may_delete_claims, &step);
        if ((int)step != single_rows[i].step) {
            printf("# %s\n", single_rows[i].what);
        }
        EXPECT_INT(step, single_rows[i].step);
        EXPECT_INT(plan.settled, single_rows[i].step == KEEP || single_rows[i].step == GUARD);
        EXPECT(plan.wake_ms == (object.retry_ms > NOW ? object.retry_ms : UINT64_MAX));
    }
}

#define OBJECTS_MAX 3

static void makes_in_order_and_takes_away_in_reverse(void)
{
    static const struct {
        const char *what;
        struct reconcile_object objects[OBJECTS_MAX]; /* Deployment, ConfigMap, Service */
        int steps[OBJECTS_MAX];
    } rows[] = {
        {"nothing is there",
         {{.wanted = true}, {.wanted = true}, {.wanted = true}},
         {WAIT, APPLY, WAIT}},
        {"the first is under way",
         {{.wanted = true}, {.wanted = true, .busy = true}, {.wanted = true}},
         {WAIT, WAIT, WAIT}},
        {"the first is there",
         {{.wanted = true},
          {.wanted = true, .seen = true, .wanted_hash = "a", .seen_hash = "a"},
          {.wanted = true}},
         {WAIT, KEEP, APPLY}},
        {"the first cannot be made now: the others are",
         {{.wanted = true}, {.wanted = true, .retry_ms = NOW + 1000}, {.wanted = true}},
         {WAIT, WAIT, APPLY}},
        {"all go", {{.seen = true}, {.seen = true}, {.seen = true}}, {DELETE, WAIT, WAIT}},
        {"the last is under way",
         {{.seen = true, .busy = true}, {.seen = true}, {.seen = true}},
         {WAIT, WAIT, WAIT}},
        {"the last is going",
         {{.seen = true, .going = true}, {.seen = true}, {.seen = true}},
         {WAIT, WAIT, DELETE}},
        {"one goes, the others stay",
         {{.wanted = true, .seen = true, .wanted_hash = "a", .seen_hash = "a"},
          {.seen = true},
          {.wanted = true, .seen = true, .wanted_hash = "a", .seen_hash = "a"}},
         {KEEP, DELETE, KEEP}},
    };
    static const char *const kinds[OBJECTS_MAX] = {"Deployment", "ConfigMap", "Service"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reconcile_object objects[OBJECTS_MAX];
        enum reconcile_step steps[OBJECTS_MAX];
        for (size_t k = 0; k < OBJECTS_MAX; k++) {
            objects[k] = rows[i].objects[k];
            objects[k].kind = kinds[k];
        }
        (void)plan_of(objects, OBJECTS_MAX, false, steps);
        for (size_t k = 0; k < OBJECTS_MAX; k++) {
            if ((int)steps[k] != rows[i].steps[k]) {
                printf("# %s: %s\n", rows[i].what, kinds[k]);
            }
            EXPECT_INT(steps[k], rows[i].steps[k]);
        }
    }
}

/* A cluster that carries out each step at once; how many turns until nothing is left to do. */
static void comes_to_an_end_from_anywhere(void)
{
    static const char *const kinds[] = {"Deployment", "ConfigMap", "Service",
                                        "PersistentVolumeClaim"};
    enum { COUNT = 4, STATES = 6 };
    for (unsigned start = 0; start < STATES * STATES * STATES * STATES; start++) {
        struct reconcile_object objects[COUNT];
        enum reconcile_step steps[COUNT];
        unsigned rest = start;
        for (size_t k = 0; k < COUNT; k++, rest /= STATES) {
            unsigned state = rest % STATES;
            objects[k] = (struct reconcile_object){
                .kind = kinds[k],
                .wanted = state < 3,
                .seen = state == 1 || state == 2 || state == 4 || state == 5,
                .going = state == 2 || state == 5,
                .wanted_hash = "a",
                .seen_hash = "b",
            };
        }
        struct reconcile_plan plan = {0};
        int turns = 0;
        do {
            plan = plan_of(objects, COUNT, false, steps);
            for (size_t k = 0; k < COUNT; k++) {
                struct reconcile_object *object = &objects[k];
                if (object->going) { /* it ends by itself */
                    object->seen = object->going = false;
                } else if (steps[k] == RECONCILE_APPLY) {
                    object->seen = true;
                    object->seen_hash = "a";
                } else if (steps[k] == RECONCILE_DELETE) {
                    EXPECT(strcmp(object->kind, "PersistentVolumeClaim") != 0);
                    object->going = true;
                }
            }
        } while (!plan.settled && ++turns < 20);
        EXPECT(plan.settled);
        for (size_t k = 0; k < COUNT; k++) {
            EXPECT(objects[k].seen == objects[k].wanted || steps[k] == RECONCILE_GUARD);
        }
    }
}

static void pauses_longer_after_each_failure_and_by_chance(void)
{
    EXPECT_INT(reconcile_backoff_ms(1, 0), RECONCILE_BACKOFF_MS_MIN / 2);
    EXPECT_INT(reconcile_backoff_ms(2, 0), RECONCILE_BACKOFF_MS_MIN);
    EXPECT_INT(reconcile_backoff_ms(4000000000U, 0), RECONCILE_BACKOFF_MS_MAX / 2);
    for (uint64_t random = 0; random < 2000; random++) {
        uint64_t pause_ms = reconcile_backoff_ms(1, random);
        EXPECT(pause_ms >= RECONCILE_BACKOFF_MS_MIN / 2 && pause_ms <= RECONCILE_BACKOFF_MS_MIN);
    }
}

TEST_MAIN(decides_for_one_object, makes_in_order_and_takes_away_in_reverse,
          comes_to_an_end_from_anywhere, pauses_longer_after_each_failure_and_by_chance)
