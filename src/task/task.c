#include "task/task.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

uint64_t task_pause_ms(unsigned failures, uint64_t base_ms, uint64_t max_ms, uint64_t random)
{
    uint64_t pause_ms = base_ms;
    for (unsigned i = 1; i < failures && pause_ms < max_ms; i++) {
        pause_ms *= 2;
    }
    pause_ms = pause_ms < max_ms ? pause_ms : max_ms;
    return pause_ms - random % (pause_ms / 2 + 1);
}

const char *task_own_name(const char *name)
{
    static const char *const folders[] = {"jaseci.extens.svc.tasks.", "jaseci.svc.task.common.",
                                          "jaseci.extens.svc.task.common."};
    static const struct {
        const char *theirs;
        const char *own;
    } names[] = {{"Queue", TASK_WALKER},
                 {"ScheduledWalker", TASK_WALKER},
                 {"ScheduledSequence", TASK_SEQUENCE}};
    if (strcmp(name, TASK_WALKER) == 0) {
        return TASK_WALKER;
    }
    if (strcmp(name, TASK_SEQUENCE) == 0) {
        return TASK_SEQUENCE;
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        size_t size = strlen(folders[i]);
        for (size_t j = 0; strncmp(name, folders[i], size) == 0 && j < 3; j++) {
            if (strcmp(name + size, names[j].theirs) == 0) {
                return names[j].own;
            }
        }
    }
    return NULL;
}

/* RFC 9562, version 4. */
void task_make_id(char ret_id[TASK_ID_SIZE])
{
    unsigned char b[16];
    randombytes_buf(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(ret_id, TASK_ID_SIZE,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
}
