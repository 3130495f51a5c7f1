/* What stands in a Redis where Celery's clients and workers write: whatever comes, what is read of
 * it can be written again and read again, as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "task/celery_message.h"
#include "task/celery_result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int is_true)
{
    if (!is_true) {
        abort();
    }
}

static void read_again(const struct celery_message *first)
{
    struct celery_message second;
    CLEANUP(str_free) char *text = celery_message_retry(first, first->retries, 1700000000123);
    expect(celery_message_read(slice_str(text), &second, NULL) == 0);
    expect(strcmp(first->id, second.id) == 0 && strcmp(first->task, second.task) == 0);
    expect(first->retries == second.retries && second.eta_unix_ms == 1700000000123);
    celery_message_done(&second);
}

static void read_message(struct slice text)
{
    struct celery_message message;
    const char *ids[4];
    if (celery_message_read(text, &message, NULL) < 0) {
        return;
    }
    expect(message.id && message.task && message.delivery_tag && message.root_id);
    expect((message.refusal == NULL) == (message.args && message.kwargs));
    expect(celery_message_dependents(&message, ids, 4) <= 4);
    read_again(&message);
    celery_message_done(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct celery_unacked unacked;
    struct celery_answer answer;
    read_message(text);
    if (celery_unacked_read(text, &unacked, NULL) == 0) {
        read_message(slice_str(unacked.message));
        celery_unacked_done(&unacked);
    }
    if (celery_answer_read(text, &answer, NULL) == 0) {
        expect(answer.status[0] != '\0');
        celery_answer_done(&answer);
    }
    CLEANUP(str_free) char *time = xstrndup((const char *)data, size);
    (void)celery_time_read(time);
    return 0;
}
