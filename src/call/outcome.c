#include "call/outcome.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct call_outcome_row rows[CALL_OUTCOMES] = {
    [CALL_UNKNOWN] = {404, "UnknownAction",
                      "there is no action '%s'; 'jsorc actions list' shows those that are loaded"},
    [CALL_UNAVAILABLE] = {503, "Unavailable",
                          "the module of '%s' is not running; 'jsorc status' shows why"},
    [CALL_OVERLOADED] = {503, "Overloaded", "too many calls wait for '%s'; try again later"},
    [CALL_TIMED_OUT] = {504, "TimedOut",
                        "'%s' did not answer in time; it may still be running (the limit is the "
                        "setting timeout_s)"},
    [CALL_LOST] =
        {502, "WorkerLost",
         "the worker of '%s' ended during the call, which may have been executed in "
         "part; 'jsorc logs' (of a pod: 'jsorc logs MODULE') shows its last words, 'jsorc "
         "logs daemon' how it ended"},
    [CALL_BROKEN] = {502, "BrokenAnswer", "the worker of '%s' sent no valid answer"},
    [CALL_REFUSED] = {503, "ServerFailing",
                      "the server of '%s' failed several times in a row; it is asked again in a "
                      "few seconds"},
    [CALL_UNREACHABLE] = {503, "ServerUnreachable",
                          "the server of '%s' cannot be reached; does it still run?"},
    [CALL_FOREIGN] = {502, "ServerFailed", "the server of '%s' reported an error"},
    [CALL_NO_WALKERS] = {404, "UnknownWalker", "cannot run '%s': no module with walkers is loaded"},
};

const struct call_outcome_row *call_outcome_row(enum call_outcome outcome)
{
    assert(outcome < CALL_OUTCOMES);
    return &rows[outcome];
}

void call_outcome_detail(enum call_outcome outcome, const char *action, const char *why,
                         char *detail)
{
    const char *text = call_outcome_row(outcome)->text;
    const char *place = strstr(text, "%s");
    assert(place);
    (void)snprintf(detail, CALL_DETAIL_MAX, "%.*s%s%s%s%s", (int)(place - text), text, action,
                   place + 2, why ? ": " : "", why ? why : "");
}
