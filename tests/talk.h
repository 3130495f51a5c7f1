/* For the programs that system tests drive by lines of JSON: a client of the Kubernetes API by the
 * first argument, and each line of standard input to a function. Ends with its input. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "provider/kubernetes/kube.h"

struct talk {
    struct loop *loop;
    struct job_pool *jobs;
    struct kube *kube;
    struct loop_watch input;
    struct buf bytes;
    void (*line)(struct talk *talk, struct json_object *line);
    void *arg; /* the program's own */
};

/* Prints a line; takes it. */
static inline void talk_say(struct json_object *line)
{
    puts(json_text(line));
    (void)fflush(stdout);
    (void)json_put(line);
}

static inline void talk_input(void *arg, uint32_t events)
{
    struct talk *talk = arg;
    (void)events;
    if (buf_reserve(&talk->bytes, 65536) < 0) {
        abort();
    }
    ssize_t got = read(talk->input.fd, talk->bytes.data + talk->bytes.end, 65536);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            loop_stop(talk->loop);
        }
        return;
    }
    talk->bytes.end += (size_t)got;
    for (;;) {
        struct slice all = buf_slice(&talk->bytes);
        const char *end = all.size ? memchr(all.data, '\n', all.size) : NULL;
        CLEANUP(json_put) struct json_object *line = NULL;
        struct err err = {0};
        if (!end) {
            return;
        }
        struct slice text = {all.data, (size_t)(end - all.data)};
        if (json_parse_object(text, &line, &err) < 0) {
            (void)fprintf(stderr, "talk: %s\n", err.text);
            abort();
        }
        talk->line(talk, line);
        buf_consume(&talk->bytes, text.size + 1);
    }
}

static inline struct kube *talk_connect(struct talk *talk, struct json_object *given)
{
    struct kube_config_options options = {
        .in_cluster = json_flag(given, "in_cluster", false),
        .kubeconfig = json_str(given, "kubeconfig"),
        .context = json_str(given, "context"),
        .namespace = json_str(given, "namespace"),
        .api_server = json_str(given, "api_server"),
        .token_file = json_str(given, "token_file"),
        .ca_file = json_str(given, "ca_file"),
        .insecure = json_flag(given, "insecure", false),
        .service_account_folder = json_str(given, "service_account_folder"),
    };
    struct kube_settings settings = {
        .try_timeout_ms = (uint64_t)json_int(given, "try_timeout_ms", 0),
        .silence_ms_max = (uint64_t)json_int(given, "silence_ms_max", 0),
        .backoff_ms_min = (uint64_t)json_int(given, "backoff_ms_min", 0),
        .backoff_ms_max = (uint64_t)json_int(given, "backoff_ms_max", 0),
        .tries_max = (unsigned)json_int(given, "tries_max", 0),
        .page_items = (unsigned)json_int(given, "page_items", 0),
        .seed = (uint64_t)json_int(given, "seed", 0),
    };
    struct kube_config *config = NULL;
    struct err err = {0};
    if (kube_config_load(&options, &config, &err) < 0) {
        (void)fprintf(stderr, "talk: %s\n", err.text);
        return NULL;
    }
    return kube_new(talk->loop, talk->jobs, config, &settings);
}

/* The configuration and the settings are the first argument, as JSON. False: it is of no use. */
static inline bool talk_begin(struct talk *talk, int argc, char **argv)
{
    CLEANUP(json_put) struct json_object *given = NULL;
    if (argc != 2 || json_parse_object(slice_str(argv[1]), &given, NULL) < 0) {
        (void)fprintf(stderr, "usage: %s JSON\n", argv[0]);
        return false;
    }
    talk->loop = loop_new(NULL);
    talk->jobs = job_pool_new(1);
    talk->kube = talk->loop ? talk_connect(talk, given) : NULL;
    talk->input = (struct loop_watch){.fd = STDIN_FILENO, .fn = talk_input, .arg = talk};
    return talk->kube && fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) == 0 &&
           loop_watch(talk->loop, &talk->input, EPOLLIN) == 0;
}

/* After loop_run. */
static inline void talk_end(struct talk *talk)
{
    (void)kube_free(talk->kube);
    (void)job_pool_free(talk->jobs);
    (void)loop_free(talk->loop);
    buf_done(&talk->bytes);
}
