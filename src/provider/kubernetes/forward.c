/* A port is made and closed by the control thread, and lives in the thread that carries: it comes
 * there and leaves by a posted task, in this order. It is freed once it is closed and its last
 * tunnel has ended. */
#include "provider/kubernetes/forward.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/tunnel.h"

#define BACKLOG    1024 /* connections that were not accepted yet: a burst of calls */
#define ACCEPT_MAX 32   /* in a row, before others have a turn */

struct forward {
    struct loop *loop;
    struct job_pool *jobs; /* exec plugins */
    struct kube *kube;
    char *folder;
    pthread_t thread;
    pthread_mutex_t lock; /* of ports, of each one's next and why */
    struct forward_port *ports;
    uint32_t count;  /* of ports ever made: names of sockets */
    uint64_t random; /* the thread's, as all below */
    unsigned tunnel_count;
};

struct forward_port {
    struct forward *forward; /* borrowed */
    struct forward_port *next;
    struct sockaddr_un address;
    char *pod, *host, *path;
    struct loop_watch listener; /* its descriptor is owned */
    struct loop_task begin, end;
    struct held *tunnels;
    bool closed;
    char why[FORWARD_WHY_MAX];
};

struct held { /* a tunnel of a port */
    struct held *next;
    struct forward_port *port;
    struct tunnel *tunnel;
};

/* ---- in the thread ---- */

static void port_free(struct forward_port *port)
{
    free(port->pod);
    free(port->host);
    free(port->path);
    free(port);
}

static void port_leave(struct forward_port *port)
{
    struct forward *forward = port->forward;
    (void)pthread_mutex_lock(&forward->lock);
    struct forward_port **at = &forward->ports;
    while (*at != port) {
        at = &(*at)->next;
    }
    *at = port->next;
    (void)pthread_mutex_unlock(&forward->lock);
    port_free(port);
}

static void stop_listening(struct forward_port *port)
{
    int fd = port->listener.fd;
    if (fd >= 0) {
        loop_unwatch(port->forward->loop, &port->listener);
        (void)close(fd);
        (void)unlink(port->address.sun_path);
    }
}

static void held_free(struct held *held)
{
    (void)tunnel_free(held->tunnel);
    free(held);
}

static void drop(struct held *held)
{
    struct held **at = &held->port->tunnels;
    while (*at != held) {
        at = &(*at)->next;
    }
    *at = held->next;
    held->port->forward->tunnel_count--;
    held_free(held);
}

static void set_why(struct forward_port *port, const char *why)
{
    (void)pthread_mutex_lock(&port->forward->lock);
    bool news = *why && strcmp(port->why, why) != 0;
    (void)snprintf(port->why, sizeof(port->why), "%s", why);
    (void)pthread_mutex_unlock(&port->forward->lock);
    if (news && !port->closed) {
        log_info("no way to a pod", "pod=%s error=\"%s\"", port->pod, why);
    }
}

static void on_ended(void *arg, struct tunnel *tunnel, const struct err *err)
{
    struct held *held = arg;
    struct forward_port *port = held->port;
    (void)tunnel;
    set_why(port, err ? err->text : "");
    drop(held);
    if (port->closed && !port->tunnels) {
        port_leave(port);
    }
}

static void carry(struct forward_port *port, int fd)
{
    struct forward *forward = port->forward;
    struct held *held = xcalloc(1, sizeof(*held));
    const struct tunnel_way way = {
        .path = port->path, .host = port->host, .random = random_bits(&forward->random)};
    *held = (struct held){.next = port->tunnels, .port = port};
    port->tunnels = held;
    forward->tunnel_count++;
    held->tunnel = tunnel_new(forward->loop, forward->kube, fd, &way, on_ended, held);
}

static void on_accept(void *arg, uint32_t events)
{
    struct forward_port *port = arg;
    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(port->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            return;
        }
        if (port->forward->tunnel_count < FORWARD_TUNNELS_MAX) {
            carry(port, fd);
        } else {
            (void)close(fd); /* unread: the call goes elsewhere, or comes again */
        }
    }
}

static void on_begin(void *arg)
{
    struct forward_port *port = arg;
    if (loop_watch(port->forward->loop, &port->listener, EPOLLIN) < 0) {
        set_why(port, "its socket cannot be watched");
    }
}

static void on_end(void *arg)
{
    struct forward_port *port = arg;
    port->closed = true;
    stop_listening(port);
    if (!port->tunnels) {
        port_leave(port);
    }
}

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

/* ---- of the control thread ---- */

static int clear_folder(const char *folder, struct err *err)
{
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        return err_errno(err, errno, "cannot make the folder '%s'", folder);
    }
    DIR *stream = opendir(folder);
    if (!stream) {
        return err_errno(err, errno, "cannot read the folder '%s'", folder);
    }
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        if (strstr(entry->d_name, ".sock")) {
            (void)unlinkat(dirfd(stream), entry->d_name, 0);
        }
    }
    (void)closedir(stream);
    return 0;
}

int forward_new(struct kube_config *config, const char *folder, struct forward **ret_forward,
                struct err *err)
{
    CLEANUP(kube_config_free) struct kube_config *taken = config;
    struct loop *loop = NULL;
    int failed = clear_folder(folder, err);
    if (failed || !(loop = loop_new(err))) {
        return failed ? failed : -EMFILE;
    }
    struct forward *forward = xcalloc(1, sizeof(*forward));
    *forward = (struct forward){.loop = loop,
                                .jobs = job_pool_new(1),
                                .folder = xstrdup(folder),
                                .lock = PTHREAD_MUTEX_INITIALIZER,
                                .random = random_seed()};
    forward->kube = kube_new(loop, forward->jobs, TAKE(taken), NULL);
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&forward->thread, NULL, run, loop);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        forward->thread = 0;
        (void)forward_free(forward);
        return err_errno(err, failed, "cannot start a thread");
    }
    *ret_forward = forward;
    return 0;
}

struct forward *forward_free(struct forward *forward)
{
    if (forward) {
        if (forward->thread) {
            loop_stop(forward->loop);
            (void)pthread_join(forward->thread, NULL);
        }
        forward->jobs = job_pool_free(forward->jobs);
        while (forward->ports) {
            struct forward_port *port = forward->ports;
            while (port->tunnels) {
                struct held *held = port->tunnels;
                port->tunnels = held->next;
                held_free(held);
            }
            forward->ports = port->next;
            stop_listening(port);
            port_free(port);
        }
        (void)kube_free(forward->kube);
        (void)loop_free(forward->loop);
        (void)pthread_mutex_destroy(&forward->lock);
        free(forward->folder);
        free(forward);
    }
    return NULL;
}

static int listen_at(const struct sockaddr_un *address, int *ret_fd, struct err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return err_errno(err, errno, "cannot make a socket");
    }
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
        listen(fd, BACKLOG) < 0) {
        int failed = err_errno(err, errno, "cannot listen at '%s'", address->sun_path);
        (void)close(fd);
        return failed;
    }
    *ret_fd = fd;
    return 0;
}

int forward_open(struct forward *forward, const struct forward_pod *pod,
                 struct forward_port **ret_port, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = -1;
    int size = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%u.sock", forward->folder,
                        ++forward->count);
    if ((size_t)size >= sizeof(address.sun_path)) {
        return err_set(err, ENAMETOOLONG, "the path of the folder '%s' is too long for sockets",
                       forward->folder);
    }
    int failed = listen_at(&address, &fd, err);
    if (failed) {
        return failed;
    }
    struct forward_port *port = xcalloc(1, sizeof(*port));
    *port = (struct forward_port){
        .forward = forward,
        .address = address,
        .pod = xstrdup(pod->name),
        .host = xstrdup(pod->host),
        .path = xasprintf("/api/v1/namespaces/%s/pods/%s/portforward?ports=%u",
                          kube_config_namespace(kube_configuration(forward->kube)), pod->name,
                          pod->port)};
    port->listener = (struct loop_watch){.fd = fd, .fn = on_accept, .arg = port};
    port->begin = (struct loop_task){.fn = on_begin, .arg = port};
    port->end = (struct loop_task){.fn = on_end, .arg = port};
    (void)pthread_mutex_lock(&forward->lock);
    port->next = forward->ports;
    forward->ports = port;
    (void)pthread_mutex_unlock(&forward->lock);
    loop_post(forward->loop, &port->begin);
    *ret_port = port;
    return 0;
}

struct forward_port *forward_close(struct forward_port *port)
{
    if (port) {
        loop_post(port->forward->loop, &port->end);
    }
    return NULL;
}

const struct sockaddr_un *forward_address(const struct forward_port *port)
{
    return &port->address;
}

void forward_why(struct forward_port *port, char *text)
{
    (void)pthread_mutex_lock(&port->forward->lock);
    (void)snprintf(text, FORWARD_WHY_MAX, "%s", port->why);
    (void)pthread_mutex_unlock(&port->forward->lock);
}
