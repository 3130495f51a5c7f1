/* The operations that run a load test: `jsorc loadtest` as a child of the daemon, so that what
 * sends the load shares nothing with what is measured but the machine. One at a time: two would
 * measure each other. */
#include "api/loadtest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/api.h"
#include "api/op.h"
#include "base/alloc.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "loop/loop.h"

#define KEPT_MAX 16 /* results; the oldest goes first */
/* Hours of figures; more is a fault. */
#define RESULT_BYTES_MAX (INT64_C(256) * 1024 * 1024)
#define LOG_BYTES        2000  /* of the end of what the child told */
#define END_MS           10000 /* for it to end its daemon, or to put ours back */
#define ARGS_MAX         48

struct loadtest {
    int64_t id;
    pid_t pid;              /* 0 = ended */
    struct loop *loop;      /* borrowed */
    struct loop_watch exit; /* its pidfd, owned */
    int out_fd;             /* memory: its result */
    int err_fd;             /* memory: what it tells meanwhile */
    uint64_t start_ms;
    double seconds; /* once it has ended */
    struct json_object *result;
    char *log;     /* owned; the end of what it told; NULL until it has ended */
    char *message; /* owned; why it failed; NULL = it did not */
    struct op_call *waiting;
};

struct loadtests {
    int64_t last_id;
    size_t count;
    struct loadtest *items[KEPT_MAX]; /* oldest first; the last one may run */
};

/* ---- one test ---- */

static struct loadtest *loadtest_free(struct loadtest *test)
{
    if (test) {
        (void)fd_close(test->out_fd);
        (void)fd_close(test->err_fd);
        int fd = test->exit.fd;
        loop_unwatch(test->loop, &test->exit);
        (void)fd_close(fd);
        (void)json_put(test->result);
        free(test->log);
        free(test->message);
        free(test);
    }
    return NULL;
}
DEFINE_CLEANUP(struct loadtest *, loadtest_free)

/* The whole of a memory file, or its last size_max bytes; owned by the caller. */
static char *text_of(int fd, int64_t size_max)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return xstrdup("");
    }
    int64_t size = status.st_size < size_max ? status.st_size : size_max;
    char *text = xcalloc(1, (size_t)size + 1);
    ssize_t got = pread(fd, text, (size_t)size, status.st_size - size);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

static void answer(struct loadtest *test)
{
    if (test->waiting) {
        struct json_object *result =
            test->message ? op_success(false, test->message) : json_ref(test->result);
        op_return(TAKE(test->waiting), result);
    }
}

/* The child has ended: with a result, or with the reason why there is none. */
static void finish(struct loadtest *test, int status)
{
    struct err err = {0};
    test->pid = 0;
    test->seconds = (double)(clock_now_ms() - test->start_ms) / 1000;
    CLEANUP(str_free) char *out = text_of(test->out_fd, RESULT_BYTES_MAX);
    test->log = text_of(test->err_fd, LOG_BYTES);
    test->out_fd = fd_close(test->out_fd);
    test->err_fd = fd_close(test->err_fd);
    bool told = json_parse_object(slice_str(out), &test->result, &err) == 0;
    if (status != 0 || !told) {
        test->message =
            *test->log ? xstrdup(test->log) : xasprintf("the load test ended with %d", status);
    }
    answer(test);
}

static void on_ended(void *arg, uint32_t events)
{
    struct loadtest *test = arg;
    siginfo_t info = {0};
    (void)events;
    if (waitid(P_PID, (id_t)test->pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0) {
        return;
    }
    int fd = test->exit.fd;
    loop_unwatch(test->loop, &test->exit);
    (void)fd_close(fd);
    finish(test, info.si_status);
}

/* ---- starting it ---- */

struct arguments {
    const char *list[ARGS_MAX];
    size_t count;
    char numbers[16][32];
    size_t number_count;
};

static void add(struct arguments *arguments, const char *name, const char *value)
{
    arguments->list[arguments->count++] = name;
    if (value) {
        arguments->list[arguments->count++] = value;
    }
}

static void add_number(struct arguments *arguments, const struct op_call *call, const char *param,
                       const char *name)
{
    char *text = arguments->numbers[arguments->number_count++];
    (void)snprintf(text, sizeof(arguments->numbers[0]), "%.15g", op_arg_number(call, param));
    add(arguments, name, text);
}

static void make_arguments(const struct op_call *call, const struct api *api, const char *url,
                           struct arguments *arguments)
{
    const char *experiment = op_arg_str(call, "experiment");
    add(arguments, "/proc/self/exe", "loadtest");
    add(arguments, "--test", op_arg_str(call, "test"));
    if (*experiment) {
        add(arguments, "--experiment", experiment);
    }
    add(arguments, "--policy", op_arg_str(call, "policy"));
    add_number(arguments, call, "mem", "--mem");
    add_number(arguments, call, "experiment_duration", "--experiment_duration");
    add_number(arguments, call, "eval_phase", "--eval_phase");
    add_number(arguments, call, "perf_phase", "--perf_phase");
    add_number(arguments, call, "clients", "--clients");
    add_number(arguments, call, "rate", "--rate");
    add_number(arguments, call, "repeat", "--repeat");
    add_number(arguments, call, "warmup", "--warmup");
    add_number(arguments, call, "time_scale", "--time_scale");
    add_number(arguments, call, "memory_scale", "--memory_scale");
    add(arguments, "--output", "json");
    if (op_arg_bool(call, "use_running")) {
        add(arguments, "--use_running", NULL);
        add(arguments, "--url", url);
    }
    add(arguments, "--python", api->python);
}

static int spawn(struct loadtest *test, const struct arguments *arguments, struct err *err)
{
    const struct child_fd fds[] = {{test->out_fd, STDOUT_FILENO}, {test->err_fd, STDERR_FILENO}};
    int failed = child_spawn_bound((char *const *)(uintptr_t)arguments->list, fds, 2, &test->pid);
    return failed ? err_errno(err, -failed, "cannot start the load test") : 0;
}

static int start(struct loadtest *test, const struct arguments *arguments, struct err *err)
{
    test->out_fd = memfd_create("jsorc-loadtest-result", MFD_CLOEXEC);
    test->err_fd = memfd_create("jsorc-loadtest-log", MFD_CLOEXEC);
    if (test->out_fd < 0 || test->err_fd < 0) {
        return err_errno(err, errno, "cannot make a file in memory");
    }
    int failed = spawn(test, arguments, err);
    if (failed) {
        return failed;
    }
    test->exit.fd = (int)syscall(SYS_pidfd_open, test->pid, 0);
    if (test->exit.fd < 0 || loop_watch(test->loop, &test->exit, EPOLLIN) < 0) {
        failed = err_errno(err, errno, "cannot watch the load test");
        (void)kill(test->pid, SIGKILL);
        (void)waitpid(test->pid, NULL, 0);
        test->pid = 0;
    }
    return failed;
}

static struct loadtests *tests_of(struct api *api)
{
    if (!api->loadtests) {
        api->loadtests = xcalloc(1, sizeof(struct loadtests));
    }
    return api->loadtests;
}

static struct loadtest *running(const struct loadtests *tests)
{
    struct loadtest *last = tests && tests->count ? tests->items[tests->count - 1] : NULL;
    return last && last->pid ? last : NULL;
}

static void keep(struct loadtests *tests, struct loadtest *test)
{
    if (tests->count == KEPT_MAX) {
        (void)loadtest_free(tests->items[0]);
        tests->count--;
        memmove(&tests->items[0], &tests->items[1], tests->count * sizeof(tests->items[0]));
    }
    tests->items[tests->count++] = test;
}

static void run_loadtest(struct op_call *call)
{
    struct api *api = op_api(call);
    struct loadtests *tests = tests_of(api);
    struct err err = {0};
    if (running(tests)) {
        CLEANUP(str_free)
        char *text = xasprintf("load test %lld is running; jsorc_loadtest_report tells how far it "
                               "is",
                               (long long)running(tests)->id);
        op_return(call, op_success(false, text));
        return;
    }
    CLEANUP(str_free) char *url = xasprintf("unix:%s", api->socket_path);
    struct arguments arguments = {0};
    make_arguments(call, api, url, &arguments);
    CLEANUP(loadtest_free) struct loadtest *test = xcalloc(1, sizeof(*test));
    *test = (struct loadtest){.id = tests->last_id + 1,
                              .loop = api->loop,
                              .out_fd = -1,
                              .err_fd = -1,
                              .start_ms = clock_now_ms()};
    test->exit = (struct loop_watch){-1, on_ended, test};
    if (start(test, &arguments, &err) < 0) {
        op_return(call, op_success(false, err.text));
        return;
    }
    tests->last_id = test->id;
    if (op_arg_bool(call, "wait")) {
        test->waiting = call;
    } else {
        struct json_object *result = op_success(true, NULL);
        json_set_int(result, "id", test->id);
        op_return(call, result);
    }
    keep(tests, TAKE(test));
}

const struct op op_jsorc_loadtest = {
    .name = "jsorc_loadtest",
    .access = OP_ADMIN,
    .params = {{"test", OP_STR, NULL, "synthetic_apps"},
               {"experiment", OP_STR, "\"\"", "application; empty = all"},
               {"mem", OP_FLOAT, "0", "memory of the node in GiB, for evaluation and adaptive"},
               {"policy", OP_STR, "\"all_local\"",
                "all_local, all_remote, evaluation, adaptive, oracle; several with commas"},
               {"experiment_duration", OP_FLOAT, "180", "seconds of a measurement"},
               {"eval_phase", OP_FLOAT, "10", "seconds for which evaluation tries a placement"},
               {"perf_phase", OP_FLOAT, "100", "seconds for which evaluation keeps the best one"},
               {"clients", OP_INT, "1", "clients that wait for their answers"},
               {"rate", OP_FLOAT, "0", "requests a second of an open loop; 0 = closed"},
               {"repeat", OP_INT, "1", "repetitions of each measurement"},
               {"warmup", OP_FLOAT, "2", "seconds before a measurement"},
               {"time_scale", OP_FLOAT, "1", "processor times of the modules times this"},
               {"memory_scale", OP_FLOAT, "0.05", "memory of the modules, and mem, times this"},
               {"use_running", OP_BOOL, "false",
                "measure in this daemon rather than in one of the test's own"},
               {"wait", OP_BOOL, "true", "answer with the result, when it is there"}},
    .positionals = "test",
    .help = "Run a load test in the background, as `jsorc loadtest` does.",
    .result = "{\"APP\": {\"all_local\": {\"walker_level\": {...}, \"action_level\": [...]}}, "
              "\"config\": {...}}; without wait {\"success\": true, \"id\": 1}",
    .run = run_loadtest,
};

/* ---- jsorc_loadtest_report ---- */

static const struct loadtest *find(const struct loadtests *tests, int64_t id)
{
    for (size_t i = tests ? tests->count : 0; i-- > 0;) {
        if (id == 0 || tests->items[i]->id == id) {
            return tests->items[i];
        }
    }
    return NULL;
}

static void run_report(struct op_call *call)
{
    const struct loadtest *test = find(op_api(call)->loadtests, (int64_t)op_arg_number(call, "id"));
    if (!test) {
        op_return(call, op_success(
                            false,
                            "no such load test is kept: the ids are those that jsorc_loadtest gave "
                            "since the daemon's start, the last 16 of them; without one, the "
                            "last is told"));
        return;
    }
    struct json_object *result = op_success(true, NULL);
    double seconds = test->pid ? (double)(clock_now_ms() - test->start_ms) / 1000 : test->seconds;
    CLEANUP(str_free)
    char *told = test->pid ? text_of(test->err_fd, LOG_BYTES) : xstrdup(test->log);
    json_set_int(result, "id", test->id);
    json_set_str(result, "state", test->pid ? "running" : test->message ? "failed" : "done");
    json_set_double(result, "seconds", seconds);
    json_set_str(result, "log", told);
    json_set_str(result, "message", test->message);
    json_set(result, "result", json_ref(test->result));
    op_return(call, result);
}

const struct op op_jsorc_loadtest_report = {
    .name = "jsorc_loadtest_report",
    .access = OP_ADMIN,
    .params = {{"id", OP_INT, "0", "of jsorc_loadtest; 0 = the last one"}},
    .positionals = "id",
    .help = "Tell how far a load test is, and its result once it is there.",
    .result = "{\"success\": true, \"id\": 1, \"state\": \"running\" | \"done\" | \"failed\", "
              "\"seconds\": 12.5, \"log\": \"...\", \"message\": null, \"result\": {...}}",
    .run = run_report,
};

/* ---- the end of the daemon ---- */

void loadtest_stop(struct api *api)
{
    struct loadtest *test = running(api->loadtests);
    if (test) {
        (void)kill(test->pid, SIGTERM);
        if (test->waiting) {
            op_return(TAKE(test->waiting), op_success(false, "the daemon ends"));
        }
    }
}

void loadtest_end(struct api *api)
{
    loadtest_stop(api);
    struct loadtest *test = running(api->loadtests);
    struct pollfd ended = {.fd = test ? test->exit.fd : -1, .events = POLLIN};
    if (test) {
        if (poll(&ended, 1, END_MS) <= 0) {
            (void)kill(-test->pid, SIGKILL);
        }
        (void)waitpid(test->pid, NULL, 0);
    }
    for (size_t i = 0; api->loadtests && i < api->loadtests->count; i++) {
        (void)loadtest_free(api->loadtests->items[i]);
    }
    free(api->loadtests);
    api->loadtests = NULL;
}
