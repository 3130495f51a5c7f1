#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "provider/kubernetes/kube_priv.h"

void kube_keep(void *arg, const struct kube_reply *reply)
{
    struct kube_answer *answer = arg;
    answer->come = true;
    answer->outcome = reply->outcome;
    answer->status = reply->status;
    answer->object = json_ref(reply->object);
    answer->text = reply->text.data ? xstrndup(reply->text.data, reply->text.size) : NULL;
    if (reply->err) {
        answer->err = *reply->err;
    }
}

enum kube_outcome kube_wait(struct kube *kube, struct kube_answer *answer)
{
    while (!answer->come) {
        loop_turn(kube->loop, LOOP_WAIT_MS_MAX);
    }
    return answer->outcome;
}

void kube_answer_done(struct kube_answer *answer)
{
    (void)json_put(answer->object);
    free(answer->text);
    *answer = (struct kube_answer){0};
}
