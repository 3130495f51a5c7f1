#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/state.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/endpoint.h"
#include "cli/transport.h"
#include "cli/version.h"

#define HEALTH_TIMEOUT_MS 5000
#define DISK_LOW_MB       200 /* the database grows little; logs are bounded at 8 MiB a worker */

void doctor_program(struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[size > 0 ? size : 0] = '\0';
    bool gone = strstr(path, " (deleted)") != NULL;
    finding_set(finding, size > 0 && !gone ? DOCTOR_OK : DOCTOR_WARN,
                size > 0 ? (gone ? "it was replaced while it ran; run this again" : NULL)
                         : "mount /proc: workers are started by the program's own path",
                "jsorc %s at %s", JSORC_VERSION, size > 0 ? path : "an unknown path");
}

/* path, or the nearest folder above it that exists; owned by the caller. */
static char *existing_part(const char *path)
{
    char *part = xstrdup(path);
    while (access(part, F_OK) < 0) {
        char *slash = strrchr(part, '/');
        if (!slash) {
            free(part);
            return xstrdup(".");
        }
        slash[slash == part ? 1 : 0] = '\0';
    }
    return part;
}

void doctor_state(struct doctor *doctor, struct finding *finding)
{
    struct sockaddr_un address;
    struct stat info = {0};
    CLEANUP(str_free) char *socket_path = state_socket(doctor->state);
    CLEANUP(str_free) char *part = existing_part(doctor->state);
    bool exists = strcmp(part, doctor->state) == 0;
    static const char fix[] = "give another folder with --state DIR or JSORC_STATE";
    if (strlen(socket_path) >= sizeof(address.sun_path)) {
        finding_set(finding, DOCTOR_FAIL, fix, "'%s': its path is too long for a socket in it",
                    doctor->state);
    } else if (stat(part, &info) < 0 || !S_ISDIR(info.st_mode)) {
        finding_set(finding, DOCTOR_FAIL, fix, "'%s' is no folder", part);
    } else if (access(part, W_OK | X_OK) < 0) {
        finding_set(finding, DOCTOR_FAIL, fix, "'%s' cannot be written: %s", part, strerror(errno));
    } else if (exists && (info.st_mode & 022) != 0) {
        finding_set(finding, DOCTOR_FAIL, "chmod 700 it: who can write there controls the daemon",
                    "'%s' can be written by other users", doctor->state);
    } else {
        finding_set(finding, DOCTOR_OK, NULL, "%s%s", doctor->state,
                    exists ? "" : " (will be made)");
    }
}

void doctor_disk(struct doctor *doctor, struct finding *finding)
{
    struct statvfs disk = {0};
    CLEANUP(str_free) char *part = existing_part(doctor->state);
    if (statvfs(part, &disk) < 0) {
        finding_set(finding, DOCTOR_WARN, NULL, "the free space of '%s' is not known", part);
        return;
    }
    unsigned long long free_mb = (unsigned long long)disk.f_bavail * disk.f_frsize >> 20;
    bool low = free_mb < DISK_LOW_MB;
    finding_set(finding, low ? DOCTOR_WARN : DOCTOR_OK,
                low ? "make room, or give another folder with --state DIR" : NULL,
                "%llu MiB free for the state folder", free_mb);
}

/* What the daemon that commands speak to answers. Returns a cli_exit. */
static int ask_health(struct cli *cli, struct reply *ret_reply)
{
    struct request request = {
        .method = "GET", .path = "/js_public/health", .timeout_ms = HEALTH_TIMEOUT_MS};
    return cli_send_quietly(cli, &request, ret_reply);
}

void doctor_daemon(struct doctor *doctor, struct finding *finding)
{
    struct endpoint endpoint = {0};
    struct err err = {0};
    if (endpoint_find(doctor->cli->common, &doctor->cli->memory, &endpoint, &err) < 0) {
        finding_set(finding, DOCTOR_FAIL, "correct it, or run 'jsorc logout'", "%s", err.text);
        return;
    }
    struct reply reply = {0};
    int status = ask_health(doctor->cli, &reply);
    bool left_over = endpoint.socket && access(endpoint.socket, F_OK) == 0;
    if (status == CLI_OK && reply.status == 200) {
        finding_set(finding, DOCTOR_OK, NULL, "answers at %s in %.1f ms", endpoint.name,
                    reply.total_ms);
    } else if (status == CLI_OK) {
        finding_set(finding, DOCTOR_FAIL, "see its log", "answers at %s with status %d",
                    endpoint.name, reply.status);
    } else if (endpoint.socket && status == CLI_UNREACHABLE) {
        finding_set(finding, DOCTOR_WARN, "start it with 'jsorc serve'", "does not run%s%s",
                    left_over ? "; it left its socket behind at " : " at ", endpoint.name);
    } else {
        finding_set(finding, DOCTOR_FAIL,
                    endpoint.socket ? "its log says why; restart it"
                                    : "check the address, or run 'jsorc logout'",
                    "gives no answer at %s", endpoint.name);
    }
    reply_done(&reply);
    endpoint_done(&endpoint);
}

/* The first address that `jsorc serve` listens on without being told: the setting's own default. */
static int default_port(char *host, size_t host_size)
{
    struct param rows[SERVE_PARAMS_MAX];
    size_t count = serve_params(rows, SERVE_PARAMS_MAX, true);
    for (size_t i = 0; i < count; i++) {
        CLEANUP(json_put) struct json_object *list = NULL;
        if (strcmp(rows[i].name, "listen") != 0 ||
            json_parse(slice_str(rows[i].fallback), &list, NULL) < 0) {
            continue;
        }
        const char *address = json_object_get_string(json_object_array_get_idx(list, 0));
        const char *colon = address ? strrchr(address, ':') : NULL;
        if (colon) {
            (void)snprintf(host, host_size, "%.*s", (int)(colon - address), address);
            return (int)strtol(colon + 1, NULL, 10);
        }
    }
    return 0;
}

/* 0, or the errno of listening there. */
static int try_listen(const char *host, int port)
{
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        return fd < 0 ? errno : EINVAL;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
}

void doctor_port(struct doctor *doctor, struct finding *finding)
{
    char host[64] = "127.0.0.1";
    int port = default_port(host, sizeof(host));
    struct reply reply = {0};
    bool runs = ask_health(doctor->cli, &reply) == CLI_OK;
    reply_done(&reply);
    int failed = try_listen(host, port);
    if (!failed) {
        finding_set(finding, DOCTOR_OK, NULL, "%s:%d is free", host, port);
    } else if (runs && failed == EADDRINUSE) {
        finding_set(finding, DOCTOR_OK, NULL, "%s:%d is taken, and the daemon runs", host, port);
    } else {
        finding_set(finding, DOCTOR_WARN, "give another with 'jsorc serve --listen HOST:PORT'",
                    "%s:%d cannot be used: %s", host, port, strerror(failed));
    }
}
