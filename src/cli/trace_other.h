/* `jsorc trace replay --policy`: what another policy would have made of the same measurements. */
#pragma once

struct cli;
struct trace;

/* Asks the policy, tells it what the trace has measured under the placement that it asks for, and
 * so on, until it has settled or asks for one that was never measured. Shows that; an enum
 * cli_exit: CLI_FAILED when it has not settled. */
int trace_replay_other(struct cli *cli, const struct trace *trace, const char *policy);
