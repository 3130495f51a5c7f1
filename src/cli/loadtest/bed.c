#include "cli/loadtest/bed.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/loadtest/options.h"
#include "cli/loadtest/stop.h"
#include "cli/scratch.h"
#include "cli/transport.h"

#define START_TIMEOUT_MS 60000 /* a database on a slow disk */
#define STOP_TIMEOUT_MS  30000
#define PROBE_PAUSE_MS   20
#define PHASE_S_MIN      0.5    /* of the daemon's setting */
#define OP_TIMEOUT_MS    600000 /* a load of all modules of an application */

static int answer_of(const struct reply *reply, const char *op, struct json_object **ret,
                     struct err *err)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    cli_reply_value(reply, &value);
    if (cli_reply_failed(reply, value)) {
        const char *text = json_str(value, "message");
        text = text ? text : json_str(value, "response");
        return err_set(err, EPROTO, "%s: %s", op, text ? text : json_text(value));
    }
    if (ret) {
        *ret = TAKE(value);
    }
    return 0;
}

int bed_op_by(const struct bed *bed, struct transport *transport, const char *op,
              struct json_object *params, struct json_object **ret, struct err *err)
{
    CLEANUP(json_put) struct json_object *body = params ? params : json_object_new_object();
    CLEANUP(str_free) char *path = xasprintf("/js_admin/%s", op);
    struct reply reply = {0};
    int failed = transport_send(transport, &bed->endpoint,
                                &(struct request){.method = "POST",
                                                  .path = path,
                                                  .body = slice_str(json_text(body)),
                                                  .timeout_ms = OP_TIMEOUT_MS},
                                &reply, err);
    if (failed) {
        return err_wrap(err, "%s", op);
    }
    failed = answer_of(&reply, op, ret, err);
    reply_done(&reply);
    return failed;
}

int bed_op(struct bed *bed, const char *op, struct json_object *params, struct json_object **ret,
           struct err *err)
{
    return bed_op_by(bed, bed->transport, op, params, ret, err);
}

static struct json_object *of_name(const char *name)
{
    struct json_object *params = json_object_new_object();
    json_set_str(params, "name", name);
    return params;
}

static bool answers(struct bed *bed)
{
    struct reply reply = {0};
    int failed = transport_send(
        bed->transport, &bed->endpoint,
        &(struct request){.method = "GET", .path = "/js_public/health", .timeout_ms = 5000}, &reply,
        NULL);
    bool there = !failed && reply.status == 200;
    reply_done(&reply);
    return there;
}

static int wait_ready(struct bed *bed, struct err *err)
{
    uint64_t end_ms = clock_now_ms() + START_TIMEOUT_MS;
    while (!answers(bed)) {
        bool ended = child_ended(bed->pid) >= 0;
        if (ended || clock_now_ms() > end_ms) {
            CLEANUP(str_free) char *log = xasprintf("%s/serve.log", bed->folder);
            CLEANUP(str_free) char *tail = scratch_tail(log);
            bed->pid = ended ? 0 : bed->pid;
            return err_set(err, ended ? ECHILD : ETIMEDOUT,
                           "'jsorc serve' did not start; it printed:\n%s", tail);
        }
        if (stop_asked) {
            return err_set(err, EINTR, "interrupted");
        }
        (void)poll(NULL, 0, PROBE_PAUSE_MS);
    }
    return 0;
}

static int start_own(struct bed *bed, const struct options *options, struct err *err)
{
    CLEANUP(str_free) char *state = xasprintf("%s/state", bed->folder);
    CLEANUP(str_free) char *log = xasprintf("%s/serve.log", bed->folder);
    CLEANUP(str_free) char *config = xasprintf("%s/jsorc.yaml", bed->folder);
    double spare_mb = BED_NODE_SHARE * options_node_mb(options) - options_runtime_mb(options);
    CLEANUP(str_free) char *memory = xasprintf("%.0f", fmax(1, spare_mb)); /* 0 = its default */
    CLEANUP(str_free) char *phase = xasprintf("%g", fmax(PHASE_S_MIN, options->eval_phase_s));
    const char *argv[] = {"/proc/self/exe",
                          "serve",
                          "--state",
                          state,
                          "--listen",
                          "127.0.0.1:0",
                          "--policy_memory_mb",
                          memory,
                          "--policy_phase_s",
                          phase,
                          "-c",
                          config,
                          options->python ? "--python" : NULL,
                          options->python,
                          NULL};
    CLEANUP_FD int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CLEANUP_FD int config_fd = open(config, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    /* Settings of its own: else it took jsorc.yaml of the folder we were started in. */
    if (log_fd < 0 || config_fd < 0 || write(config_fd, "{}\n", 3) != 3) {
        return err_errno(err, errno, "cannot write into '%s'", bed->folder);
    }
    bed->endpoint = (struct endpoint){.url = xstrdup("http://localhost"),
                                      .socket = xasprintf("%s/run/jsorc.sock", state),
                                      .name = xstrdup(state)};
    int failed = child_start(argv, log_fd, &bed->pid, err);
    return failed ? failed : wait_ready(bed, err);
}

/* What the daemon has already counts for evaluation, too, and is not scaled; and what somebody has
 * pinned is to be pinned again. */
static int look_at_foreign(struct bed *bed, struct err *err)
{
    CLEANUP(json_put) struct json_object *status = NULL;
    int failed = bed_op(bed, "jsorc_status", NULL, &status, err);
    struct json_object *modules = json_member(status, "modules", json_type_array);
    bed->pinned = json_object_new_object();
    for (size_t i = 0; modules && i < json_object_array_length(modules); i++) {
        struct json_object *module = json_object_array_get_idx(modules, i);
        bed->foreign_mb += (double)json_int(module, "mem_kb", 0) / 1024;
        if (json_flag(module, "pinned", false)) {
            json_set_str(bed->pinned, json_str(module, "name"), json_str(module, "wanted"));
        }
    }
    return failed;
}

static int find_running(struct bed *bed, struct cli *cli, struct err *err)
{
    int failed = endpoint_find(cli->common, &cli->memory, &bed->endpoint, err);
    if (failed) {
        return failed;
    }
    if (!bed->endpoint.socket) {
        return err_set(err, EINVAL,
                       "--use-running speaks to a daemon of this host by its socket, "
                       "and '%s' is an address; --local means this host's",
                       bed->endpoint.name);
    }
    CLEANUP(json_put) struct json_object *status = NULL;
    failed = bed_op(bed, "jsorc_actions_status", of_name(""), &status, err);
    if (failed) {
        return failed;
    }
    bed->before = json_ref(json_member(status, "action_status", json_type_object));
    failed = look_at_foreign(bed, err);
    return failed ? failed : bed_op(bed, "jsorc_actionpolicy_get", NULL, &bed->policy, err);
}

int bed_start(struct bed *bed, struct cli *cli, const struct options *options, struct err *err)
{
    bed->transport = transport_new();
    int failed = scratch_make("jsorc-loadtest", &bed->folder, err);
    if (failed) {
        return failed;
    }
    return options->use_running ? find_running(bed, cli, err) : start_own(bed, options, err);
}

static void restore_policy(struct bed *bed)
{
    struct err err = {0};
    struct json_object *params = json_object_new_object();
    struct json_object *had = json_member(bed->policy, "params", json_type_object);
    json_set_str(params, "policy_name", json_str(bed->policy, "policy"));
    json_set(params, "policy_params", had ? json_ref(had) : json_object_new_object());
    if (bed_op(bed, "jsorc_actionpolicy_set", params, NULL, &err) < 0) {
        (void)fprintf(stderr, "jsorc: warning: the policy was not put back: %s\n", err.text);
    }
}

static void put_back(struct bed *bed, const char *name, const char *mode)
{
    struct err err = {0};
    struct json_object *params = of_name(name);
    json_set_str(params, "mode", mode);
    json_set_bool(params, "wait", true);
    if (bed_op(bed, "jsorc_actions_load", params, NULL, &err) < 0) {
        (void)fprintf(stderr, "jsorc: warning: module '%s' was not put back: %s\n", name, err.text);
    }
}

static void restore_modules(struct bed *bed)
{
    CLEANUP(json_put) struct json_object *status = NULL;
    struct err err = {0};
    if (!bed->before || bed_op(bed, "jsorc_actions_status", of_name(""), &status, &err) < 0) {
        return;
    }
    struct json_object *now = json_member(status, "action_status", json_type_object);
    json_object_object_foreach(bed->before, name, state)
    {
        const char *mode = json_str(state, "mode");
        const char *mode_now = json_str(json_member(now, name, json_type_object), "mode");
        if (!mode || (mode_now && strcmp(mode, mode_now) == 0)) {
            continue;
        }
        put_back(bed, name, mode);
    }
}

/* A module that is loaded into a place while a policy runs is pinned to it; a policy that is set
 * frees all. */
static void restore_pins(struct bed *bed)
{
    json_object_object_foreach(bed->pinned, name, mode)
    {
        put_back(bed, name, json_object_get_string(mode));
    }
}

void bed_restore(struct bed *bed)
{
    restore_modules(bed);
    if (bed->policy) {
        restore_policy(bed);
        restore_pins(bed);
    }
}

void bed_stop(struct bed *bed)
{
    child_stop(bed->pid, STOP_TIMEOUT_MS);
    transport_free(bed->transport);
    endpoint_done(&bed->endpoint);
    (void)json_put(bed->before);
    (void)json_put(bed->pinned);
    (void)json_put(bed->policy);
    scratch_remove(bed->folder);
    free(bed->folder);
    *bed = (struct bed){0};
}
