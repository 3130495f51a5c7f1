#include "daemon/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/listen.h"
#include "daemon/paths.h"

#define STABLE_MS         10000 /* a daemon that ran so long is started again at once */
#define BACKOFF_MS_MIN    100
#define BACKOFF_MS_MAX    5000
#define STOP_EXTRA_MS     5000 /* beyond the daemon's own three phases of grace */
#define ORPHAN_ROUNDS_MAX 4096 /* one ends in each: more than there can be workers */

#define OWN_TEXTS 4 /* variables for the daemon */

struct supervisor {
    const struct supervisor_options *options;
    char **environment;         /* prepared: nothing is allocated once the daemon runs */
    char *own_texts[OWN_TEXTS]; /* of them, what is ours to free */
    char *restart_text;         /* the last one: it says which start this is */
    pid_t daemon;
    uint64_t started_ms;
    uint64_t backoff_ms;
    uint64_t kill_ms; /* while ending; 0 = not ending */
    bool first;       /* no daemon was up yet */
    sigset_t signals;
};

int supervisor_lock(const struct paths *paths, int *ret_fd, struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/lock", paths->state);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno(err, errno, "cannot open '%s'", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        char pid[32] = "";
        (void)!read(fd, pid, sizeof(pid) - 1);
        (void)fd_close(fd);
        pid[strcspn(pid, "\n")] = '\0';
        if (kill((pid_t)strtol(pid, NULL, 10), 0) < 0 && errno == ESRCH) {
            return err_set(err, EBUSY,
                           "the daemon of a jsorc that was killed (pid %s) still ends its calls in "
                           "the state folder '%s'; try again in a few seconds",
                           pid, paths->state);
        }
        return err_set(err, EBUSY,
                       "another jsorc (pid %s) uses the state folder '%s'; stop it, or "
                       "choose another --state",
                       pid, paths->state);
    }
    char text[32];
    int size = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    (void)!ftruncate(fd, 0);
    (void)!pwrite(fd, text, (size_t)size, 0);
    *ret_fd = fd;
    return 0;
}

static void prepare_environment(struct supervisor *supervisor, int lifeline_fd)
{
    size_t count = 0;
    while (environ[count]) {
        count++;
    }
    CLEANUP(str_free) char *listen = listeners_describe(supervisor->options->listeners);
    supervisor->environment = xcalloc(count + OWN_TEXTS + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        supervisor->environment[i] = environ[i];
    }
    supervisor->own_texts[0] = xasprintf("%s=%s", ENV_LISTEN, listen);
    supervisor->own_texts[1] = xasprintf("%s=%d", ENV_LIFELINE, lifeline_fd);
    supervisor->own_texts[2] = xasprintf("%s=%d", ENV_LOCK, supervisor->options->lock_fd);
    supervisor->own_texts[3] = supervisor->restart_text = xasprintf("%s=0", ENV_RESTART);
    for (size_t i = 0; i < OWN_TEXTS; i++) {
        supervisor->environment[count++] = supervisor->own_texts[i];
    }
}

static void free_environment(struct supervisor *supervisor)
{
    for (size_t i = 0; i < OWN_TEXTS; i++) {
        free(supervisor->own_texts[i]);
    }
    free(supervisor->environment);
}

static int spawn_daemon(struct supervisor *supervisor)
{
    posix_spawnattr_t attributes;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int failed = posix_spawn(&supervisor->daemon, "/proc/self/exe", NULL, &attributes,
                             supervisor->options->argv, supervisor->environment);
    (void)posix_spawnattr_destroy(&attributes);
    supervisor->started_ms = clock_now_ms();
    supervisor->restart_text[strlen(supervisor->restart_text) - 1] = '1'; /* from now on */
    return failed;
}

/* Reaps whatever ended; true when the daemon was among it, with its status. */
static bool reap(const struct supervisor *supervisor, int *ret_status)
{
    bool daemon_ended = false;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == supervisor->daemon) {
            daemon_ended = true;
            *ret_status = status;
        }
    }
    return daemon_ended;
}

static void begin_end(struct supervisor *supervisor)
{
    uint64_t now_ms = clock_now_ms();
    bool again = supervisor->kill_ms > 0;
    /* Ours first: when the daemon has closed its own, nobody is let in who would not be served. */
    listeners_refuse(supervisor->options->listeners);
    (void)kill(supervisor->daemon, again ? SIGKILL : SIGTERM);
    supervisor->kill_ms =
        now_ms + (uint64_t)(supervisor->options->stop_grace_s * 3000) + STOP_EXTRA_MS;
}

/* Waits for a signal until due_ms (0 = for ever); its number, or 0 when the time is over. */
static int wait_signal(const struct supervisor *supervisor, uint64_t due_ms)
{
    uint64_t now_ms = clock_now_ms();
    if (due_ms == 0) {
        return sigwaitinfo(&supervisor->signals, NULL);
    }
    if (due_ms <= now_ms) {
        return 0;
    }
    struct timespec wait = {.tv_sec = (time_t)((due_ms - now_ms) / 1000),
                            .tv_nsec = (long)((due_ms - now_ms) % 1000 * 1000000)};
    int number = sigtimedwait(&supervisor->signals, NULL, &wait);
    return number > 0 ? number : 0;
}

/* The daemon ended by itself: after a pause, if it did not run for long, another one follows. */
static int restart(struct supervisor *supervisor, int status)
{
    uint64_t ran_ms = clock_now_ms() - supervisor->started_ms;
    bool stable = ran_ms > STABLE_MS;
    log_warn("daemon ended and is started again", "status=%d signal=%d ran_ms=%llu",
             WIFEXITED(status) ? WEXITSTATUS(status) : -1,
             WIFSIGNALED(status) ? WTERMSIG(status) : 0, (unsigned long long)ran_ms);
    uint64_t due_ms = clock_now_ms() + supervisor->backoff_ms;
    supervisor->backoff_ms = stable                        ? 0
                             : supervisor->backoff_ms == 0 ? BACKOFF_MS_MIN
                             : 2 * supervisor->backoff_ms > BACKOFF_MS_MAX
                                 ? BACKOFF_MS_MAX
                                 : 2 * supervisor->backoff_ms;
    for (int number = 1; number != 0 && due_ms > clock_now_ms();) {
        number = wait_signal(supervisor, due_ms);
        if (number == SIGTERM || number == SIGINT) {
            return -EINTR;
        }
        int ignored;
        (void)reap(supervisor, &ignored);
    }
    return spawn_daemon(supervisor);
}

static int watch(struct supervisor *supervisor)
{
    for (;;) {
        int number = wait_signal(supervisor, supervisor->kill_ms);
        int status = 0;
        if (number == SIGTERM || number == SIGINT) {
            begin_end(supervisor);
        } else if (number == SIGHUP) {
            (void)kill(supervisor->daemon, SIGHUP);
        } else if (number == 0 && supervisor->kill_ms > 0) {
            (void)kill(supervisor->daemon, SIGKILL);
            supervisor->kill_ms = clock_now_ms() + STOP_EXTRA_MS;
        }
        if (!reap(supervisor, &status)) {
            continue;
        }
        bool exited = WIFEXITED(status);
        if (supervisor->kill_ms > 0 || (exited && WEXITSTATUS(status) == 0)) {
            return exited ? WEXITSTATUS(status) : 1;
        }
        if (supervisor->first && exited && clock_now_ms() - supervisor->started_ms < STABLE_MS) {
            return WEXITSTATUS(status); /* it said why it cannot start */
        }
        supervisor->first = false;
        int failed = restart(supervisor, status);
        if (failed) {
            log_error("daemon cannot be started", "error=\"%s\"", strerror(abs(failed)));
            return 1;
        }
    }
}

/* What the daemon left behind when it had to be killed, or a worker that would not end. They are
 * our children since their parent is gone. */
static void kill_orphans(void)
{
    char path[64], text[4096];
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    for (int round = 0; round < ORPHAN_ROUNDS_MAX; round++) {
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
        if (size <= 0) {
            return;
        }
        text[size] = '\0';
        char *at = text;
        for (long pid; (pid = strtol(at, &at, 10)) > 1;) {
            (void)kill(-(pid_t)pid, SIGKILL);
            (void)kill((pid_t)pid, SIGKILL);
        }
        (void)waitpid(-1, NULL, 0); /* it may leave children of its own to us */
    }
}

int supervisor_run(const struct supervisor_options *options)
{
    struct supervisor supervisor = {.options = options, .first = true};
    int lifeline[2];
    if (pipe2(lifeline, O_CLOEXEC) < 0) {
        log_error("cannot make a pipe", "error=\"%s\"", strerror(errno));
        return 1;
    }
    (void)fcntl(lifeline[0], F_SETFD, 0); /* the daemon inherits the read end only */
    (void)fcntl(options->lock_fd, F_SETFD, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)sigemptyset(&supervisor.signals);
    static const int numbers[] = {SIGTERM, SIGINT, SIGCHLD, SIGHUP};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)sigaddset(&supervisor.signals, numbers[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &supervisor.signals, NULL);
    prepare_environment(&supervisor, lifeline[0]);
    int failed = spawn_daemon(&supervisor);
    if (failed) {
        log_error("daemon cannot be started", "error=\"%s\"", strerror(failed));
    }
    int status = failed ? 1 : watch(&supervisor);
    kill_orphans();
    free_environment(&supervisor);
    return status;
}
