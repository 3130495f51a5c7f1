/* The daemon that a load test runs against: one of its own, or the one that runs already. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "cli/endpoint.h"

struct cli;
struct err;
struct json_object;
struct options;
struct transport;

#define BED_NODE_SHARE 0.8 /* of the node that evaluation may fill, as in the original */

struct bed {
    char *folder; /* owned; temporary: the modules' files, and the own daemon's state */
    pid_t pid;    /* of the own daemon; 0 = the running one is used */
    struct endpoint endpoint;
    struct transport *transport; /* owned */
    struct json_object *before;  /* owned; the running daemon's modes; NULL = own daemon */
    struct json_object *pinned;  /* owned; of these, name -> mode, what a policy must not move */
    double foreign_mb;           /* memory of the running daemon's modules */
    struct json_object *policy;  /* owned; its policy; NULL = own daemon, or it has none */
};

/* Makes the folder and starts a daemon, or finds the running one. 0, or -errno with the reason;
 * bed_stop is due either way. */
int bed_start(struct bed *bed, struct cli *cli, const struct options *options, struct err *err);

/* Puts the running daemon's policy and placement back as they were: best effort, and what could
 * not be put back is told on standard error. */
void bed_restore(struct bed *bed);

/* Ends the own daemon and removes the folder. */
void bed_stop(struct bed *bed);

/* Runs an operation; params is consumed (NULL = none). *ret (NULL = not wanted) is the caller's.
 * -EPROTO: it answered that it failed, err says why; or what transport_send gives. */
int bed_op(struct bed *bed, const char *op, struct json_object *params, struct json_object **ret,
           struct err *err);

/* As bed_op, over a transport of the calling thread. */
int bed_op_by(const struct bed *bed, struct transport *transport, const char *op,
              struct json_object *params, struct json_object **ret, struct err *err);
