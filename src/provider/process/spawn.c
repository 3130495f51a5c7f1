#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/child.h"
#include "base/environment.h"
#include "base/err.h"
#include "base/json.h"
#include "provider/process/process_priv.h"

/* Numbers under which the child finds its pipes; ours are moved above them first. */
enum { CHILD_NOTIFY_FD = 3, CHILD_LIFELINE_FD = 4, CHILD_FDS_END = 10 };

#define ARGS_MAX 24

static int write_spec(const struct process_pod *pod, const struct pod_spec *spec, struct err *err)
{
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    json_set_str(object, "name", spec->name);
    json_set_str(object, "role", spec->role == POD_RUNTIME ? "runtime" : "pod");
    json_set_int(object, "generation", spec->generation);
    json_set_int(object, "threads_max", spec->threads_max);
    if (spec->unmeasured) {
        json_set_bool(object, "measure", false);
    }
    json_set(object, "modules", json_ref(spec->modules));
    const char *text = json_text(object);

    CLEANUP_FD int fd = open(pod->spec_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno(err, errno, "cannot write '%s'", pod->spec_path);
    }
    ssize_t put = write(fd, text, strlen(text));
    if (put != (ssize_t)strlen(text)) {
        return err_errno(err, put < 0 ? errno : ENOSPC, "cannot write '%s'", pod->spec_path);
    }
    return 0;
}

static int move_up(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FDS_END);
    (void)fd_close(fd);
    return high;
}

struct pipes {
    int notify_read;
    int notify_write; /* above the child's numbers */
    int lifeline;     /* likewise; -1 = none */
    int log;          /* likewise */
};

static void pipes_done(struct pipes *pipes)
{
    (void)fd_close(pipes->notify_read);
    (void)fd_close(pipes->notify_write);
    (void)fd_close(pipes->lifeline);
    (void)fd_close(pipes->log);
}

static int pipes_open(struct pipes *pipes, const struct process_pod *pod, struct err *err)
{
    int ends[2];
    *pipes = (struct pipes){-1, -1, -1, -1};
    int log = open(pod->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        return err_errno(err, errno, "cannot open the log '%s'", pod->log_path);
    }
    pipes->log = move_up(log);
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return err_errno(err, errno, "cannot make a pipe");
    }
    pipes->notify_read = ends[0];
    pipes->notify_write = move_up(ends[1]);
    (void)fcntl(pipes->notify_read, F_SETFL, O_NONBLOCK);
    if (pod->provider->settings.lifeline_fd >= 0) {
        pipes->lifeline =
            fcntl(pod->provider->settings.lifeline_fd, F_DUPFD_CLOEXEC, CHILD_FDS_END);
    }
    return 0;
}

static int spawn(pid_t *ret_pid, char *const *args, char *const *environment,
                 const struct pipes *pipes)
{
    const struct child_fd fds[] = {
        {pipes->log, STDOUT_FILENO},
        {pipes->log, STDERR_FILENO},
        {pipes->notify_write, CHILD_NOTIFY_FD},
        {pipes->lifeline, CHILD_LIFELINE_FD},
    };
    return child_spawn(args, environment, fds, pipes->lifeline >= 0 ? 4 : 3, ret_pid);
}

/* The sanitizers reserve terabytes and cannot live under a limit. gcc and clang tell differently.
 */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEMORY_CAN_BE_LIMITED 0
#else
#define MEMORY_CAN_BE_LIMITED 1
#endif

/* A module that allocates without end meets MemoryError or NULL before the machine runs out, and
 * if the kernel must choose, it takes a pod and not the daemon. */
static void bound_process(pid_t pid, int64_t memory_max_mb)
{
    if (MEMORY_CAN_BE_LIMITED && memory_max_mb > 0) {
        rlim_t bytes = (rlim_t)memory_max_mb * 1024 * 1024;
        struct rlimit limit = {bytes, bytes};
        (void)prlimit(pid, RLIMIT_DATA, &limit, NULL);
    }
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "500", 3);
    }
}

/* The command of a worker; texts are borrowed, numbers hold the two descriptor texts. */
static void worker_command(const struct process_pod *pod, bool python, const char **args,
                           char numbers[2][12])
{
    const struct process_settings *settings = &pod->provider->settings;
    size_t used = 0;
    if (python) {
        args[used++] = settings->python;
        args[used++] = "-m";
        args[used++] = "jsorc.worker";
    } else {
        args[used++] = settings->program;
        args[used++] = "worker";
    }
    (void)snprintf(numbers[0], sizeof(numbers[0]), "%d", CHILD_NOTIFY_FD);
    (void)snprintf(numbers[1], sizeof(numbers[1]), "%d", CHILD_LIFELINE_FD);
    const char *const options[] = {"--socket", pod->socket_path, "--notify-fd",
                                   numbers[0], "--daemon",       settings->daemon_socket,
                                   "--spec",   pod->spec_path};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        args[used++] = options[i];
    }
    if (settings->lifeline_fd >= 0) {
        args[used++] = "--lifeline-fd";
        args[used++] = numbers[1];
    }
    args[used] = NULL;
}

int process_spawn(struct process_pod *pod, const struct pod_spec *spec, struct err *err)
{
    const struct process_settings *settings = &pod->provider->settings;
    int failed = write_spec(pod, spec, err);
    if (failed) {
        return failed;
    }
    const char *args[ARGS_MAX];
    char numbers[2][12];
    worker_command(pod, spec->python, args, numbers);

    struct pipes pipes;
    failed = pipes_open(&pipes, pod, err);
    if (failed) {
        pipes_done(&pipes);
        return failed;
    }
    char *python_path = NULL;
    char **environment = environment_prepend("PYTHONPATH", settings->python_path, &python_path);
    pid_t pid = 0;
    failed = spawn(&pid, (char *const *)(uintptr_t)args, environment, &pipes);
    free(environment);
    free(python_path);
    if (failed) {
        pipes_done(&pipes);
        return err_errno(err, -failed, "cannot start '%s'", args[0]);
    }
    bound_process(pid, spec->memory_max_mb);
    pod->base.pid = pid;
    pod->start_time = proc_start_time(pid);
    pod->child = true;
    pod->exit.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    pod->notify.fd = pipes.notify_read;
    pipes.notify_read = -1;
    pipes_done(&pipes);
    return 0;
}
