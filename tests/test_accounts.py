"""Accounts and tokens over HTTP (the contract's items 7.1 to 7.20 and our decisions)."""

import re
import stat
import threading

import pytest
from programs import wait_until

pytestmark = pytest.mark.sanitize

PASSWORD = "correct horse"
ADMIN, PLAIN = "admin@example.org", "plain@example.org"
NO_LOGIN = {"detail": "Authentication credentials were not provided."}
WRONG = {"non_field_errors": ["Unable to authenticate with provided credentials"]}


@pytest.fixture
def daemon(serve):
    return serve()


def create(daemon, email, password=PASSWORD, path="/user/create/", **more):
    token = more.pop("token", None)
    return daemon.post(path, {"email": email, "password": password, **more}, token=token)


def login(daemon, email, password=PASSWORD):
    return daemon.post("/user/token/", {"email": email, "password": password})


def token_of(daemon, email, password=PASSWORD):
    answer = login(daemon, email, password)
    assert answer.status == 200, answer.body
    return answer.json()["token"]


def local(daemon, method, path, body=None):
    """A request over the daemon's own socket: staff without a token."""
    connection = daemon.connect_local()
    try:
        return daemon.request(method, path, body, connection=connection)
    finally:
        connection.close()


@pytest.fixture
def accounts(daemon):
    """(token of the superuser, token of a plain account)"""
    assert create(daemon, ADMIN).status == 201
    assert create(daemon, PLAIN).status == 201
    return token_of(daemon, ADMIN), token_of(daemon, PLAIN)


# ---- creation


def test_an_account_is_created_without_showing_its_password(daemon):
    answer = create(daemon, "A@Example.org", name="name")
    assert answer.status == 201
    assert answer.json() == {"id": 1, "email": "a@example.org", "name": "name",
                             "is_activated": True, "is_superuser": True}
    assert login(daemon, "a@example.org").status == 200
    stored, = daemon.stored("password_hash", "users")
    assert stored.startswith("$argon2id$") and PASSWORD not in stored


def test_the_first_account_is_admin_and_the_second_is_not(daemon):
    assert create(daemon, ADMIN).json()["is_superuser"] is True
    second = create(daemon, PLAIN, is_superuser=True).json()
    assert second["is_superuser"] is False
    assert daemon.post("/js_admin/config_list", {}, token=token_of(daemon, ADMIN)).status == 200
    assert daemon.post("/js_admin/config_list", {}, token=token_of(daemon, PLAIN)).status == 403


def test_is_activated_is_honoured_where_the_config_allows_it(daemon):
    create(daemon, ADMIN)
    daemon.op("config_set", name="AUTO_ACTIVATE", value="false")
    refused = create(daemon, "b@example.org", is_activated=True).json()
    assert refused["is_activated"] is False and refused["activation"] == "mail unavailable"
    assert login(daemon, "b@example.org").status == 400
    daemon.op("config_set", name="ACCEPT_IS_ACTIVATED", value="true")
    assert create(daemon, "c@example.org", is_activated=True).json()["is_activated"] is True
    assert login(daemon, "c@example.org").status == 200


def test_an_email_is_taken_once(daemon):
    assert create(daemon, ADMIN).status == 201
    again = create(daemon, ADMIN.upper())
    assert again.status == 400
    assert again.json() == {"email": ["user with this email already exists."]}
    public = daemon.post("/js_public/user_create", {"name": ADMIN, "password": PASSWORD})
    assert public.status == 400
    assert public.json() == {"error": {"email": ["user with this email already exists."]},
                             "status_code": 400}


def test_a_short_password_is_refused_and_nothing_stored(daemon):
    answer = create(daemon, ADMIN, "pw")
    assert answer.status == 400
    assert answer.json() == {"password": ["Ensure this field has at least 8 characters."]}
    assert daemon.op("master_allusers") == {"total": 0, "data": []}


def test_missing_fields_are_named(daemon):
    assert daemon.post("/user/create/", {}).json() == {
        "email": ["This field is required."], "password": ["This field is required."]}


def test_without_mail_a_new_account_is_active_and_told_so(daemon):
    create(daemon, ADMIN)
    answer = create(daemon, PLAIN)
    assert answer.status == 201
    assert answer.json() == {"id": 2, "email": PLAIN, "name": "", "is_activated": True,
                             "is_superuser": False, "activation": "mail unavailable"}


def test_a_page_of_elsewhere_cannot_become_the_first_superuser(daemon):
    fields = {"email": ADMIN, "password": PASSWORD}
    origin = {"Origin": "http://elsewhere.example"}
    assert daemon.post("/user/create/", fields, headers=origin).status == 403
    as_op = {"name": ADMIN, "password": PASSWORD}
    assert daemon.post("/js_public/user_create", as_op, headers=origin).status == 403
    assert daemon.op("master_allusers")["total"] == 0
    here = {"Origin": f"http://127.0.0.1:{daemon.port}"}
    assert daemon.post("/user/create/", fields, headers=here).status == 201


# ---- superusers


def test_only_staff_make_superusers(daemon, accounts):
    admin, plain = accounts
    super_path = "/user/create_super/"
    assert create(daemon, "x@example.org", path=super_path).json() == NO_LOGIN
    assert create(daemon, "x@example.org", path=super_path, token=plain).status == 403
    made = create(daemon, "x@example.org", path=super_path, token=admin)
    assert made.status == 201 and made.json()["is_superuser"] is True
    made = daemon.post("/js_admin/master_createsuper",
                       {"name": "y@example.org", "password": PASSWORD}, token=admin).json()
    assert made["success"] is True and made["user"]["is_superuser"] is True


def test_the_bootstrap_token_makes_one_superuser(daemon):
    path = daemon.state / "bootstrap-token"
    token = path.read_text().strip()
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "bootstrap-token" in daemon.log_text() and token not in daemon.log_text()

    # It is no login, and a wrong one is nothing.
    assert daemon.get("/user/manage/", token=token).status == 401
    create(daemon, "first@example.org")
    local(daemon, "POST", "/user/manage/1", {"is_superuser": False})
    assert daemon.op("user_delete", name="first@example.org") == {"success": True}
    daemon.stop()
    daemon.start()
    token = path.read_text().strip()
    assert create(daemon, ADMIN, path="/user/create_super/").status == 401
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert create(daemon, ADMIN, path="/user/create_super/", token=wrong).status == 401
    assert create(daemon, ADMIN, path="/user/create_super/", token=token).status == 201
    assert not path.exists()
    assert create(daemon, PLAIN, path="/user/create_super/", token=token).status == 401


def test_the_command_line_makes_the_first_account(daemon):
    done = daemon.cli("user", "create", ADMIN, "-password", PASSWORD)
    assert done.returncode == 0, done.stderr
    assert '"is_superuser": true' in done.stdout
    assert not (daemon.state / "bootstrap-token").exists()


# ---- tokens


def test_valid_credentials_give_a_token(daemon, accounts):
    answer = login(daemon, PLAIN.upper())
    assert answer.status == 200
    assert answer.json()["expiry"] is None
    assert re.fullmatch("[0-9a-f]{64}", answer.json()["token"])
    token = answer.json()["token"]
    stored = [*daemon.stored("hash", "tokens"), *daemon.stored("password_hash", "users")]
    assert len(stored) == 5 and token not in str(stored)
    assert str(bytes.fromhex(token)) not in stored


def test_a_form_gives_a_token_too(daemon, accounts):
    answer = daemon.post("/user/token/", b"email=plain%40example.org&password=correct+horse",
                         headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 200 and len(answer.json()["token"]) == 64


@pytest.mark.parametrize("body, wanted", [
    ({"email": PLAIN, "password": "wrong horse"}, WRONG),
    ({"email": "nobody@example.org", "password": PASSWORD}, WRONG),
    ({"email": "one", "password": ""}, {"password": ["This field may not be blank."]}),
    ({"email": PLAIN}, {"password": ["This field is required."]}),
])
def test_wrong_credentials_give_none(daemon, accounts, body, wanted):
    answer = daemon.post("/user/token/", body)
    assert (answer.status, answer.json()) == (400, wanted)


def test_the_word_token_is_read_in_any_case(daemon, accounts):
    for word in ("Token", "token", "TOKEN"):
        headers = {"Authorization": f"{word} {accounts[1]}"}
        assert daemon.get("/user/manage/", headers=headers).status == 200
    for value in (f"Bearer {accounts[1]}", accounts[1], "Token"):
        answer = daemon.get("/user/manage/", headers={"Authorization": value})
        assert answer.status == 401 and answer.headers["WWW-Authenticate"] == "Token"


def test_a_new_token_works_at_once_in_every_thread(daemon, accounts):
    """Logins race with requests on connections of all I/O threads."""
    failures = []

    def repeat():
        connection = daemon.connect()
        for _ in range(8):
            token = token_of(daemon, PLAIN)
            answer = daemon.request("GET", "/user/manage/", connection=connection, token=token)
            if answer.status != 200:
                failures.append(answer.body)
        connection.close()

    threads = [threading.Thread(target=repeat) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_tokens_expire_after_the_configured_time(daemon, accounts):
    daemon.op("config_set", name="LOGIN_TOKEN_TTL_HOURS", value=str(1 / 3600))
    answer = login(daemon, PLAIN).json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["expiry"])
    wait_until(lambda: daemon.get("/user/manage/", token=answer["token"]).status == 401, 5,
               "the end of the token")
    assert daemon.get("/user/manage/", token=accounts[1]).status == 200


def test_tokens_survive_a_restart(daemon, accounts):
    daemon.stop()
    daemon.start()
    assert daemon.get("/user/manage/", token=accounts[1]).status == 200


# ---- one's own account


def test_the_profile_needs_a_token(daemon):
    answer = daemon.get("/user/manage/")
    assert (answer.status, answer.json()) == (401, NO_LOGIN)
    assert daemon.get("/user/manage/", token="0" * 64).json() == {"detail": "Invalid token."}


def test_the_profile_has_exactly_five_fields(daemon, accounts):
    answer = daemon.get("/user/manage/", token=accounts[1])
    assert answer.status == 200
    assert answer.json() == {"id": 2, "name": "", "email": PLAIN, "is_activated": True,
                             "is_superuser": False}


def test_posting_to_the_profile_is_not_allowed(daemon, accounts):
    answer = daemon.post("/user/manage/", {}, token=accounts[1])
    assert (answer.status, answer.json()) == (405, {"detail": 'Method "POST" not allowed.'})


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_name_and_password_are_changed(daemon, accounts, method):
    other = token_of(daemon, PLAIN)
    answer = daemon.request(method, "/user/manage/",
                            {"name": "new name", "password": "newpassword123",
                             "email": "new@example.org", "is_superuser": True},
                            token=accounts[1])
    assert answer.status == 200
    assert answer.json() == {"id": 2, "name": "new name", "email": "new@example.org",
                             "is_activated": True, "is_superuser": False}
    assert login(daemon, "new@example.org", "newpassword123").status == 200
    assert login(daemon, "new@example.org").status == 400
    # The session that asked goes on, the others end.
    assert daemon.get("/user/manage/", token=accounts[1]).status == 200
    assert daemon.get("/user/manage/", token=other).status == 401


# ---- administration


def test_flags_are_set_by_id(daemon, accounts):
    admin, plain = accounts
    path = "/user/manage/2"
    both = {"is_activated": True, "is_superuser": True}
    assert daemon.post(path, both).status == 401
    assert daemon.post(path, both, token=plain).status == 403
    first = daemon.post(path, both, token=admin)
    assert (first.status, first.json()) == (200, "Update Success!")
    second = daemon.post(path, both, token=admin)
    assert (second.status, second.json()) == (200, "No changes found!")
    assert daemon.post("/js_admin/config_list", {}, token=plain).status == 200
    assert daemon.post("/user/manage/77", both, token=admin).status == 404
    assert daemon.post("/user/manage/x", both, token=admin).status == 404
    daemon.post(path, {"is_activated": False}, token=admin)
    assert daemon.get("/user/manage/", token=plain).status == 401


def test_everyone_is_logged_out_by_staff_only(daemon, accounts):
    admin, plain = accounts
    path = "/user/logout_everyone/"
    assert daemon.post(path, {}).status == 401
    assert daemon.post(path, {}, token=plain).status == 403
    assert daemon.get("/user/manage/", token=plain).status == 200
    done = daemon.post(path, {}, token=admin)
    assert (done.status, done.body) == (204, b"")
    for token in accounts:
        assert daemon.get("/user/manage/", token=token).json() == {"detail": "Invalid token."}


def test_an_account_is_activated_by_its_code(daemon, accounts):
    daemon.op("config_set", name="AUTO_ACTIVATE", value="false")
    made = create(daemon, "new@example.org", token=accounts[0]).json()
    assert made["is_activated"] is False
    assert login(daemon, "new@example.org").status == 400
    code = made["activation_code"]  # for staff, who can hand it over when there is no mail
    assert re.fullmatch("[0-9a-f]{32}", code)
    assert daemon.get(f"/user/activate/{'0' * 32}").status == 404
    done = daemon.get(f"/user/activate/{code}")
    assert (done.status, done.json()) == (200, "User successfully activated!")
    assert daemon.get(f"/user/activate/{code}").status == 404
    assert login(daemon, "new@example.org").status == 200


def test_a_forgotten_password_is_reset(daemon, accounts):
    known = daemon.post("/user/password_reset/", {"email": PLAIN})
    assert known.status == 200
    assert known.json() == {"status": "OK", "reset": "mail unavailable"}
    unknown = daemon.post("/user/password_reset/", {"email": "nobody@example.org"})
    assert unknown.status == 400 and "email" in unknown.json()

    by_staff = daemon.post("/user/password_reset/", {"email": PLAIN}, token=accounts[0])
    token = by_staff.json()["token"]
    confirm = "/user/password_reset/confirm/"
    fields = {"token": token, "password": "newpassword123"}
    assert daemon.post(confirm, {**fields, "token": "0" * 64}).status == 404
    assert daemon.post(confirm, {**fields, "password": "short"}).status == 400
    done = daemon.post(confirm, fields)
    assert (done.status, done.json()) == (200, {"status": "OK"})
    assert daemon.post(confirm, fields).status == 404
    assert login(daemon, PLAIN, "newpassword123").status == 200
    assert daemon.get("/user/manage/", token=accounts[1]).status == 401


def test_an_account_is_deleted_once(daemon, accounts):
    admin, plain = accounts
    first = daemon.post("/js_admin/user_delete", {"name": PLAIN}, token=admin)
    assert (first.status, first.json()) == (200, {"success": True})
    assert daemon.get("/user/manage/", token=plain).status == 401
    second = daemon.post("/js_admin/user_delete", {"name": PLAIN}, token=admin)
    assert (second.status, second.json()) == (400, {"success": False, "status_code": 400})


def test_an_account_deletes_itself(daemon, accounts):
    answer = daemon.post("/js/user_deleteself", {}, token=accounts[1])
    assert (answer.status, answer.json()) == (200, {"success": True})
    assert daemon.get("/user/manage/", token=accounts[1]).status == 401
    assert login(daemon, PLAIN).json() == WRONG
    assert [user["user"] for user in daemon.op("master_allusers")["data"]] == [ADMIN]


def test_accounts_are_listed(daemon, accounts):
    listed = daemon.op("master_allusers", limit=1, asc=True)
    assert listed["total"] == 2
    (user,) = listed["data"]
    assert list(user) == ["id", "user", "jid", "name", "created_date", "is_activated",
                          "is_superuser", "last_login"]
    assert user["user"] == ADMIN and user["jid"].startswith("urn:uuid:")
    assert daemon.op("master_allusers", search="PLAIN")["total"] == 1


def test_the_local_operator_has_no_account(daemon):
    assert local(daemon, "GET", "/user/manage/").status == 404
    assert local(daemon, "POST", "/user/logout_everyone/", {}).status == 204


def test_nothing_secret_is_logged(daemon, accounts):
    daemon.post("/js_admin/master_createsuper", {"name": "x@example.org", "password": PASSWORD},
                token=accounts[0])
    texts = [daemon.log_text(), *(path.read_text() for path in (daemon.state / "logs").iterdir())]
    for text in texts:
        assert PASSWORD not in text
        assert accounts[0] not in text and accounts[1] not in text
