/* Shared by tunnel.c (its life, and bytes both ways) and tunnel_open.c (upgrade and knock). */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/random.h"
#include "http/message.h"
#include "loop/loop.h"
#include "provider/kubernetes/tunnel.h"
#include "provider/kubernetes/ws.h"

/* Keeps what lies between from forgetting a connection without calls. */
#define TUNNEL_PING_MS 20000

enum channel { CHANNEL_DATA, CHANNEL_ERROR, CHANNELS };

struct tunnel {
    struct loop *loop; /* borrowed */
    struct kube_link *link;
    struct loop_watch far;  /* the API server */
    struct loop_watch near; /* the Unix socket; its descriptor is owned */
    enum { TUNNEL_DIALING, TUNNEL_UPGRADING, TUNNEL_KNOCKING, TUNNEL_OPEN } state;
    char *path, *host;
    char key[WS_KEY_SIZE];
    uint64_t random;
    struct http_message *answer; /* to the upgrade, then to the knock; NULL once it is open */
    struct buf in;               /* from the API server, not yet understood */
    struct buf knock;            /* the pod's answer to the knock */
    struct buf to_far, to_near;  /* that the socket has not taken */
    struct ws_reader reader;
    unsigned port_bytes[CHANNELS]; /* seen of them */
    bool near_gone;
    struct err err;
    struct loop_timer limit; /* of the opening, then between pings */
    struct loop_timer again; /* more is there to be moved */
    tunnel_ended_fn ended;
    void *arg;
};

/* Of the next frame. */
static inline uint32_t tunnel_mask(struct tunnel *tunnel)
{
    return (uint32_t)random_bits(&tunnel->random);
}

/* tunnel_open.c */
/* Asks the API server for it; the tunnel is UPGRADING. */
void tunnel_upgrade(struct tunnel *tunnel);
/* The API server's answer to that has come: knocks at the pod. 0 or -errno with tunnel->err. */
int tunnel_take_answer(struct tunnel *tunnel);
/* What the pod answers to the knock: OPEN when it is whole. 0 or -errno with tunnel->err. */
int tunnel_take_knock(struct tunnel *tunnel, struct slice data);
