#include "control/thinking.h"

#include <errno.h>

#include "base/json.h"
#include "base/test.h"
#include "loop/job.h"

#define PROBLEM                                                                                    \
    "{\"modules\":[{\"name\":\"a\"},{\"name\":\"b\"}],"                                            \
    "\"walkers\":[{\"name\":\"w\",\"calls\":[\"a\",\"b\"]}],\"users\":4}"

struct scene {
    struct thinking thinking;
    struct policy_talk talk;
    unsigned told; /* calls of done */
};

static struct scene scene_open(const char *policy)
{
    struct loop *loop = loop_new(NULL);
    return (struct scene){
        .thinking = {.jobs = job_pool_new(1), .loop = loop},
        .talk = {.name = policy, .seed = 1},
    };
}

static void scene_close(struct scene *scene)
{
    policy_talk_done(&scene->talk);
    (void)job_pool_free(scene->thinking.jobs);
    thinking_done(&scene->thinking);
    (void)loop_free(scene->thinking.loop);
}

static void note(void *arg)
{
    struct scene *scene = arg;
    scene->told++;
}

static struct thought *begin(struct scene *scene, const char *line)
{
    return thought_begin(&scene->thinking, &scene->talk, line, note, scene);
}

static void wait_for(const struct scene *scene, unsigned told)
{
    for (int i = 0; i < 600 && scene->told < told; i++) {
        loop_turn(scene->thinking.loop, 100);
    }
    EXPECT_INT(scene->told, told);
}

static void the_conversation_comes_back_with_the_answer(void)
{
    struct scene scene = scene_open("evaluation");
    struct thought_result result;
    struct thought *thought = begin(&scene, PROBLEM);
    EXPECT(!scene.talk.policy);
    wait_for(&scene, 1);
    EXPECT(thought_is_over(thought));
    thought_take(thought, &scene.talk, &result);
    EXPECT(scene.talk.policy != NULL);
    EXPECT_STR(result.told, PROBLEM);
    EXPECT(strstr(result.answer, "{\"placement\":{\"a\":\"module\",\"b\":\"module\"}") != NULL);
    EXPECT_INT(result.asked.placement, 3);
    EXPECT(!result.asked.done && !result.asked.reason);
    thought_result_done(&result);

    /* It is the same policy that is told the next line. */
    thought = begin(&scene, "{\"mean_latency_s\":1,\"throughput\":4}");
    wait_for(&scene, 2);
    thought_take(thought, &scene.talk, &result);
    EXPECT_INT(result.asked.placement, 1);
    thought_result_done(&result);
    scene_close(&scene);
}

static void its_parameters_may_go_while_it_thinks(void)
{
    struct scene scene = scene_open("evaluation");
    struct thought_result result;
    struct json_object *params = json_object_new_object();
    json_set_double(params, "eval_phase", 3);
    scene.talk.params = params;
    struct thought *thought = begin(&scene, PROBLEM);
    (void)json_put(params);
    scene.talk.params = NULL;
    wait_for(&scene, 1);
    thought_take(thought, &scene.talk, &result);
    EXPECT(result.asked.phase_s == 3);
    thought_result_done(&result);
    scene_close(&scene);
}

static void a_line_that_is_refused_says_why(void)
{
    struct scene scene = scene_open("adaptive");
    struct thought_result result;
    struct thought *thought = begin(&scene, "{\"modules\":[]}");
    wait_for(&scene, 1);
    thought_take(thought, &scene.talk, &result);
    EXPECT(!result.answer && !scene.talk.policy);
    EXPECT_INT(result.err.code, EINVAL);
    thought_result_done(&result);
    scene_close(&scene);
}

static void a_dropped_thought_ends_unheard(void)
{
    struct scene scene = scene_open("adaptive");
    thought_drop(begin(&scene, PROBLEM));
    for (int i = 0; i < 600 && scene.thinking.first; i++) {
        loop_turn(scene.thinking.loop, 100);
    }
    EXPECT(!scene.thinking.first);
    EXPECT_INT(scene.told, 0);

    struct thought *thought = begin(&scene, PROBLEM); /* and one that is over already */
    wait_for(&scene, 1);
    thought_drop(thought);
    EXPECT(!scene.thinking.first);
    thought_drop(NULL);
    scene_close(&scene);
}

static void the_end_does_not_wait_for_thoughts_not_begun(void)
{
    struct scene scene = scene_open("adaptive");
    for (int i = 0; i < 4; i++) { /* one thread: most are not begun at the end */
        thought_drop(begin(&scene, PROBLEM));
    }
    (void)begin(&scene, PROBLEM);
    scene_close(&scene);
    EXPECT_INT(scene.told, 0);
}

TEST_MAIN(the_conversation_comes_back_with_the_answer, its_parameters_may_go_while_it_thinks,
          a_line_that_is_refused_says_why, a_dropped_thought_ends_unheard,
          the_end_does_not_wait_for_thoughts_not_begun)
