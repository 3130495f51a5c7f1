#include "control/thinking.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "loop/job.h"

struct thought {
    struct thought *next;
    struct thinking *thinking; /* borrowed */
    loop_fn done;
    void *arg;
    bool over;        /* the loop's thread has it again */
    bool dropped;     /* nobody waits */
    atomic_bool stop; /* tells the thread so */

    /* The thread's, while it works. Nothing in it is shared: references of JSON are not counted
     * atomically. */
    struct policy_talk talk;
    struct json_object *params; /* owned; of talk */
    struct thought_result result;
};

static void unlist(struct thought *thought)
{
    struct thought **at = &thought->thinking->first;
    while (*at != thought) {
        at = &(*at)->next;
    }
    *at = thought->next;
}

static void release(struct thought *thought)
{
    policy_talk_done(&thought->talk);
    (void)json_put(thought->params);
    thought_result_done(&thought->result);
    free(thought);
}

static void destroy(struct thought *thought)
{
    unlist(thought);
    release(thought);
}

static void think(void *arg)
{
    struct thought *thought = arg;
    struct thought_result *result = &thought->result;
    CLEANUP(json_put) struct json_object *answer = NULL;
    if (policy_talk_line(&thought->talk, slice_str(result->told), &answer, &result->err) == 0) {
        result->answer = xstrdup(json_text(answer));
        policy_ask(thought->talk.policy, &result->asked);
        result->asked.reason = NULL;
    }
}

static void come_back(void *arg)
{
    struct thought *thought = arg;
    thought->over = true;
    if (thought->dropped) {
        destroy(thought);
    } else {
        thought->done(thought->arg);
    }
}

struct thought *thought_begin(struct thinking *thinking, struct policy_talk *talk, const char *line,
                              loop_fn done, void *arg)
{
    struct thought *thought = xcalloc(1, sizeof(*thought));
    *thought = (struct thought){
        .next = thinking->first,
        .thinking = thinking,
        .done = done,
        .arg = arg,
        .talk = *talk,
        .result = {.told = xstrdup(line)},
    };
    thinking->first = thought;
    talk->policy = NULL;
    if (talk->params) {
        (void)json_parse(slice_str(json_text(talk->params)), &thought->params, NULL);
    }
    thought->talk.params = thought->params;
    thought->talk.stop = &thought->stop;
    job_submit(thinking->jobs, thinking->loop, think, come_back, thought);
    return thought;
}

bool thought_is_over(const struct thought *thought)
{
    return thought->over;
}

void thought_take(struct thought *thought, struct policy_talk *talk,
                  struct thought_result *ret_result)
{
    assert(thought->over && !talk->policy);
    talk->policy = TAKE(thought->talk.policy);
    if (talk->policy) {
        policy_heed(talk->policy, NULL);
    }
    *ret_result = thought->result;
    thought->result = (struct thought_result){.told = NULL};
    destroy(thought);
}

void thought_result_done(struct thought_result *result)
{
    free(result->told);
    free(result->answer);
    *result = (struct thought_result){.told = NULL};
}

void thought_drop(struct thought *thought)
{
    if (thought && thought->over) {
        destroy(thought);
    } else if (thought) {
        thought->dropped = true;
        atomic_store(&thought->stop, true);
    }
}

void thinking_done(struct thinking *thinking)
{
    struct thought *thought = TAKE(thinking->first);
    while (thought) {
        struct thought *next = thought->next;
        release(thought);
        thought = next;
    }
}
