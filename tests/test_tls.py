"""The API over TLS: who verifies gets through, what is no TLS or too old does not, and the daemon's
own socket stays plain."""

import errno
import http.client
import json
import socket
import ssl
import subprocess

import pytest
from programs import wait_until

pytestmark = pytest.mark.sanitize


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(certificate, key) for 127.0.0.1 and localhost, valid for a day."""
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "1", "-subj", "/CN=test", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True, timeout=60)
    return files


@pytest.fixture
def daemon(serve, certificate):
    cert, key = certificate
    daemon = serve(options=["--tls-cert", cert, "--tls-key", key], start=False)
    daemon.start(wait=False)
    wait_until(lambda: alive(daemon), 20, "an answer on the daemon's socket")
    return daemon


def alive(daemon):
    try:
        return daemon.get("/js_public/health", connection=daemon.connect_local(5)).json()
    except OSError:
        return False


def trusting(certificate, **changes):
    context = ssl.create_default_context(cafile=certificate[0])
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def connect(daemon, context):
    return http.client.HTTPSConnection("127.0.0.1", daemon.port, timeout=20, context=context)


def test_requests_and_large_answers_come_through(daemon, certificate):
    connection = connect(daemon, trusting(certificate))
    for _ in range(3):  # kept alive
        assert daemon.get("/js_public/health", connection=connection).json() is True
    assert connection.sock.version() == "TLSv1.3"
    page = daemon.get("/docs/swagger-ui-bundle.js", connection=connection)
    assert page.status == 200 and len(page.body) > 300_000
    login = {"email": "a@example.org", "password": "correct horse"}
    assert daemon.post("/user/create/", login, connection=connection).status == 201
    token = daemon.post("/user/token/", login, connection=connection).json()["token"]
    value = "x" * 2_000_000
    stored = daemon.post("/config_set", {"name": "CONFIG_EXAMPLE", "value": value}, token=token,
                         connection=connection)
    assert stored.status == 200
    read = daemon.post("/config_get", {"name": "CONFIG_EXAMPLE"}, token=token,
                       connection=connection)
    assert read.json() == value
    connection.close()


def test_tls_1_2_is_enough_and_less_is_not(daemon, certificate):
    context = trusting(certificate, maximum_version=ssl.TLSVersion.TLSv1_2)
    connection = connect(daemon, context)
    assert daemon.get("/js_public/health", connection=connection).json() is True
    assert "ECDHE" in connection.sock.cipher()[0]
    connection.close()

    old = trusting(certificate)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        daemon.get("/js_public/health", connection=connect(daemon, old))


def test_the_protocol_is_agreed_on(daemon, certificate):
    context = trusting(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as plain, \
            context.wrap_socket(plain, server_hostname="localhost") as peer:
        assert peer.selected_alpn_protocol() == "http/1.1"
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as plain, \
            pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


def test_a_client_that_does_not_know_the_authority_refuses(daemon):
    with pytest.raises(ssl.SSLCertVerificationError):
        daemon.get("/js_public/health", connection=connect(daemon, ssl.create_default_context()))


def test_what_is_no_tls_is_dropped_and_nobody_else_waits(daemon, certificate):
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff", b"\0" * 5000):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as peer:
            try:
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                assert b"HTTP/1.1 200" not in peer.recv(10_000)
            except OSError as error:  # dropped, at whichever of the three steps it is noticed
                assert error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)
    silent = socket.create_connection(("127.0.0.1", daemon.port), timeout=10)
    connection = connect(daemon, trusting(certificate))
    assert daemon.get("/js_public/health", connection=connection).json() is True
    connection.close()
    silent.close()


def test_the_daemons_own_socket_stays_plain(daemon):
    reply = daemon.post("/config_index", connection=daemon.connect_local())
    assert reply.status == 200 and "CONFIG_EXAMPLE" in json.loads(reply.body)


@pytest.mark.parametrize(("wrong", "text"), [
    ("missing", "No such file or directory"), ("text", "is no PEM"), ("swapped", "is no PEM")])
def test_a_wrong_file_is_named_at_the_start(serve, certificate, write, wrong, text):
    cert, key = certificate
    files = {"missing": ("/nowhere/cert.pem", key), "text": (write("cert.pem", "none"), key),
             "swapped": (key, cert)}[wrong]
    daemon = serve(options=["--tls-cert", files[0], "--tls-key", files[1]], start=False)
    daemon.expect_log(str(files[0]))
    daemon.start(wait=False)
    assert daemon.process.wait(30) == 1
    assert text in daemon.log_text() and str(files[0]) in daemon.log_text()
