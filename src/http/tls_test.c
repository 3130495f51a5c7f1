#include "http/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/test.h"

#define TURNS_MAX 20 /* a handshake takes two or three */

static char folder[] = "/tmp/jsorc-tls-test-XXXXXX";
static char *cert_file, *key_file, *other_key_file, *locked_key_file, *text_file;

/* ---- a certificate of our own, made anew for each run ---- */

static void key_write(const char *path, EVP_PKEY *key, const EVP_CIPHER *cipher)
{
    FILE *file = fopen(path, "w");
    if (!file || !PEM_write_PrivateKey(file, key, cipher, NULL, 0, NULL, "secret")) {
        abort();
    }
    (void)fclose(file);
}

static X509 *cert_make(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    (void)X509_set_version(cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    (void)X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
                                     -1, 0);
    (void)X509_set_issuer_name(cert, name);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
    (void)X509_add_ext(cert, names, -1);
    (void)X509_add_ext(cert, ca, -1);
    X509_EXTENSION_free(names);
    X509_EXTENSION_free(ca);
    if (!X509_sign(cert, key, EVP_sha256())) {
        abort();
    }
    return cert;
}

static void files_make(void)
{
    if (cert_file) {
        return;
    }
    if (!mkdtemp(folder)) {
        abort();
    }
    cert_file = xasprintf("%s/cert.pem", folder);
    key_file = xasprintf("%s/key.pem", folder);
    other_key_file = xasprintf("%s/other.pem", folder);
    locked_key_file = xasprintf("%s/locked.pem", folder);
    text_file = xasprintf("%s/text", folder);

    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *other = EVP_EC_gen("P-256");
    X509 *cert = cert_make(key);
    FILE *file = fopen(cert_file, "w");
    if (!file || !PEM_write_X509(file, cert)) {
        abort();
    }
    (void)fclose(file);
    key_write(key_file, key, NULL);
    key_write(other_key_file, other, NULL);
    key_write(locked_key_file, key, EVP_aes_128_cbc());
    file = fopen(text_file, "w");
    (void)fputs("no PEM\n", file);
    (void)fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void files_remove(void)
{
    char *const paths[] = {cert_file, key_file, other_key_file, locked_key_file, text_file};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        (void)unlink(paths[i]);
        free(paths[i]);
    }
    EXPECT_INT(rmdir(folder), 0);
}

/* ---- two ends of a connection in one thread ---- */

struct pair {
    int fds[2]; /* server, client */
    struct tls_server *server;
    struct tls_client *client;
    struct tls_session *at_server;
    struct tls_session *at_client;
};

static void pair_open(struct pair *pair, const char *ca_file, const char *server_name)
{
    files_make();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fds) < 0) {
        abort();
    }
    struct err err = {0};
    pair->server = tls_server_new(cert_file, key_file, &err);
    pair->client = tls_client_new(ca_file, &err);
    EXPECT_STR(err.text, "");
    pair->at_server = tls_session_accept(pair->server, pair->fds[0]);
    pair->at_client = tls_session_connect(pair->client, pair->fds[1], server_name);
}

static void pair_close(struct pair *pair)
{
    tls_session_free(pair->at_server);
    tls_session_free(pair->at_client);
    tls_server_free(pair->server);
    tls_client_free(pair->client);
    fd_close(pair->fds[0]);
    fd_close(pair->fds[1]);
}

/* Lets both shake hands; the client's result, and its error in *ret_err. */
static int pair_shake(struct pair *pair, struct err *ret_err)
{
    int server = -EAGAIN;
    int client = -EAGAIN;
    for (int i = 0; i < TURNS_MAX && (server == -EAGAIN || client == -EAGAIN); i++) {
        if (client == -EAGAIN) {
            client = tls_session_handshake(pair->at_client, ret_err);
        }
        if (server == -EAGAIN) {
            server = tls_session_handshake(pair->at_server, NULL);
        }
        if (client != -EAGAIN && client != 0) {
            break;
        }
    }
    return client;
}

static void carries_bytes_both_ways_and_says_farewell(void)
{
    struct pair pair;
    struct err err = {0};
    char text[16] = {0};
    files_make(); /* the first test: only now cert_file has a value */
    pair_open(&pair, cert_file, "localhost");

    EXPECT_INT(pair_shake(&pair, &err), 0);
    EXPECT_INT(tls_session_read(pair.at_server, text, sizeof(text)), -EAGAIN);
    EXPECT(!tls_session_wants_write(pair.at_server));
    EXPECT_INT(tls_session_write(pair.at_client, "ping", 4), 4);
    EXPECT_INT(tls_session_read(pair.at_server, text, sizeof(text)), 4);
    EXPECT_STR(text, "ping");
    EXPECT_INT(tls_session_write(pair.at_server, "pong!", 5), 5);
    EXPECT_INT(tls_session_read(pair.at_client, text, sizeof(text)), 5);
    EXPECT_STR(text, "pong!");
    tls_session_close_notify(pair.at_server);
    EXPECT_INT(tls_session_read(pair.at_client, text, sizeof(text)), 0);
    pair_close(&pair);
}

static void sessions_outlive_what_they_were_made_from(void)
{
    struct pair pair;
    char text[4] = {0};
    pair_open(&pair, cert_file, "127.0.0.1");

    pair.server = tls_server_free(pair.server);
    pair.client = tls_client_free(pair.client);
    EXPECT_INT(pair_shake(&pair, NULL), 0);
    EXPECT_INT(tls_session_write(pair.at_client, "abc", 3), 3);
    EXPECT_INT(tls_session_read(pair.at_server, text, sizeof(text)), 3);
    pair_close(&pair);
}

static void holds_bytes_that_the_socket_no_longer_has(void)
{
    struct pair pair;
    char text[4] = {0};
    pair_open(&pair, cert_file, "localhost");

    EXPECT_INT(pair_shake(&pair, NULL), 0);
    EXPECT_INT(tls_session_write(pair.at_client, "abcdef", 6), 6);
    EXPECT_INT(tls_session_read(pair.at_server, text, 3), 3);
    EXPECT_INT(recv(pair.fds[0], text, 1, MSG_PEEK), -1);
    EXPECT_INT(tls_session_read(pair.at_server, text, 3), 3);
    EXPECT_INT(tls_session_read(pair.at_server, text, 3), -EAGAIN);
    pair_close(&pair);
}

static void writes_in_parts_to_a_peer_that_does_not_read(void)
{
    struct pair pair;
    static char sent[4 << 20], got[4 << 20];
    size_t put = 0, taken = 0;
    bool waited = false;
    pair_open(&pair, cert_file, "localhost");
    for (size_t i = 0; i < sizeof(sent); i++) {
        sent[i] = (char)(i * 7 + i / 251);
    }

    EXPECT_INT(pair_shake(&pair, NULL), 0);
    while (taken < sizeof(sent)) {
        ssize_t size = 1;
        while (put < sizeof(sent) && size > 0) {
            size = tls_session_write(pair.at_server, sent + put, sizeof(sent) - put);
            put += size > 0 ? (size_t)size : 0;
        }
        waited |= size == -EAGAIN && tls_session_wants_write(pair.at_server);
        do {
            size = tls_session_read(pair.at_client, got + taken, sizeof(got) - taken);
            taken += size > 0 ? (size_t)size : 0;
        } while (size > 0 && taken < sizeof(got));
        if (size < 0 && size != -EAGAIN) {
            EXPECT_INT(size, -EAGAIN);
            break;
        }
    }
    EXPECT(waited);
    EXPECT(memcmp(sent, got, sizeof(sent)) == 0);
    pair_close(&pair);
}

static void refuses_a_server_of_no_known_authority(void)
{
    struct pair pair;
    struct err err = {0};
    pair_open(&pair, NULL, "localhost");

    EXPECT_INT(pair_shake(&pair, &err), -EACCES);
    EXPECT(strstr(err.text, "TLS: the server's certificate is refused: self") != NULL);
    pair_close(&pair);
}

static void refuses_a_certificate_of_another_name(void)
{
    static const char *const names[] = {"example.org", "127.0.0.2", "localhost.example.org"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct pair pair;
        struct err err = {0};
        pair_open(&pair, cert_file, names[i]);
        EXPECT_INT(pair_shake(&pair, &err), -EACCES);
        EXPECT(strstr(err.text, "mismatch") != NULL);
        pair_close(&pair);
    }
}

static void makes_no_session_without_a_name(void)
{
    struct pair pair;
    pair_open(&pair, cert_file, "");
    EXPECT(pair.at_client == NULL);
    pair_close(&pair);
}

static void tells_a_cut_connection_from_a_closed_one(void)
{
    struct pair pair;
    char text[4];
    pair_open(&pair, cert_file, "localhost");

    EXPECT_INT(pair_shake(&pair, NULL), 0);
    pair.fds[1] = fd_close(pair.fds[1]);
    EXPECT_INT(tls_session_read(pair.at_server, text, sizeof(text)), -ECONNRESET);
    EXPECT_INT(tls_session_write(pair.at_server, "abc", 3), -EPIPE); /* and no SIGPIPE */
    pair_close(&pair);
}

static void refuses_bytes_that_are_no_tls(void)
{
    struct pair pair;
    struct err err = {0};
    pair_open(&pair, cert_file, "localhost");

    EXPECT_INT(send(pair.fds[1], "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    EXPECT_INT(tls_session_handshake(pair.at_server, &err), -EPROTO);
    EXPECT_STR(err.text, "TLS: the handshake failed: http request");
    pair_close(&pair);
}

/* What a peer with settings of its own gets to hear from our server. */
static int shake_with(SSL_CTX *context, struct err *err)
{
    struct pair pair;
    pair_open(&pair, cert_file, "localhost");
    SSL *ssl = SSL_new(context);
    (void)SSL_set_fd(ssl, pair.fds[1]);
    SSL_set_connect_state(ssl);
    int server = -EAGAIN;
    for (int i = 0; i < TURNS_MAX && server == -EAGAIN; i++) {
        (void)SSL_do_handshake(ssl);
        server = tls_session_handshake(pair.at_server, err);
    }
    SSL_free(ssl);
    pair_close(&pair);
    return server;
}

static void refuses_old_versions_and_other_protocols(void)
{
    struct err err = {0};
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    EXPECT_INT(shake_with(context, &err), 0);

    (void)SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x02h2", 3);
    EXPECT_INT(shake_with(context, &err), -EPROTO);
    (void)SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    EXPECT_INT(shake_with(context, &err), 0);

    SSL_CTX_set_security_level(context, 0);
    (void)SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    (void)SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    EXPECT_INT(shake_with(context, &err), -EPROTO);
    EXPECT_STR(err.text, "TLS: the handshake failed: unsupported protocol");
    SSL_CTX_free(context);
}

static void says_which_file_is_wrong(void)
{
    files_make();
    const struct {
        const char *cert, *key;
        int code;
        const char *text;
    } rows[] = {
        {"/nowhere/a.pem", key_file, ENOENT,
         "certificate file '/nowhere/a.pem': No such file or directory"},
        {cert_file, "/nowhere/b.pem", ENOENT,
         "private key file '/nowhere/b.pem': No such file or directory"},
        {text_file, key_file, EINVAL, "is no PEM certificate chain"},
        {cert_file, text_file, EINVAL, "is no PEM key without passphrase"},
        {cert_file, other_key_file, EINVAL, "key values mismatch"},
        {cert_file, locked_key_file, EINVAL, "is no PEM key without passphrase"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = {0};
        EXPECT(tls_server_new(rows[i].cert, rows[i].key, &err) == NULL);
        EXPECT_INT(err.code, rows[i].code);
        EXPECT(strstr(err.text, rows[i].text) != NULL);
    }
    struct err err = {0};
    EXPECT(tls_client_new("/nowhere/ca.pem", &err) == NULL);
    EXPECT_INT(err.code, ENOENT);
    EXPECT(tls_client_new(text_file, &err) == NULL);
    EXPECT_INT(err.code, EINVAL);
    files_remove();
}

TEST_MAIN(carries_bytes_both_ways_and_says_farewell, sessions_outlive_what_they_were_made_from,
          holds_bytes_that_the_socket_no_longer_has, writes_in_parts_to_a_peer_that_does_not_read,
          refuses_a_server_of_no_known_authority, refuses_a_certificate_of_another_name,
          makes_no_session_without_a_name, tells_a_cut_connection_from_a_closed_one,
          refuses_bytes_that_are_no_tls, refuses_old_versions_and_other_protocols,
          says_which_file_is_wrong)
