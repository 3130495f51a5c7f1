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

static struct program *watch(struct loop *loop, pid_t pid, bool child, program_exit_fn fn,
                             void *arg)
{
    struct program *program = xcalloc(1, sizeof(*program));
    *program = (struct program){
        .loop = loop,
        .pid = pid,
        .exit = {(int)syscall(SYS_pidfd_open, pid, 0), on_exit_event, program},
        .deadline = {.fn = on_deadline, .arg = program},
        .fn = fn,
        .arg = arg,
        .child = child,
    };
    if (program->exit.fd < 0 || loop_watch(loop, &program->exit, EPOLLIN) < 0) {
        (void)fd_close(program->exit.fd);
        free(program);
        return NULL;
    }
    return program;
}

int program_start(struct loop *loop, const struct program_spec *spec, program_exit_fn fn, void *arg,
                  struct program **ret, struct err *err)
{
    process_bound_log(spec->log_path);
    CLEANUP_FD int log = open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        return err_errno(err, errno, "cannot open '%s'", spec->log_path);
    }
    pid_t pid = 0;
    const struct child_fd fds[] = {{log, STDOUT_FILENO}, {log, STDERR_FILENO}};
    int failed = child_spawn(spec->args, NULL, fds, 2, &pid);
    if (failed) {
        return err_errno(err, -failed, "cannot start '%s'", spec->args[0]);
    }
    *ret = watch(loop, pid, true, fn, arg);
    if (!*ret) {
        (void)kill(-pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return err_set(err, EMFILE, "cannot watch '%s'", spec->args[0]);
    }
    return 0;
}

struct program *program_adopt(struct loop *loop, const struct program_spec *spec,
                              program_exit_fn fn, void *arg)
{
    pid_t pid = proc_find(spec->mark, spec->mark_path);
    return pid > 1 ? watch(loop, pid, false, fn, arg) : NULL;
}

void program_stop(struct program *program, uint64_t grace_ms)
{
    program->stopping = true;
    signal_group(program, grace_ms > 0 ? SIGTERM : SIGKILL);
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

#define LAST_WORDS_MAX 400 /* bytes of a log's end that may explain why a process ended */

char *program_last_words(const char *log_path)
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
    const char *line = size > 0 ? memrchr(data, '\n', size) : NULL;
    size_t start = line ? (size_t)(line + 1 - data) : 0;
    char *text = xstrndup(data + start, size - start);
    utf8_repair(text, size - start);
    return text;
}
