/* What the daemon and its workers do at the moment, and what the workers wrote. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/op.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/utf8.h"
#include "control/control.h"
#include "service/service.h"
#include "share/share.h"
#include "store/store.h"

#define LOG_LINES_MAX 10000
#define LOG_BYTES_MAX (1024 * 1024) /* read for one answer */

static struct json_object *state_status(const struct api *api)
{
    struct json_object *state = json_object_new_object();
    struct share_figures figures = {.state = store_name(api->store), .leads = true};
    if (api->share) {
        share_figures(api->share, &figures);
    }
    json_set_str(state, "store", figures.state);
    json_set_bool(state, "shared", api->share != NULL);
    json_set_bool(state, "reached", !figures.error);
    json_set_str(state, "error", figures.error);
    json_set_double(state, "error_s", (double)figures.error_ms / 1000);
    json_set_int(state, "waiting", (int64_t)figures.waiting);
    json_set_bool(state, "leads", figures.leads);
    json_set_str(state, "leader", figures.leader);
    json_set_int(state, "leader_number", figures.number);
    json_set_str(state, "lease", figures.lease);
    json_set_str(state, "lease_error", figures.lease_error);
    return state;
}

static void answer_status(void *arg)
{
    struct op_call *call = arg;
    const struct api *api = op_api(call);
    struct json_object *status = control_status(api->control);
    struct json_object *daemon = json_object_new_object();
    struct json_object *addresses = json_object_new_array();
    for (size_t i = 0; api->addresses[i]; i++) {
        (void)json_object_array_add(addresses, json_object_new_string(api->addresses[i]));
    }
    json_set_str(daemon, "version", api->version);
    json_set_int(daemon, "pid", getpid());
    json_set(daemon, "listens", addresses);
    json_set_str(daemon, "python", api->python);
    json_set(status, "daemon", daemon);
    json_set(status, "services", services_list(api->services));
    json_set(status, "state", state_status(api));
    op_return(call, status);
}

static void run_status(struct op_call *call)
{
    control_figures_refresh(op_api(call)->control, answer_status, call);
}

const struct op op_jsorc_status = {
    .name = "jsorc_status",
    .access = OP_ADMIN,
    .positionals = "",
    .help = "Tell what is loaded where and how it does.",
    .result =
        "{\"modules\": [{\"name\", \"place\", \"state\", \"mem_kb\", \"actions\": {NAME: "
        "{\"calls\", \"failed\", \"p50_ms\", \"p99_ms\", \"exec_ms\"}}}], \"workers\": "
        "[...], \"walkers\": {NAME: ...}, \"moves\": [...], \"services\": "
        "[{\"name\", \"state\", \"provider\", \"pid\", \"restarts\", \"error\"}], "
        "\"daemon\": {...}, \"state\": {\"store\", \"reached\", \"error\", \"leads\", \"leader\", "
        "\"lease\", \"lease_error\"}}",
    .run = run_status,
};

/* The byte at which the last count lines of [0, size), which ends a line, begin. */
static size_t last_lines(const char *data, size_t size, long count)
{
    size_t at = size;
    for (; at > 0 && count > 0; count--) {
        const char *end = memrchr(data, '\n', at - 1);
        at = end ? (size_t)(end - data) + 1 : 0;
    }
    return at;
}

static void add_lines(struct json_object *lines, const char *data, size_t size)
{
    while (size > 0) {
        const char *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size;
        CLEANUP(str_free) char *text = xstrndup(data, length);
        utf8_repair(text, length);
        (void)json_object_array_add(lines, json_object_new_string(text));
        size -= end ? length + 1 : length;
        data += end ? length + 1 : length;
    }
}

/* Reads up to LOG_BYTES_MAX that end a line, from offset or the last lines of the file. */
static int read_log(const char *path, int64_t after, long limit, struct json_object *lines,
                    int64_t *ret_next)
{
    struct stat status;
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return -errno;
    }
    if (after > status.st_size) {
        after = 0; /* the file was cut meanwhile */
    }
    off_t start = after >= 0                       ? after
                  : status.st_size > LOG_BYTES_MAX ? status.st_size - LOG_BYTES_MAX
                                                   : 0;
    CLEANUP(str_free) char *data = xcalloc(1, LOG_BYTES_MAX);
    ssize_t got = pread(fd, data, LOG_BYTES_MAX, start);
    if (got < 0) {
        return -errno;
    }
    size_t size = (size_t)got;
    while (size > 0 && data[size - 1] != '\n') { /* a line that is still being written */
        size--;
    }
    size_t from = after < 0 ? last_lines(data, size, limit) : 0;
    add_lines(lines, data + from, size - from);
    *ret_next = start + (int64_t)size;
    return 0;
}

static void run_logs(struct op_call *call)
{
    const char *name = op_arg_str(call, "name");
    if (!*name || strchr(name, '/') || name[0] == '.') {
        op_fail(call, "'%s' is no worker's name; give a module's name, 'runtime' or 'daemon'",
                name);
        return;
    }
    CLEANUP(str_free) char *path = xasprintf("%s/%s.log", op_api(call)->log_folder, name);
    struct json_object *lines = json_object_new_array();
    int64_t next = 0;
    long limit = (long)op_arg_number(call, "limit");
    limit = limit < 0 ? 0 : limit > LOG_LINES_MAX ? LOG_LINES_MAX : limit;
    int failed = read_log(path, (int64_t)op_arg_number(call, "after"), limit, lines, &next);
    if (failed) {
        (void)json_put(lines);
        op_fail(call,
                "there is no log of '%s' (%s); the names are those of the modules placed "
                "remote, 'runtime' for the others and 'daemon'",
                name, strerror(-failed));
        return;
    }
    struct json_object *result = json_object_new_object();
    json_set(result, "lines", lines);
    json_set_int(result, "next", next);
    op_return(call, result);
}

const struct op op_jsorc_logs = {
    .name = "jsorc_logs",
    .access = OP_ADMIN,
    .params = {{"name", OP_STR, "\"runtime\"",
                "a module placed remote, 'runtime' for those in the runtime worker, or 'daemon'"},
               {"after", OP_INT, "-1",
                "byte offset from which to go on, as \"next\" told it; -1 = the last lines"},
               {"limit", OP_INT, "100", "lines at the most when after is -1"}},
    .positionals = "name",
    .help = "Read what a worker wrote on standard output and standard error.",
    .result = "{\"lines\": [\"...\"], \"next\": OFFSET}",
    .run = run_logs,
};
