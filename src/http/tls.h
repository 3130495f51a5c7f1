/* TLS over a non-blocking socket: OpenSSL with our defaults (1.2 and later, forward secrecy, ALPN
 * http/1.1, no renegotiation). Used by the server's and the client's connections, which own the
 * sessions and the sockets.
 *
 * A session is used by one thread at a time: a reader and a writer must not be in it together. It
 * can hold decrypted bytes that epoll does not know of, so read until -EAGAIN after each event. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct err;
struct tls_client;
struct tls_server;
struct tls_session;

/* What a listening socket needs: the certificate chain and its private key, both PEM. NULL with err
 * set to -ENOENT/-EACCES (file) or -EINVAL (no such PEM, or the key is of another certificate). */
struct tls_server *tls_server_new(const char *cert_file, const char *key_file, struct err *err);

/* Sessions made from it stay valid. NULL allowed; returns NULL. */
struct tls_server *tls_server_free(struct tls_server *server);
DEFINE_CLEANUP(struct tls_server *, tls_server_free)

/* Verifies servers against ca_file (PEM), or against the system's authorities when NULL. */
struct tls_client *tls_client_new(const char *ca_file, struct err *err);
struct tls_client *tls_client_free(struct tls_client *client);
DEFINE_CLEANUP(struct tls_client *, tls_client_free)

/* A session on an accepted socket; fd stays the caller's and must outlive it. NULL = no memory. */
struct tls_session *tls_session_accept(struct tls_server *server, int fd);

/* A session on a connecting socket. The server's certificate must be for server_name, a host name
 * (then also sent as SNI) or a numeric address. NULL = no memory or a name that cannot be one. */
struct tls_session *tls_session_connect(struct tls_client *client, int fd, const char *server_name);

/* Frees without a word to the peer; NULL allowed; returns NULL. */
struct tls_session *tls_session_free(struct tls_session *session);
DEFINE_CLEANUP(struct tls_session *, tls_session_free)

/* 0 when done, -EAGAIN = call again when the socket is ready (tls_session_wants_write), else
 * -EACCES (certificate refused), -EPROTO (peer speaks no TLS that we accept), -ECONNRESET (closed)
 * or another -errno of the socket; the session is then only good for tls_session_free. */
int tls_session_handshake(struct tls_session *session, struct err *err);

/* Bytes read, 0 = closed by the peer in the proper way, -EAGAIN, -ECONNRESET (closed without the
 * TLS farewell: the last message may be cut), -EPROTO or another -errno. size > 0. */
ssize_t tls_session_read(struct tls_session *session, void *data, size_t size);

/* Bytes taken (may be fewer than size), -EAGAIN, or as tls_session_read. After -EAGAIN the bytes
 * offered next must begin with the same ones; their address may differ. size > 0. */
ssize_t tls_session_write(struct tls_session *session, const void *data, size_t size);

/* After -EAGAIN: wait for the socket to be writable rather than readable. */
bool tls_session_wants_write(const struct tls_session *session);

/* Tells the peer that nothing follows; best effort, does not wait for its answer. */
void tls_session_close_notify(struct tls_session *session);
