"""The operations config_*, and who may use them (the contract's items 6.1 to 6.6)."""

import json
import signal
import subprocess

import pytest
from programs import wait_until

pytestmark = pytest.mark.sanitize

PASSWORD = "correct horse"
META = '{"automation": true, "backoff_interval": 10, "keep_alive": ["redis"]}'


@pytest.fixture
def daemon(serve):
    return serve()


def post(daemon, name, /, token=None, **parameters):
    return daemon.post(f"/js_admin/{name}", parameters, token=token)


def token_of(daemon, email, path="/user/create/"):
    fields = {"email": email, "password": PASSWORD}
    assert daemon.post(path, fields).status == 201
    return daemon.post("/user/token/", fields).json()["token"]


def test_an_admin_sees_which_configs_there_are(daemon):
    admin = token_of(daemon, "admin@example.org")
    names = post(daemon, "config_index", token=admin).json()
    assert len(names) > 2 and "ACTION_SETS" in names


def test_an_unchecked_name_takes_any_text(daemon):
    admin = token_of(daemon, "admin@example.org")
    answer = post(daemon, "config_set", token=admin, name="MINE", value="text", do_check=False)
    assert (answer.status, answer.json()) == (200, ["Config of 'MINE' to 'text' set!"])
    assert post(daemon, "config_get", token=admin, name="MINE", do_check=False).json() == "text"


def test_an_unknown_name_is_refused_and_not_stored(daemon):
    admin = token_of(daemon, "admin@example.org")
    answer = post(daemon, "config_set", token=admin, name="MINE", value="text")
    assert answer.status == 200
    assert answer.json()[0].startswith("Config MINE not recognized, must be in ['CONFIG_EXAMPLE', ")
    assert answer.headers["X-Jsorc-Error"] == "1"
    assert post(daemon, "config_exists", token=admin, name="MINE").json() is False
    assert post(daemon, "config_get", token=admin, name="MINE", do_check=False).json() is None


def test_only_staff_may(daemon):
    token_of(daemon, "admin@example.org")
    plain = token_of(daemon, "plain@example.org")
    for name in ("config_index", "config_list", "config_get", "config_set"):
        answer = post(daemon, name, token=plain, name="ACTION_SETS", value="{}")
        assert answer.status == 403
        assert answer.json()["detail"] == "You do not have permission to perform this action."
        assert post(daemon, name, name="ACTION_SETS", value="{}").status == 401
    assert daemon.op("config_list") == []


def test_the_list_has_exactly_what_was_set(daemon):
    names = ["EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_USE_TLS"]
    for name in names:
        assert daemon.op("config_set", name=name, value="1") == [f"Config of '{name}' to '1' set!"]
    assert sorted(daemon.op("config_list")) == names


def test_what_was_set_survives_a_restart_and_a_kill(daemon):
    daemon.op("config_set", name="META_CONFIG", value=META)
    pid = daemon.daemon_pid()
    subprocess.run(["kill", "-KILL", str(pid)], check=True)
    daemon.expect_log("daemon")
    wait_until(lambda: daemon.answers() and daemon.daemon_pid() != pid, 20, "a new daemon")
    assert daemon.op("config_get", name="META_CONFIG") == META
    daemon.op("config_set", name="EMAIL_HOST", value="later")
    assert daemon.stop(signal.SIGTERM) == 0
    daemon.start()
    assert daemon.op("config_list") == ["EMAIL_HOST", "JSORC_CONFIG", "MAIL_CONFIG", "META_CONFIG",
                                        "PROME_CONFIG", "REDIS_CONFIG", "TASK_CONFIG"]


def test_the_text_is_encoded_twice_as_old_clients_decode_it(daemon):
    assert daemon.op("config_set", name="META_CONFIG", value=META) == [
        f"Config of 'META_CONFIG' to '{META}' set!"]
    once = daemon.op("config_get", name="META_CONFIG")
    assert once == META and json.loads(once)["automation"] is True
    daemon.op("config_set", name="REDIS_CONFIG", value={"port": 1, "hosts": ["a"]})
    assert daemon.op("config_get", name="REDIS_CONFIG") == '{"port": 1, "hosts": ["a"]}'


def test_a_field_is_updated(daemon):
    update = {"name": "JSORC_CONFIG", "field_key": "backoff_interval", "field_value": "20"}
    assert daemon.op("config_update", **update)[0].startswith("Config JSORC_CONFIG is not set.")
    daemon.op("config_set", name="JSORC_CONFIG", value={"backoff_interval": 10})
    assert daemon.op("config_update", **update) == [
        "Config of 'JSORC_CONFIG' is updated with backoff_interval:20. "
        'Current config value: {"backoff_interval": 20}']
    assert daemon.op("config_update", name="JSORC_CONFIG", field_key="x", field_value=1)[
        0].startswith("Config JSORC_CONFIG has no key x.")


def test_deleting_twice_is_an_error_the_second_time(daemon):
    daemon.op("config_set", name="EMAIL_HOST", value="here")
    assert daemon.op("config_delete", name="EMAIL_HOST") == ["EMAIL_HOST Deleted."]
    again = daemon.op("config_delete", name="EMAIL_HOST")
    assert again["success"] is False and again["errors"] == ["Config EMAIL_HOST is not set."]


@pytest.mark.parametrize("path", ["/config_get", "/config_get/", "/js_admin/config_get/"])
def test_the_bare_forms_are_the_same(daemon, path):
    daemon.op("config_set", name="EMAIL_HOST", value="here")
    connection = daemon.connect_local()
    answer = daemon.post(path, {"name": "EMAIL_HOST"}, connection=connection)
    connection.close()
    assert (answer.status, answer.json()) == (200, "here")
    assert daemon.post(path, {"name": "EMAIL_HOST"}).status == 401


@pytest.mark.parametrize(("words", "told"), [
    (("get", "MINE"), "Config MINE not recognized, must be in ['CONFIG_EXAMPLE', "),
    (("set", "MINE", "-value", "3"), "Config MINE not recognized, must be in ['CONFIG_EXAMPLE', "),
    (("delete", "MINE"), "Config MINE not recognized, must be in ['CONFIG_EXAMPLE', "),
    (("update", "EMAIL_HOST", "-field_key", "a", "-field_value", "1"),
     "Config EMAIL_HOST is not set."),
])
def test_the_command_line_fails_with_a_name_that_is_not_known(daemon, words, told):
    done = daemon.cli("config", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"jsorc: {told}")


def test_the_command_line_sets_and_shows(daemon):
    done = daemon.cli("config", "set", "REDIS_CONFIG", "-value", '{"port": 1}')
    assert done.returncode == 0, done.stderr
    assert "Config of 'REDIS_CONFIG' to '{\"port\": 1}' set!" in done.stdout.replace('\\"', '"')
    shown = daemon.cli("config", "get", "REDIS_CONFIG")
    assert (shown.returncode, shown.stdout) == (0, '{"port": 1}\n')
