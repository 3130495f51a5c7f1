/* The end of load tests that were started by an operation. Control thread. */
#pragma once

struct api;

/* When the daemon begins to end: asks a running test to end, and answers who waits for it. */
void loadtest_stop(struct api *api);

/* Before the parts of api go. Blocks until a running test has ended, up to 10 s. */
void loadtest_end(struct api *api);
