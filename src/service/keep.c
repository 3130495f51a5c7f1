#include "service/keep.h"

/* How often a server that was just started is asked, as a share of the interval. */
#define POLLS_PER_INTERVAL 20
#define POLL_MS_MIN        20
#define POLL_MS_MAX        250

const char *service_state_name(enum service_state state)
{
    switch (state) {
    case SERVICE_RESTART:
        return "RESTART";
    case SERVICE_FAILED:
        return "FAILED";
    case SERVICE_NOT_STARTED:
        return "NOT_STARTED";
    case SERVICE_STARTED:
        return "STARTED";
    case SERVICE_RUNNING:
        break;
    }
    return "RUNNING";
}

static uint64_t poll_ms(const struct keep_rules *rules)
{
    uint64_t ms = rules->interval_ms / POLLS_PER_INTERVAL;
    return ms < POLL_MS_MIN ? POLL_MS_MIN : ms > POLL_MS_MAX ? POLL_MS_MAX : ms;
}

static void enter(struct keep *keep, enum service_state state, uint64_t now_ms)
{
    keep->state = state;
    keep->since_ms = now_ms;
}

bool keep_is_quarantined(const struct keep *keep)
{
    return keep->failures >= KEEP_FAILURES_MAX;
}

/* ---- what to do ---- */

/* step when its time has come, else the time to look again. */
static enum keep_step when_due(const struct keep *keep, enum keep_step step, uint64_t now_ms,
                               uint64_t *ret_wake_ms)
{
    if (now_ms >= keep->next_ms) {
        return step;
    }
    if (keep->next_ms < *ret_wake_ms) {
        *ret_wake_ms = keep->next_ms;
    }
    return KEEP_WAIT;
}

static enum keep_step start(const struct keep *keep, const struct keep_wish *wish, uint64_t now_ms,
                            uint64_t *ret_wake_ms)
{
    return wish->needs_met ? when_due(keep, KEEP_START, now_ms, ret_wake_ms) : KEEP_WAIT;
}

static enum keep_step while_failed(const struct keep *keep, const struct keep_wish *wish,
                                   uint64_t now_ms, uint64_t *ret_wake_ms)
{
    if (wish->server == SERVER_RUNS) { /* it answers that it cannot work: until it can again */
        return keep->misses >= KEEP_MISSES_MAX ? KEEP_GIVE_UP
                                               : when_due(keep, KEEP_CHECK, now_ms, ret_wake_ms);
    }
    if (wish->on_trial) {
        return KEEP_REVERT;
    }
    if (wish->server == SERVER_CLUSTER) {
        return when_due(keep, KEEP_CHECK, now_ms, ret_wake_ms);
    }
    /* Nobody has to start somebody else's server for it to be there again. */
    bool again = wish->repaired || wish->server == SERVER_FOREIGN;
    return again ? start(keep, wish, now_ms, ret_wake_ms) : KEEP_WAIT;
}

enum keep_step keep_decide(const struct keep *keep, const struct keep_wish *wish,
                           const struct keep_rules *rules, uint64_t now_ms, uint64_t *ret_wake_ms)
{
    *ret_wake_ms = UINT64_MAX;
    bool runs = wish->server == SERVER_RUNS;
    if (keep->busy || wish->server == SERVER_ENDING) {
        return KEEP_WAIT;
    }
    if (!wish->wanted) {
        return runs || keep->state != SERVICE_NOT_STARTED ? KEEP_END : KEEP_WAIT;
    }
    switch (keep->state) {
    case SERVICE_RESTART:
        return runs ? KEEP_END : start(keep, wish, now_ms, ret_wake_ms);
    case SERVICE_NOT_STARTED:
        return start(keep, wish, now_ms, ret_wake_ms);
    case SERVICE_STARTED:
        if (now_ms >= keep->since_ms + rules->start_timeout_ms) {
            return KEEP_GIVE_UP;
        }
        *ret_wake_ms = keep->since_ms + rules->start_timeout_ms;
        return when_due(keep, KEEP_CHECK, now_ms, ret_wake_ms);
    case SERVICE_RUNNING:
        return keep->misses >= KEEP_MISSES_MAX ? KEEP_GIVE_UP
                                               : when_due(keep, KEEP_CHECK, now_ms, ret_wake_ms);
    case SERVICE_FAILED:
        break;
    }
    return while_failed(keep, wish, now_ms, ret_wake_ms);
}

/* ---- what happened ---- */

void keep_started(struct keep *keep, uint64_t now_ms)
{
    enter(keep, SERVICE_STARTED, now_ms);
    keep->misses = 0;
    keep->next_ms = now_ms;
}

static void answered_well(struct keep *keep, const struct keep_rules *rules, uint64_t now_ms)
{
    if (keep->state != SERVICE_RUNNING) {
        enter(keep, SERVICE_RUNNING, now_ms);
    } else if (now_ms - keep->since_ms >= KEEP_STABLE_INTERVALS * rules->interval_ms) {
        keep->failures = 0;
    }
    keep->misses = 0;
    keep->next_ms = now_ms + rules->interval_ms;
}

static void missed(struct keep *keep, const struct keep_wish *wish, const struct keep_rules *rules,
                   uint64_t now_ms, uint64_t random)
{
    if (keep->state == SERVICE_STARTED) {
        if (wish->server == SERVER_RUNS || wish->server == SERVER_CLUSTER) {
            /* It may still open its port. */
            keep->next_ms = now_ms + poll_ms(rules);
        } else {
            keep_failed(keep, rules, now_ms, random);
        }
        return;
    }
    keep->misses++;
    keep->next_ms = now_ms + rules->interval_ms / 2; /* the second look comes sooner */
}

void keep_checked(struct keep *keep, enum check_outcome outcome, const struct keep_wish *wish,
                  const struct keep_rules *rules, uint64_t now_ms, uint64_t random)
{
    if (keep->state == SERVICE_RESTART) { /* asked meanwhile: whatever the answer is */
        return;
    }
    switch (outcome) {
    case CHECK_GOOD:
        answered_well(keep, rules, now_ms);
        break;
    case CHECK_BUSY:
        if (keep->state == SERVICE_STARTED) {
            keep->since_ms = now_ms; /* as long as it says so it has time */
        }
        keep->misses = 0;
        keep->next_ms = now_ms + poll_ms(rules);
        break;
    case CHECK_SICK:
        if (keep->state != SERVICE_FAILED) {
            enter(keep, SERVICE_FAILED, now_ms);
        }
        keep->misses = 0;
        keep->next_ms = now_ms + rules->interval_ms;
        break;
    case CHECK_MISSED:
        missed(keep, wish, rules, now_ms, random);
        break;
    }
}

static uint64_t pause_ms(unsigned failures, const struct keep_rules *rules, uint64_t random)
{
    if (failures <= 1) {
        return 0;
    }
    uint64_t intervals = KEEP_PAUSE_INTERVALS_MAX;
    if (failures < KEEP_FAILURES_MAX) {
        intervals = UINT64_C(1) << (failures - 2);
    }
    uint64_t whole = intervals * rules->interval_ms;
    return whole / 2 + random % (whole / 2 + 1);
}

void keep_failed(struct keep *keep, const struct keep_rules *rules, uint64_t now_ms,
                 uint64_t random)
{
    keep->failures += keep->failures < KEEP_FAILURES_MAX;
    if (keep->state == SERVICE_RESTART) { /* its end was asked for: the start is still to come */
        return;
    }
    enter(keep, SERVICE_FAILED, now_ms);
    keep->misses = 0;
    keep->next_ms = now_ms + pause_ms(keep->failures, rules, random);
}

void keep_ended(struct keep *keep, uint64_t now_ms)
{
    *keep = (struct keep){.state = SERVICE_NOT_STARTED, .since_ms = now_ms};
}

void keep_restart(struct keep *keep, uint64_t now_ms)
{
    enter(keep, SERVICE_RESTART, now_ms);
    keep->misses = 0;
    keep->failures = 0;
    keep->next_ms = now_ms;
}
