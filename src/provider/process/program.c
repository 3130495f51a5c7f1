#include "provider/process/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/utf8.h"
#include "provider/process/process_priv.h"

#define KILL_REPEAT_MS 1000 /* a process in the kernel's hands ends when that lets go */

struct program {
    struct loop *loop; /* borrowed */
    pid_t pid;
    struct loop_watch exit; /* pidfd; owned */
    struct loop_timer deadline;
    program_exit_fn fn;
    void *arg;
    bool child; /* ours to reap; an adopted one is the supervisor's */
    bool stopping;
    int stop_signal;
};

static void signal_group(const struct program *program, int number)
{
    /* The pid is still that process: its pidfd says so until we have seen it end. */
    if (kill(-program->pid, number) < 0) {
        (void)kill(program->pid, number);
    }
}

static void on_deadline(void *arg)
{
    struct program *program = arg;
    signal_group(program, SIGKILL);
    loop_timer_set(program->loop, &program->deadline, loop_now_ms(program->loop) + KILL_REPEAT_MS);
}

static void on_exit_event(void *arg, uint32_t events)
{
    struct program *program = arg;
    char how[PROCESS_HOW_BYTES];
    (void)events;
    int fd = program->exit.fd;
    if (program->child) { /* what it left in its group; unreaped, the pid is its own */
        (void)kill(-program->pid, SIGKILL);
    }
    process_how_it_ended(program->pid, program->child, program->stopping, how, sizeof(how));
    loop_timer_clear(program->loop, &program->deadline);
    loop_unwatch(program->loop, &program->exit);
    (void)fd_close(fd);
    program->fn(program->arg, how, program->stopping);
}

static struct program *watch(struct loop *loop, pid_t pid, const struct program_spec *spec,
                             program_exit_fn fn, void *arg)
{
    siginfo_t info; /* WNOWAIT: is it a child, and not the supervisor's? */
    bool child = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    struct program *program = xcalloc(1, sizeof(*program));
    *program = (struct program){
        .loop = loop,
        .pid = pid,
        .exit = {(int)syscall(SYS_pidfd_open, pid, 0), on_exit_event, program},
        .deadline = {.fn = on_deadline, .arg = program},
        .fn = fn,
        .arg = arg,
        .child = child,
        .stop_signal = spec->stop_signal ? spec->stop_signal : SIGTERM,
    };
    if (program->exit.fd < 0 || loop_watch(loop, &program->exit, EPOLLIN) < 0) {
        (void)fd_close(program->exit.fd);
        free(program);
        return NULL;
    }
    return program;
}

int program_spawn(const struct program_spec *spec, pid_t *ret_pid, struct err *err)
{
    process_bound_log(spec->log_path);
    CLEANUP_FD int log = open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        return err_errno(err, errno, "cannot open '%s'", spec->log_path);
    }
    const struct child_fd fds[] = {{log, STDOUT_FILENO}, {log, STDERR_FILENO}};
    int failed = child_spawn(spec->args, NULL, fds, 2, ret_pid);
    return failed ? err_errno(err, -failed, "cannot start '%s'", spec->args[0]) : 0;
}

int program_start(struct loop *loop, const struct program_spec *spec, program_exit_fn fn, void *arg,
                  struct program **ret, struct err *err)
{
    pid_t pid = 0;
    int failed = program_spawn(spec, &pid, err);
    if (failed) {
        return failed;
    }
    *ret = watch(loop, pid, spec, fn, arg);
    if (!*ret) {
        (void)kill(-pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return err_set(err, EMFILE, "cannot watch '%s'", spec->args[0]);
    }
    return 0;
}

pid_t program_find(const struct program_spec *spec)
{
    return proc_find(spec->mark, spec->mark_path);
}

struct program *program_adopt(struct loop *loop, const struct program_spec *spec,
                              program_exit_fn fn, void *arg)
{
    pid_t pid = program_find(spec);
    return pid > 1 ? watch(loop, pid, spec, fn, arg) : NULL;
}

void program_stop(struct program *program, uint64_t grace_ms)
{
    program->stopping = true;
    signal_group(program, grace_ms > 0 ? program->stop_signal : SIGKILL);
    loop_timer_set(program->loop, &program->deadline,
                   clock_now_ms() + (grace_ms > 0 ? grace_ms : KILL_REPEAT_MS));
}

int program_pid(const struct program *program)
{
    return program->pid;
}

struct program *program_free(struct program *program)
{
    if (program) {
        int fd = program->exit.fd;
        loop_timer_clear(program->loop, &program->deadline);
        loop_unwatch(program->loop, &program->exit);
        (void)fd_close(fd);
        free(program);
    }
    return NULL;
}

#define LAST_WORDS_MAX 1200 /* bytes of a log's end that may explain why a process ended */
#define LAST_LINE_MAX  400  /* of them, in an error's text */

/* Begin of the line that ends before data[size]. */
static size_t line_start(const char *data, size_t size)
{
    const char *line = size > 0 ? memrchr(data, '\n', size) : NULL;
    return line ? (size_t)(line + 1 - data) : 0;
}

char *program_last_words(const char *log_path, const char *mark)
{
    char data[LAST_WORDS_MAX + 1];
    struct stat status;
    CLEANUP_FD int fd = open(log_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return xstrdup("");
    }
    off_t from = status.st_size > LAST_WORDS_MAX ? status.st_size - LAST_WORDS_MAX : 0;
    ssize_t got = pread(fd, data, LAST_WORDS_MAX, from);
    size_t size = got > 0 ? (size_t)got : 0;
    while (size > 0 && (data[size - 1] == '\n' || data[size - 1] == ' ')) {
        size--;
    }
    size_t start = line_start(data, size);
    for (size_t from_end = size, at = start; mark;
         from_end = at - 1, at = line_start(data, from_end)) {
        if (memmem(data + at, from_end - at, mark, strlen(mark))) {
            start = at;
            size = from_end;
            break;
        }
        if (at == 0) {
            break;
        }
    }
    start = size - start > LAST_LINE_MAX ? size - LAST_LINE_MAX : start;
    char *text = xstrndup(data + start, size - start);
    utf8_repair(text, size - start);
    return text;
}
