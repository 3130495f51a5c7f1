/* What the handlers of the API work on. Owned by the control thread. */
#pragma once

struct auth;
struct control;
struct job_pool;
struct loop;
struct store;

struct api {
    struct control *control; /* modules, placement, moves */
    struct store *store;
    struct auth *auth;       /* accounts and tokens */
    struct job_pool *jobs;   /* for what blocks: password hashes, child programs */
    struct loop *loop;       /* the control thread's */
};
