#include "http/tls.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/err.h"

/* A server and a client are one thing to OpenSSL; two types keep callers from mixing them. */
struct tls_server {
    SSL_CTX *context; /* owned; its sessions hold it too */
};

struct tls_client {
    SSL_CTX *context; /* owned; its sessions hold it too */
};

struct tls_session {
    SSL *ssl; /* owned, with its BIO; NULL only while being built */
    int fd;   /* borrowed from the connection */
    bool wants_write;
    int io_errno; /* of the last failed recv or send: OpenSSL does not keep it */
};

/* For TLS 1.2: forward secrecy and authenticated encryption. TLS 1.3 has nothing else, so
 * OpenSSL's own list stands there. */
#define CIPHERS_TLS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"

static const unsigned char alpn_http[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/* ---- the socket as OpenSSL sees it; its own socket BIO would raise SIGPIPE ---- */

static int bio_read(BIO *bio, char *data, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    ssize_t got;
    BIO_clear_retry_flags(bio);
    do {
        got = recv(session->fd, data, (size_t)size, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        session->io_errno = errno;
        if (errno == EAGAIN) {
            BIO_set_retry_read(bio);
        }
    }
    return (int)got;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    ssize_t sent;
    BIO_clear_retry_flags(bio);
    do {
        sent = send(session->fd, data, (size_t)size, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        session->io_errno = errno;
        if (errno == EAGAIN || errno == ENOTCONN) { /* a connect that is under way */
            session->io_errno = EAGAIN;
            BIO_set_retry_write(bio);
        }
    }
    return (int)sent;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0; /* nothing is buffered on this side */
}

static BIO_METHOD *bio_method; /* one for the process, never freed */

static void bio_method_init(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "jsorc socket");
    if (!bio_method || !BIO_meth_set_read(bio_method, bio_read) ||
        !BIO_meth_set_write(bio_method, bio_write) || !BIO_meth_set_ctrl(bio_method, bio_control)) {
        abort(); /* no memory at start */
    }
}

/* ---- contexts ---- */

/* The oldest complaint of this thread, which is the cause; forgets the rest. */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    return reason ? reason : "no reason given";
}

static SSL_CTX *context_new(const SSL_METHOD *method)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, bio_method_init);

    SSL_CTX *context = SSL_CTX_new(method);
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(context, CIPHERS_TLS_1_2)) {
        abort(); /* no memory, or an OpenSSL without any good cipher */
    }
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

static int alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                       const unsigned char *offered, unsigned offered_size, void *arg)
{
    (void)ssl;
    (void)arg;
    unsigned char *chosen = NULL;
    int found = SSL_select_next_proto(&chosen, out_size, alpn_http, sizeof(alpn_http), offered,
                                      offered_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A key under a passphrase is refused: OpenSSL would ask on the terminal. */
static int passphrase_none(char *text, int size, int for_writing, void *arg)
{
    (void)text;
    (void)size;
    (void)for_writing;
    (void)arg;
    return -1;
}

static int file_check(const char *what, const char *path, struct err *err)
{
    return access(path, R_OK) < 0 ? err_errno(err, errno, "%s file '%s'", what, path) : 0;
}

static int server_load(SSL_CTX *context, const char *cert_file, const char *key_file,
                       struct err *err)
{
    int failed = file_check("certificate", cert_file, err);
    if (!failed) {
        failed = file_check("private key", key_file, err);
    }
    if (failed) {
        return failed;
    }
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1) {
        return err_set(err, EINVAL, "certificate file '%s' is no PEM certificate chain: %s",
                       cert_file, openssl_reason());
    }
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) {
        return err_set(err, EINVAL,
                       "private key file '%s' is no PEM key without passphrase that belongs to "
                       "'%s': %s",
                       key_file, cert_file, openssl_reason());
    }
    return 0;
}

struct tls_server *tls_server_new(const char *cert_file, const char *key_file, struct err *err)
{
    assert(cert_file);
    assert(key_file);

    CLEANUP(tls_server_free) struct tls_server *server = xcalloc(1, sizeof(*server));
    server->context = context_new(TLS_server_method());
    SSL_CTX_set_alpn_select_cb(server->context, alpn_select, NULL);
    SSL_CTX_set_default_passwd_cb(server->context, passphrase_none);
    if (server_load(server->context, cert_file, key_file, err) < 0) {
        return NULL;
    }
    return TAKE(server);
}

struct tls_server *tls_server_free(struct tls_server *server)
{
    if (server) {
        SSL_CTX_free(server->context);
        free(server);
    }
    return NULL;
}

struct tls_client *tls_client_new(const char *ca_file, struct err *err)
{
    if (ca_file && file_check("certificate authority", ca_file, err) < 0) {
        return NULL;
    }
    CLEANUP(tls_client_free) struct tls_client *client = xcalloc(1, sizeof(*client));
    client->context = context_new(TLS_client_method());
    SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_alpn_protos(client->context, alpn_http, sizeof(alpn_http)) != 0) {
        abort(); /* no memory */
    }
    ERR_clear_error();
    if (ca_file && SSL_CTX_load_verify_file(client->context, ca_file) != 1) {
        (void)err_set(err, EINVAL, "certificate authority file '%s' has no PEM certificate: %s",
                      ca_file, openssl_reason());
        return NULL;
    }
    if (!ca_file && SSL_CTX_set_default_verify_paths(client->context) != 1) {
        (void)err_set(err, EINVAL, "the system's certificate authorities: %s", openssl_reason());
        return NULL;
    }
    return TAKE(client);
}

struct tls_client *tls_client_free(struct tls_client *client)
{
    if (client) {
        SSL_CTX_free(client->context);
        free(client);
    }
    return NULL;
}

/* ---- sessions ---- */

static struct tls_session *session_new(SSL_CTX *context, int fd)
{
    CLEANUP(tls_session_free) struct tls_session *session = xcalloc(1, sizeof(*session));
    session->fd = fd;
    session->ssl = SSL_new(context);
    BIO *bio = session->ssl ? BIO_new(bio_method) : NULL;
    if (!bio) {
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio);
    return TAKE(session);
}

struct tls_session *tls_session_accept(struct tls_server *server, int fd)
{
    struct tls_session *session = session_new(server->context, fd);
    if (session) {
        SSL_set_accept_state(session->ssl);
    }
    return session;
}

/* Whose certificate must be shown: an address is looked for among the certificate's addresses, a
 * name among its names, and only a name may be told in SNI (RFC 6066). */
static bool session_expect(struct tls_session *session, const char *server_name)
{
    X509_VERIFY_PARAM *verify = SSL_get0_param(session->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(verify, server_name)) {
        return true;
    }
    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(verify, server_name, 0) &&
           SSL_set_tlsext_host_name(session->ssl, server_name);
}

struct tls_session *tls_session_connect(struct tls_client *client, int fd, const char *server_name)
{
    assert(server_name);

    CLEANUP(tls_session_free) struct tls_session *session = session_new(client->context, fd);
    /* An empty name would switch the check off. */
    if (!session || server_name[0] == '\0' || !session_expect(session, server_name)) {
        ERR_clear_error();
        return NULL;
    }
    SSL_set_connect_state(session->ssl);
    return TAKE(session);
}

struct tls_session *tls_session_free(struct tls_session *session)
{
    if (session) {
        SSL_free(session->ssl);
        free(session);
    }
    return NULL;
}

static int ssl_failure(const struct tls_session *session)
{
    unsigned long code = ERR_peek_error();
    if (SSL_get_verify_result(session->ssl) != X509_V_OK) {
        return -EACCES;
    }
    return ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? -ECONNRESET : -EPROTO;
}

/* What a result <= 0 of an SSL function means, in the terms of the header. */
static int session_result(struct tls_session *session, int result)
{
    session->wants_write = false;
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_WRITE:
        session->wants_write = true;
        return -EAGAIN;
    case SSL_ERROR_WANT_READ:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return session->io_errno ? -session->io_errno : -ECONNRESET;
    default:
        return ssl_failure(session);
    }
}

static void session_begin(struct tls_session *session)
{
    ERR_clear_error(); /* a left-over of this thread would be taken for ours */
    session->io_errno = 0;
}

static int handshake_error(struct tls_session *session, int failed, struct err *err)
{
    long verified = SSL_get_verify_result(session->ssl);
    if (failed == -EACCES) {
        ERR_clear_error();
        return err_set(err, EACCES, "TLS: the server's certificate is refused: %s",
                       X509_verify_cert_error_string(verified));
    }
    if (failed == -EPROTO) {
        return err_set(err, EPROTO, "TLS: the handshake failed: %s", openssl_reason());
    }
    ERR_clear_error();
    return err_errno(err, -failed, "TLS: the handshake broke off");
}

int tls_session_handshake(struct tls_session *session, struct err *err)
{
    session_begin(session);
    int result = SSL_do_handshake(session->ssl);
    if (result == 1) {
        return 0;
    }
    int failed = session_result(session, result);
    if (failed == -EAGAIN) {
        return failed;
    }
    return handshake_error(session, failed == 0 ? -ECONNRESET : failed, err);
}

ssize_t tls_session_read(struct tls_session *session, void *data, size_t size)
{
    assert(size > 0);

    size_t got = 0;
    session_begin(session);
    int result = SSL_read_ex(session->ssl, data, size, &got);
    return result == 1 ? (ssize_t)got : session_result(session, result);
}

ssize_t tls_session_write(struct tls_session *session, const void *data, size_t size)
{
    assert(size > 0);

    size_t put = 0;
    session_begin(session);
    int result = SSL_write_ex(session->ssl, data, size, &put);
    if (result == 1) {
        return (ssize_t)put;
    }
    int failed = session_result(session, result);
    return failed == 0 ? -ECONNRESET : failed; /* the peer's farewell came first */
}

bool tls_session_wants_write(const struct tls_session *session)
{
    return session->wants_write;
}

void tls_session_close_notify(struct tls_session *session)
{
    session_begin(session);
    if (!SSL_in_init(session->ssl)) { /* before that there is nobody to say it to */
        (void)SSL_shutdown(session->ssl);
    }
    ERR_clear_error();
}
