/* What all candidates share: the queue to the one thread that answers, and the program's arguments.
 * The thread's work is nothing, so that what is measured is the way there and back. */
#pragma once

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HANDOFF_MAX 4096 /* more than any number of connections that we load with */
#define ANSWER      "\"The quick brown fox jumps over it\""

typedef void (*handoff_fn)(void *job);

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    void *jobs[HANDOFF_MAX];
    unsigned first;
    unsigned count;
    handoff_fn answer;
} handoff = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static inline void handoff_push(void *job)
{
    pthread_mutex_lock(&handoff.mutex);
    if (handoff.count == HANDOFF_MAX) {
        abort();
    }
    handoff.jobs[(handoff.first + handoff.count++) % HANDOFF_MAX] = job;
    pthread_cond_signal(&handoff.cond);
    pthread_mutex_unlock(&handoff.mutex);
}

static inline void *handoff_run(void *unused)
{
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&handoff.mutex);
        while (handoff.count == 0) {
            pthread_cond_wait(&handoff.cond, &handoff.mutex);
        }
        void *job = handoff.jobs[handoff.first];
        handoff.first = (handoff.first + 1) % HANDOFF_MAX;
        handoff.count--;
        pthread_mutex_unlock(&handoff.mutex);
        handoff.answer(job);
    }
    return NULL;
}

static inline void handoff_start(handoff_fn answer)
{
    pthread_t thread;
    handoff.answer = answer;
    if (pthread_create(&thread, NULL, handoff_run, NULL) != 0) {
        abort();
    }
}

/* PORT fixed|handoff; returns whether handoff. */
static inline bool arguments(int argc, char **argv, unsigned short *port)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s PORT fixed|handoff\n", argv[0]);
        exit(2);
    }
    *port = (unsigned short)strtoul(argv[1], NULL, 10);
    return strcmp(argv[2], "handoff") == 0;
}

static inline struct sockaddr_in loopback(unsigned short port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int listen_loopback(unsigned short port)
{
    struct sockaddr_in address = loopback(port);
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 512) < 0) {
        perror("listen");
        exit(1);
    }
    return listener;
}
