/* Pods of an earlier daemon: found by their spec files in the run folder, asked over their sockets,
 * and taken over or ended. */
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
#include "base/utf8.h"
#include "http/blocking.h"
#include "provider/process/process_priv.h"

#define ADOPT_TIMEOUT_MS 2000 /* a worker that cannot say how it is in this time is replaced */

static struct json_object *read_json(const char *path)
{
    struct json_object *object = json_object_from_file(path);
    return object && json_object_is_type(object, json_type_object) ? object : json_put(object);
}

static struct json_object *ask_status(const struct sockaddr_un *address)
{
    struct json_object *info = NULL;
    struct http_reply reply = {0};
    struct http_blocking *client =
        http_blocking_new((const struct sockaddr *)address, sizeof(*address));
    struct http_send send = {.head = SLICE("GET /jsorc/status HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                             .timeout_ms = ADOPT_TIMEOUT_MS,
                             .connect_timeout_ms = ADOPT_TIMEOUT_MS,
                             .reply_bytes_max = NOTIFY_BYTES_MAX};
    if (http_blocking_call(client, &send, &reply, NULL) == HTTP_REPLIED && reply.status == 200) {
        (void)json_parse_object(reply.body, &info, NULL);
    }
    http_blocking_free(client);
    return info;
}

/* Who listens there, also when it hangs; 0 = nobody. */
static pid_t listener_pid(const struct sockaddr_un *address)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        return 0;
    }
    return peer.pid;
}

/* name.json in the run folder belongs to a worker of an earlier daemon. */
static void adopt_one(struct process_provider *provider, const char *name, pod_adopt_fn fn,
                      void *arg)
{
    CLEANUP(str_free)
    char *spec_path = xasprintf("%s/%s.json", provider->settings.run_folder, name);
    CLEANUP(str_free)
    char *socket_path = xasprintf("%s/%s.sock", provider->settings.run_folder, name);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    CLEANUP(json_put) struct json_object *spec = read_json(spec_path);
    pid_t pid = listener_pid(&address);
    CLEANUP(json_put) struct json_object *info = pid && spec ? ask_status(&address) : NULL;
    if (pid <= 1) {
        /* It may have been starting: whoever waited for its ready line is gone. */
        pid_t starting = proc_find("--spec", spec_path);
        if (starting > 1) { /* no more than asked: it may also be finishing its last calls */
            (void)kill(starting, SIGTERM);
        }
        (void)unlink(spec_path); /* nobody listens: the socket's file is dead */
        (void)unlink(socket_path);
        return;
    }
    const char *dash = strrchr(name, '-');
    CLEANUP(str_free) char *log_name = xstrndup(name, dash ? (size_t)(dash - name) : strlen(name));
    struct process_pod *pod = process_pod_new(provider, name, log_name);
    pod->base.pid = pid;
    pod->start_time = proc_start_time(pid);
    pod->told = true;
    pod->exit.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    const struct pod_events *events =
        pod->exit.fd >= 0 && info ? fn(arg, &pod->base, spec, info) : NULL;
    if (!events || process_pod_watch(pod, events) < 0) {
        process_signal_group(pod, info ? SIGTERM : SIGKILL);
        (void)process_pod_free(&pod->base);
    }
}

void process_adopt(struct provider *base, pod_adopt_fn fn, void *arg)
{
    struct process_provider *provider = (struct process_provider *)base;
    DIR *folder = opendir(provider->settings.run_folder);
    if (!folder) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        size_t size = strlen(entry->d_name);
        if (size > 5 && strcmp(entry->d_name + size - 5, ".json") == 0) {
            CLEANUP(str_free) char *name = xstrndup(entry->d_name, size - 5);
            adopt_one(provider, name, fn, arg);
        }
    }
    (void)closedir(folder);
}
