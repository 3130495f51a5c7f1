#include "provider/process/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "http/blocking.h"
#include "provider/process/process_priv.h"
#include "provider/process/program.h"

#define KILL_WAIT_MS 5000 /* between SIGKILL and giving up on a process that does not end */

static const struct provider_ops process_ops;

static void on_deadline(void *arg);

struct process_pod *process_pod_new(struct process_provider *provider, const char *name,
                                    const char *log_name)
{
    struct process_pod *pod = xcalloc(1, sizeof(*pod));
    pod->provider = provider;
    pod->name = xstrdup(name);
    pod->socket_path = xasprintf("%s/%s.sock", provider->settings.run_folder, name);
    pod->spec_path = xasprintf("%s/%s.json", provider->settings.run_folder, name);
    pod->log_path = xasprintf("%s/%s.log", provider->settings.log_folder, log_name);
    pod->exit.fd = -1;
    pod->notify.fd = -1;
    pod->deadline = (struct loop_timer){.fn = on_deadline, .arg = pod}; /* stop may come early */
    pod->base = (struct pod){.ops = &process_ops,
                             .name = pod->name,
                             .socket_path = pod->socket_path,
                             .started_ms = clock_unix_ms()};
    return pod;
}

static void close_watch(struct process_pod *pod, struct loop_watch *watch)
{
    int fd = watch->fd;
    loop_unwatch(pod->provider->loop, watch);
    (void)fd_close(fd);
}

struct pod *process_pod_free(struct pod *base)
{
    struct process_pod *pod = (struct process_pod *)base;
    if (pod) {
        loop_timer_clear(pod->provider->loop, &pod->deadline);
        close_watch(pod, &pod->exit);
        close_watch(pod, &pod->notify);
        buf_done(&pod->line);
        free(pod->name);
        free(pod->socket_path);
        free(pod->spec_path);
        free(pod->log_path);
        free(pod);
    }
    return NULL;
}

void process_signal_group(const struct process_pod *pod, int number)
{
    /* The pid is still that process: its pidfd says so until we have seen it end. */
    if (pod->base.pid > 0 && kill(-pod->base.pid, number) < 0) {
        (void)kill(pod->base.pid, number);
    }
}

static void tell_failed(struct process_pod *pod, const char *text, struct json_object *said)
{
    if (pod->told) {
        return;
    }
    pod->told = true;
    CLEANUP(str_free) char *full = NULL;
    const char *error = json_str(said, "error");
    if (error) {
        const char *stage = json_str(said, "stage");
        full = xasprintf("%s failed: %s", stage ? stage : "load", error);
    }
    pod->events.failed(pod->events.arg, &(struct pod_failure){
                                            .module = json_str(said, "module"),
                                            .text = full ? full : text,
                                            .hint = json_str(said, "hint"),
                                            .detail = said,
                                        });
}

void process_how_it_ended(pid_t pid, bool child, bool expected, char *text, size_t size)
{
    siginfo_t info = {0};
    if (!child) {
        (void)snprintf(text, size, "ended");
    } else if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0) {
        (void)snprintf(text, size, "ended in an unknown way");
    } else if (info.si_code == CLD_EXITED) {
        (void)snprintf(text, size, "exited with status %d", info.si_status);
    } else {
        const char *name = sigabbrev_np(info.si_status);
        (void)snprintf(text, size, "was ended by signal %d (SIG%s)%s", info.si_status,
                       name ? name : "?",
                       info.si_status == SIGKILL && !expected
                           ? "; if nobody sent it, the kernel was out of memory"
                           : "");
    }
}

static void on_notify(void *arg, uint32_t events);

static void on_exit_event(void *arg, uint32_t events)
{
    struct process_pod *pod = arg;
    (void)events;
    char how[PROCESS_HOW_BYTES];
    if (pod->notify.fd >= 0) {
        on_notify(pod, EPOLLIN); /* its last words, if they are still in the pipe */
    }
    (void)kill(-pod->base.pid,
               SIGKILL); /* what it left in its group; unreaped, the pid is its own */
    process_how_it_ended(pod->base.pid, pod->child, pod->stopping, how, sizeof(how));
    loop_timer_clear(pod->provider->loop, &pod->deadline);
    close_watch(pod, &pod->exit);
    close_watch(pod, &pod->notify);
    (void)unlink(pod->socket_path);
    (void)unlink(pod->spec_path);
    pod->base.pid = 0;
    if (!pod->told) {
        CLEANUP(str_free) char *words = program_last_words(pod->log_path, NULL);
        CLEANUP(str_free)
        char *text = xasprintf("the worker %s while it was starting%s%s", how,
                               *words ? "; its last words: " : "", words);
        tell_failed(pod, text, NULL);
    }
    pod->events.exited(pod->events.arg, how, pod->stopping);
}

static void on_deadline(void *arg)
{
    struct process_pod *pod = arg;
    if (!pod->told) {
        tell_failed(pod, "the worker was not ready in time (setting start_timeout_s)", NULL);
    }
    pod->stopping = true;
    process_signal_group(pod, SIGKILL);
    loop_timer_set(pod->provider->loop, &pod->deadline,
                   loop_now_ms(pod->provider->loop) + KILL_WAIT_MS);
}

static void on_line(struct process_pod *pod)
{
    CLEANUP(json_put) struct json_object *said = NULL;
    struct err err = {0};
    if (buf_size(&pod->line) == 0) { /* it ended without a word: the exit tells how */
        return;
    }
    if (json_parse_object(buf_slice(&pod->line), &said, &err) < 0) {
        tell_failed(pod, "the worker's first message is no JSON", NULL);
        process_signal_group(pod, SIGTERM);
    } else if (!json_flag(said, "ready", false)) {
        tell_failed(pod, "the worker could not start", said);
    } else {
        loop_timer_clear(pod->provider->loop, &pod->deadline);
        pod->told = true;
        pod->events.ready(pod->events.arg, said);
    }
}

static void on_notify(void *arg, uint32_t events)
{
    struct process_pod *pod = arg;
    (void)events;
    for (;;) {
        if (buf_size(&pod->line) > NOTIFY_BYTES_MAX || buf_reserve(&pod->line, 65536) < 0) {
            close_watch(pod, &pod->notify);
            tell_failed(pod, "the worker's first message is too long", NULL);
            process_signal_group(pod, SIGTERM);
            return;
        }
        ssize_t got = read(pod->notify.fd, pod->line.data + pod->line.end, 65536);
        if (got < 0) {
            return;
        }
        if (got == 0) {
            break;
        }
        pod->line.end += (size_t)got;
    }
    close_watch(pod, &pod->notify);
    on_line(pod);
    buf_done(&pod->line);
}

int process_pod_watch(struct process_pod *pod, const struct pod_events *events)
{
    pod->events = *events;
    pod->exit.fn = on_exit_event;
    pod->exit.arg = pod;
    pod->notify.fn = on_notify;
    pod->notify.arg = pod;
    int failed = loop_watch(pod->provider->loop, &pod->exit, EPOLLIN);
    if (!failed && pod->notify.fd >= 0) {
        failed = loop_watch(pod->provider->loop, &pod->notify, EPOLLIN);
    }
    return failed;
}

static struct pod *process_start(struct provider *base, const struct pod_spec *spec,
                                 const struct pod_events *events, struct err *err)
{
    struct process_provider *provider = (struct process_provider *)base;
    struct process_pod *pod = process_pod_new(provider, spec->name, spec->log_name);
    if (process_spawn(pod, spec, err) < 0) {
        (void)unlink(pod->spec_path);
        return process_pod_free(&pod->base);
    }
    int failed = process_pod_watch(pod, events);
    if (failed) {
        (void)err_errno(err, -failed, "cannot watch the worker '%s'", spec->name);
        process_signal_group(pod, SIGKILL);
        (void)waitpid(pod->base.pid, NULL, 0);
        (void)unlink(pod->spec_path);
        return process_pod_free(&pod->base);
    }
    loop_timer_set(provider->loop, &pod->deadline,
                   clock_now_ms() + provider->settings.start_timeout_ms);
    return &pod->base;
}

static void process_stop(struct pod *base, uint64_t grace_ms)
{
    struct process_pod *pod = (struct process_pod *)base;
    if (pod->base.pid == 0) {
        return;
    }
    pod->stopping = true;
    process_signal_group(pod, grace_ms > 0 ? SIGTERM : SIGKILL);
    loop_timer_set(pod->provider->loop, &pod->deadline, clock_now_ms() + grace_ms);
}

static int process_measure(struct pod *pod, struct pod_memory *ret_memory)
{
    process_bound_log(((struct process_pod *)pod)->log_path);
    return pod->pid > 0 ? proc_memory(pod->pid, ret_memory) : -ESRCH;
}

static struct provider *process_free(struct provider *provider)
{
    free(provider);
    return NULL;
}

static const struct provider_ops process_ops = {
    .name = "process",
    .start = process_start,
    .adopt = process_adopt,
    .stop = process_stop,
    .measure = process_measure,
    .free_pod = process_pod_free,
    .free = process_free,
};

struct provider *process_provider_new(struct loop *loop, const struct process_settings *settings)
{
    struct process_provider *provider = xcalloc(1, sizeof(*provider));
    provider->base.ops = &process_ops;
    provider->loop = loop;
    provider->settings = *settings;
    return &provider->base;
}

char *process_find_python(const char *given)
{
    const char *environment = getenv("VIRTUAL_ENV");
    if (given && *given) {
        return xstrdup(given);
    }
    if (environment && *environment) {
        return xasprintf("%s/bin/python3", environment);
    }
    return xstrdup("python3");
}

void process_bound_log(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0 || status.st_size <= PROCESS_LOG_BYTES_MAX) {
        return;
    }
    CLEANUP(str_free) char *old_path = xasprintf("%s.1", path);
    CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    CLEANUP_FD int old = open(old_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return;
    }
    /* The writers append to the open file, so it is emptied, not replaced. */
    off_t offset = status.st_size - PROCESS_LOG_BYTES_MAX / 2;
    if (old >= 0) {
        (void)copy_file_range(fd, &offset, old, NULL, PROCESS_LOG_BYTES_MAX / 2, 0);
    }
    (void)!ftruncate(fd, 0);
}
