"""Mail to a real SMTP server: STARTTLS, TLS, passwords, text beside HTML, and what must not get
into one."""

import email
import email.policy
import re
import ssl
import subprocess
import time

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from programs import JSORC, free_port, wait_until
from test_services import QUICK, WAIT_S, configure, info, wait_for

TEXT = "Größe: 1.\n.\nA line that begins with a dot was before this one.\n"
HTML = "<p>Größe: <b>1</b>.</p>"


class Inbox:
    def __init__(self):
        self.mails, self.accept, self.logins = [], True, 0

    async def handle_DATA(self, server, session, envelope):
        if not self.accept:
            return "451 4.3.0 the disk is full"
        self.mails.append((envelope.mail_from, envelope.rcpt_tos,
                           email.message_from_bytes(envelope.content, policy=email.policy.default),
                           session.ssl is not None, session.authenticated))
        return "250 OK"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mail")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    return folder


def authenticator(inbox):
    def check(server, session, envelope, mechanism, data):
        inbox.logins += 1
        return AuthResult(success=(data.login, data.password) == (b"me", b"right"), handled=False)

    return check


@pytest.fixture
def serve_mail(certificate):
    """serve_mail(security) -> Inbox, its port, and what stops the server"""
    controllers = []

    def start(security, inbox=None, port=None):
        inbox, port = inbox or Inbox(), port or free_port()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        if security == "tls":
            controller = Controller(inbox, "127.0.0.1", port, ssl_context=context,
                                    authenticator=authenticator(inbox), auth_require_tls=False)
        else:
            controller = Controller(inbox, "127.0.0.1", port, authenticator=authenticator(inbox),
                                    auth_required=security == "starttls",
                                    tls_context=context if security == "starttls" else None,
                                    require_starttls=security == "starttls")
        controller.start()
        controllers.append(controller)

        def stop():
            controllers.remove(controller)
            controller.stop()

        return inbox, port, stop

    yield start
    for controller in controllers:
        controller.stop()


@pytest.fixture
def daemon(serve):
    daemon = serve(options=QUICK)
    daemon.expect_log("service failed|does not run; the last good one")
    return daemon


def send(daemon, **more):
    mail = {"recipients": ["ann@example.org", "Bob <bob@example.org>"], "subject": "Größe",
            "text": TEXT, "html": HTML, **more}
    return daemon.op("mail_send", **mail)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_arrives_as_it_was_written(daemon, serve_mail, certificate, security):
    inbox, port, _ = serve_mail(security)
    answer = configure(daemon, "mail", automated=True, host="127.0.0.1", port=port, user="me",
                       security=security, sender="Jsorc <jsorc@example.org>",
                       ca_file=str(certificate / "cert.pem"), **{"pass": "right"})
    assert answer["state"] == "RUNNING", answer
    assert answer["config"]["pass"] == "***"
    assert send(daemon) == {"success": True}
    (sender, recipients, message, tls, authenticated), = inbox.mails
    assert (sender, recipients) == ("jsorc@example.org", ["ann@example.org", "bob@example.org"])
    assert authenticated and (tls or security == "tls")  # there it is the whole connection
    assert message["Subject"] == "Größe" and message["From"] == "Jsorc <jsorc@example.org>"
    assert message["To"] == "ann@example.org, bob@example.org"
    assert message["Date"] and message["Message-ID"].endswith("@example.org>")
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain.get_content().replace("\r\n", "\n") == TEXT
    assert html.get_content().strip() == HTML
    assert message.get_content_type() == "multipart/alternative"
    time.sleep(2)  # ten checks
    assert inbox.logins < 5, "a check of a server that answers logs in nowhere"


@pytest.mark.sanitize
def test_a_mail_of_text_alone_and_no_encryption(daemon, serve_mail):
    inbox, port, _ = serve_mail("none")
    configure(daemon, "mail", host="127.0.0.1", port=port, security="none",
              sender="jsorc@example.org")
    assert daemon.op("mail_test", recipient="ann@example.org") == {"success": True}
    message = inbox.mails[0][2]
    assert message["Subject"] == "Test of jsorc's mail"
    assert "to see whether mails arrive" in message.get_body(("plain",)).get_content()
    assert message.get_body(("html",)) is None


@pytest.mark.sanitize
def test_nothing_gets_into_the_head_of_a_mail(daemon, serve_mail):
    inbox, port, _ = serve_mail("none")
    configure(daemon, "mail", host="127.0.0.1", port=port, security="none",
              sender="jsorc@example.org")
    for wrong in ({"subject": "Hello\r\nBcc: eve@example.org"},
                  {"subject": "Hello\n\nAnother body"},
                  {"recipients": ["ann@example.org\r\nRCPT TO:<eve@example.org>"]},
                  {"recipients": ["ann@example.org, eve@example.org"]},
                  {"recipients": []},
                  {"recipients": ["ann@example.org"] * 101},
                  {"sender": "jsorc@example.org>\r\nBcc: eve@example.org"}):
        answer = send(daemon, **wrong)
        assert answer["success"] is False, (wrong, answer)
    assert inbox.mails == []
    assert send(daemon) == {"success": True}


def test_what_the_server_refuses_is_told(daemon, serve_mail, certificate):
    inbox, port, stop = serve_mail("starttls")
    right = {"automated": True, "host": "127.0.0.1", "port": port, "user": "me",
             "sender": "jsorc@example.org", "ca_file": str(certificate / "cert.pem"),
             "pass": "right"}
    answer = configure(daemon, "mail", **{**right, "pass": "wrong"})
    assert answer["state"] == "FAILED" and "denied" in answer["error"], answer
    answer = configure(daemon, "mail", **{**right, "ca_file": ""})  # nobody vouches for it
    assert answer["state"] == "FAILED" and "certificate" in answer["error"], answer
    assert configure(daemon, "mail", **right)["state"] == "RUNNING"
    inbox.accept = False
    assert "451" in send(daemon)["response"]
    inbox.accept = True
    stop()
    wait_for(daemon, "mail", "FAILED")
    assert send(daemon)["success"] is False
    serve_mail("starttls", inbox, port)
    wait_for(daemon, "mail")
    assert send(daemon) == {"success": True} and len(inbox.mails) == 1


def test_links_lead_where_others_reach_the_daemon(serve, serve_mail):
    inbox, port, _ = serve_mail("none")
    daemon = serve(options=(*QUICK, "--public-url", "https://jsorc.example.org/team/"))
    admin, ann = ({"email": f"{name}@example.org", "password": "correct horse"}
                  for name in ("admin", "ann"))
    assert daemon.post("/user/create/", admin).status == 201  # without mail: active at once
    answer = configure(daemon, "mail", host="127.0.0.1", port=port, security="none",
                       sender="j@example.org")
    assert answer["state"] == "RUNNING", answer
    assert daemon.post("/user/create/", ann).status == 201
    text = wait_until(lambda: inbox.mails and inbox.mails[0], WAIT_S, "a mail")[2] \
        .get_body(("plain",)).get_content()
    assert re.search(r"https://jsorc\.example\.org/team/user/activate/\w+", text)


@pytest.mark.parametrize("url", ["jsorc.example.org", "ftp://example.org", "https://", "http://a?b"])
def test_a_public_url_is_one(tmp_path, url):
    run = subprocess.run([JSORC, "serve", "--state", tmp_path / "state", "--public-url", url],
                         capture_output=True, text=True, timeout=20)
    assert run.returncode == 2
    assert f"public_url '{url}' is no URL" in run.stderr


@pytest.mark.sanitize
def test_accounts_are_activated_and_passwords_reset_by_mail(daemon, serve_mail):
    inbox, port, _ = serve_mail("none")
    first = {"email": "admin@example.org", "password": "correct horse"}
    assert daemon.post("/user/create/", first).status == 201  # without mail: active at once
    config = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "j@example.org"}
    answer = configure(daemon, "mail", **config, templates={"resetpass_body": "no word of it"})
    assert "'resetpass_body' must have {{token}} in it" in answer["response"]
    answer = configure(daemon, "mail", **config, templates={
        "activation_subj": "Welcome", "activation_body": "code={{code}} link={{link}}"})
    assert answer["state"] == "RUNNING", answer

    plain = {"email": "ann@example.org", "password": "correct horse"}
    created = daemon.post("/user/create/", plain)
    assert (created.status, created.json()["is_activated"]) == (201, False)
    assert daemon.post("/user/token/", plain).status == 400
    wait_until(lambda: len(inbox.mails) == 2, WAIT_S, "both, as the login sent another one")
    activated = []
    for _, _, message, _, _ in inbox.mails:  # in any order; only the later one's code is valid
        assert message["To"] == "ann@example.org" and message["Subject"] == "Welcome"
        text = message.get_body(("plain",)).get_content().replace("\r", "").replace("\n", "")
        code = re.search(r"code=(\w+) link=http://127.0.0.1:\d+/user/activate/(\w+)", text)
        assert code[1] == code[2]
        activated.append(daemon.get(f"/user/activate/{code[1]}").status)
    assert sorted(activated) == [200, 404]
    assert daemon.post("/user/token/", plain).status == 200

    assert daemon.post("/user/password_reset/", {"email": "ann@example.org"}).json() == \
        {"status": "OK"}
    message = wait_until(lambda: len(inbox.mails) == 3 and inbox.mails[2], WAIT_S, "a mail")[2]
    assert message["Subject"] == "Password Reset for Jaseci Account"
    token = re.search(r"token is: (\w+)", message.get_body(("plain",)).get_content())[1]
    new = {"token": token, "password": "another horse"}
    assert daemon.post("/user/password_reset/confirm/", new).status == 200
    assert daemon.post("/user/token/", {**plain, "password": "another horse"}).status == 200


@pytest.mark.sanitize
def test_the_configs_of_the_older_version_hold_until_the_newer_is_set(daemon, serve_mail):
    inbox, port, _ = serve_mail("none")
    for name, value in (("EMAIL_HOST", "127.0.0.1"), ("EMAIL_PORT", str(port)),
                        ("EMAIL_DEFAULT_FROM", "old@example.org"), ("EMAIL_USE_TLS", "True")):
        daemon.op("config_set", name=name, value=value)
    daemon.op("service_refresh", name="mail")
    config = info(daemon, "mail")["config"]
    assert (config["host"], config["port"], config["tls"]) == ("127.0.0.1", str(port), True)
    answer = configure(daemon, "mail", version=1, security="none")
    assert answer["state"] == "RUNNING", answer
    assert daemon.op("mail_test", recipient="ann@example.org") == {"success": True}
    assert inbox.mails[0][0] == "old@example.org"
    assert configure(daemon, "mail", security="none")["provider"] == "none"  # version 2


@pytest.mark.sanitize
def test_without_a_host_there_is_no_mail(daemon):
    assert info(daemon, "mail")["provider"] == "none"
    assert send(daemon)["response"] == \
        "Internal Exception: MailService is disabled or not yet configured!"
    answer = configure(daemon, "mail", host="h", security="none", user="me", **{"pass": "p"})
    assert "the password would be sent in the clear" in answer["response"]
