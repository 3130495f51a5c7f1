/* A trace: what a policy was told and answered, from the daemon or a file, to be explained or
 * played again. In a file: JSON lines, the first {"policy", "params", "seed"}, then {"at_ms",
 * "told": TEXT, "answer": TEXT} each; an empty answer means that no policy was asked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "policy/policy_json.h"

struct cli;
struct json_object;

struct trace {
    struct json_object *head;  /* owned */
    struct json_object *lines; /* array; owned */
};

void trace_done(struct trace *trace);

/* Each reports what went wrong and returns an enum cli_exit; *ret_trace is to be given to
 * trace_done. */

/* The run of the policy in the daemon, of its lines the last `limit` (0 = all); CLI_FAILED when
 * none has run. */
int trace_fetch(struct cli *cli, int64_t limit, struct trace *ret_trace);
/* The run, if it is that policy's and it was told a measurement; false otherwise. Quiet. */
bool trace_fetch_if(struct cli *cli, const char *policy, struct trace *ret_trace);
/* What a policy would be told now: the problem, and what is measured in seconds (0 = since the
 * daemon's start). Without answers; head names policy. */
int trace_observe(struct cli *cli, double seconds, const char *policy, struct trace *ret_trace);
int trace_read(struct cli *cli, const char *path, struct trace *ret_trace);
int trace_write(struct cli *cli, const char *path, const struct trace *trace);

/* With answers: a policy's run, whose last answer is what it holds. */
bool trace_is_run(const struct trace *trace);

/* The policy of the head, or of name, told nothing yet. talk borrows from trace. */
struct policy_talk trace_talk(const struct trace *trace, const char *name);

/* Tells talk all lines. *ret_same: answers that came out as recorded; *ret_other: those that did
 * not, the first of which is reported; both NULL = nothing is compared. */
int trace_play(struct cli *cli, const struct trace *trace, struct policy_talk *talk,
               unsigned *ret_same, unsigned *ret_other);
