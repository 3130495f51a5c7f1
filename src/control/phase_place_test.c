#include "base/alloc.h"
#include "base/json.h"
#include "base/test.h"
#include "control/control_priv.h"

#define COUNT 3

/* A control with three modules in the runtime worker, under a policy. */
struct scene {
    struct control *control;
    struct module modules[COUNT];
};

static void scene_open(struct scene *scene)
{
    static const char *const names[COUNT] = {"a", "b", "c"};
    struct policy_module modules[COUNT] = {{.name = NULL}};
    struct control *control = xcalloc(1, sizeof(*control));
    *scene = (struct scene){.control = control};
    for (uint32_t i = 0; i < COUNT; i++) {
        modules[i].name = (char *)(uintptr_t)names[i];
        scene->modules[i] = (struct module){.name = modules[i].name, .wanted = PLACE_MODULE};
        control->modules[i] = &scene->modules[i];
        control->phases.modules[i] = i;
    }
    control->module_count = COUNT;
    control->phases.module_count = COUNT;
    struct policy_problem problem = {.modules = modules, .module_count = COUNT, .phase_s = 1};
    EXPECT_INT(policy_new("default", &problem, NULL, 0, &control->phases.talk.policy, NULL), 0);
}

static void scene_close(struct scene *scene)
{
    policy_talk_done(&scene->control->phases.talk);
    free(scene->control);
}

static placement_t wanted(const struct scene *scene)
{
    placement_t placement = 0;
    for (size_t i = 0; i < COUNT; i++) {
        placement |= (placement_t)(scene->modules[i].wanted == PLACE_MODULE) << i;
    }
    return placement;
}

static void all_move_at_once_and_are_kept(void)
{
    struct scene scene;
    scene_open(&scene);
    phase_apply(scene.control, 1);
    EXPECT_INT(wanted(&scene), 1);
    EXPECT(!phase_is_behind(scene.control, 1));
    EXPECT_INT(scene.modules[1].kept, PLACE_MODULE);
    phase_keep(scene.control);
    EXPECT_INT(scene.modules[1].kept, PLACE_NONE);
    phase_abandon(scene.control);
    EXPECT_INT(wanted(&scene), 1);
    scene_close(&scene);
}

static void under_pressure_one_after_the_other_and_not_for_good(void)
{
    struct scene scene;
    scene_open(&scene);
    scene.control->phases.pressed = true;
    scene.modules[0].wanted = PLACE_REMOTE;
    phase_apply(scene.control, 1); /* b and c leave before a comes */
    EXPECT_INT(wanted(&scene), 4);
    EXPECT(phase_is_behind(scene.control, 1));
    phase_apply(scene.control, 1);
    EXPECT_INT(wanted(&scene), 0);
    EXPECT(phase_is_behind(scene.control, 1));
    phase_apply(scene.control, 1);
    EXPECT_INT(wanted(&scene), 1);
    EXPECT(!phase_is_behind(scene.control, 1));
    phase_keep(scene.control);
    EXPECT_INT(scene.modules[1].kept, PLACE_MODULE);
    phase_abandon(scene.control);
    EXPECT_INT(wanted(&scene), 6);
    scene_close(&scene);
}

TEST_MAIN(all_move_at_once_and_are_kept, under_pressure_one_after_the_other_and_not_for_good)
