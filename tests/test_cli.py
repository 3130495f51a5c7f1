"""The command line against a stand-in for the daemon: which request each line becomes, what is
printed, and which status it ends with."""

import json
import re
import stat
import subprocess
import time

import pytest
from programs import JSORC, free_port
from recorder import Answer, Recorder, clean_environment, run

pytestmark = pytest.mark.sanitize


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path / "state")
    yield recorder
    recorder.close()


@pytest.fixture
def env(tmp_path):
    (tmp_path / "home").mkdir()
    return clean_environment(tmp_path / "home", JSORC_STATE=str(tmp_path / "state"))


@pytest.fixture
def jsorc(recorder, env, tmp_path):
    """jsorc(*words) -> CompletedProcess; with env=, stdin=."""

    def call(*words, stdin=None, **more):
        return run(*words, env={**env, **more}, stdin=stdin, cwd=tmp_path)

    return call


# ---- operations


@pytest.mark.parametrize(("line", "path", "body"), [
    ("actions load use_enc -mode module", "/js_admin/jsorc_actions_load",
     {"name": "use_enc", "mode": "module"}),
    ("jsorc actions load use_enc -mode module", "/js_admin/jsorc_actions_load",
     {"name": "use_enc", "mode": "module"}),
    ("actions load use_enc --mode remote --wait", "/js_admin/jsorc_actions_load",
     {"name": "use_enc", "mode": "remote", "wait": True}),
    ("actions load use_enc module -wait false -timeout 5 -ctx {\"a\":1}",
     "/js_admin/jsorc_actions_load",
     {"name": "use_enc", "mode": "module", "wait": False, "timeout": 5.0, "ctx": {"a": 1}}),
    ("jsorc actions load local -mode module", "/js_admin/jsorc_actions_load",
     {"name": "local", "mode": "module"}),
    ("actions load local /srv/text.py", "/js_admin/actions_load_local",
     {"file": "/srv/text.py"}),
    ("actions config use_enc jac_nlp.config", "/js_admin/jsorc_actions_config",
     {"name": "use_enc", "config": "jac_nlp.config"}),
    ("actions status use_enc", "/js_admin/jsorc_actions_status", {"name": "use_enc"}),
    ("config update META_CONFIG key 5", "/js_admin/config_update",
     {"name": "META_CONFIG", "field_key": "key", "field_value": 5}),
    ("config get META_CONFIG -do_check False", "/js_admin/config_get",
     {"name": "META_CONFIG", "do_check": False}),
    ("config get META_CONFIG -do_check", "/js_admin/config_get",
     {"name": "META_CONFIG", "do_check": True}),
    ("config set META_CONFIG -value {\"a\":1}", "/js_admin/config_set",
     {"name": "META_CONFIG", "value": "{\"a\":1}"}),
    ("walker run describe -ctx {\"text\":\"hi\"} -is_async None", "/js/walker_run",
     {"name": "describe", "ctx": {"text": "hi"}, "is_async": None}),
    ("user create ann@example.com -password long-enough", "/js_public/user_create",
     {"name": "ann@example.com", "password": "long-enough"}),
])
def test_operation_becomes_a_request(jsorc, recorder, line, path, body):
    done = jsorc(*line.split(" "))
    assert done.returncode == 0, done.stderr
    assert (recorder.last().method, recorder.last().path) == ("POST", path)
    assert recorder.last().json() == body
    assert "Authorization" not in recorder.last().headers


def test_operation_that_answers_get(jsorc, recorder):
    recorder.answers["/js_public/health"] = Answer(True)
    done = jsorc("health")
    assert (done.stdout, done.returncode) == ("true\n", 0)
    assert recorder.last().method == "GET"


def test_relative_path_is_made_absolute_for_the_daemon_of_this_host(jsorc, recorder, tmp_path):
    (tmp_path / "text.py").write_text("")
    jsorc("actions", "load", "local", "text.py")
    assert recorder.last().json() == {"file": str(tmp_path / "text.py")}
    jsorc("actions", "config", "use_enc", "jac_nlp.config")
    assert recorder.last().json()["config"] == "jac_nlp.config"
    jsorc("actions", "config", "use_enc", "./conf.yaml")
    assert recorder.last().json()["config"] == f"{tmp_path}/./conf.yaml"


def test_value_from_a_file(jsorc, recorder, tmp_path):
    (tmp_path / "ctx.json").write_text('{"a": [1, 2]}')
    jsorc("walker", "run", "w", "-ctx", "@ctx.json")
    assert recorder.last().json() == {"name": "w", "ctx": {"a": [1, 2]}}


def test_password_from_standard_input(jsorc, recorder):
    done = jsorc("user", "create", "ann@example.com", "-password", "-", stdin="long-enough\n")
    assert done.returncode == 0, done.stderr
    assert recorder.last().json()["password"] == "long-enough"


@pytest.mark.parametrize(("line", "words"), [
    ("actions load use_enc", "option --mode MODE is missing"),
    ("actions load use_enc -mode module x", "unexpected argument 'x'"),
    ("actions load -mode module", "argument NAME is missing"),
    ("actions load a -mode b -wait maybe", "unexpected argument 'maybe'"),
    ("actions load a -mode b -ctx [1]", "--ctx: a JSON object such as"),
    ("actions load a -moed b", "unknown option '-moed'; did you mean '--mode'?"),
    ("loadtest synthetic_apps --experiment_duratoin 3",
     "unknown option '--experiment_duratoin'; did you mean '--experiment-duration'?"),
    ("loadtest synthetic_apps --duration 3", "did you mean '--experiment-duration'?"),
    ("actions unload a --retire_scv 1", "did you mean '--retire_svc'?"),
    ("actions laod x", "did you mean 'actions load'?"),
    ("actions", "goes on with one of these"),
    ("nonsense", "unknown command 'nonsense'"),
    ("config get", "argument NAME is missing"),
    ("--url ftp://a health", "begins with neither http:// nor https://"),
])
def test_wrong_line_is_told_and_not_sent(jsorc, recorder, line, words):
    done = jsorc(*line.split(" "))
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert recorder.requests == []


# ---- results


def test_result_is_indented_json_and_plain_text_unquoted(jsorc, recorder):
    recorder.answers["/js_admin/config_get"] = Answer('{"a": 1}')
    assert jsorc("config", "get", "X").stdout == '{"a": 1}\n'
    recorder.answers["/js_admin/config_get"] = Answer({"a": [], "b": 0.1})
    assert jsorc("config", "get", "X").stdout == '{\n  "a": [],\n  "b": 0.1\n}\n'


def test_result_as_a_table(jsorc, recorder):
    recorder.answers["/js_admin/actions_list"] = Answer(["text.split", "text.cut"])
    assert jsorc("actions", "list", "-o", "table").stdout == "value\ntext.split\ntext.cut\n"
    assert json.loads(jsorc("actions", "list", "-o", "json").stdout) == ["text.split", "text.cut"]
    assert json.loads(jsorc("-o", "json", "actions", "list").stdout) == ["text.split", "text.cut"]


def test_result_kept_in_a_file_as_well(jsorc, recorder, tmp_path):
    recorder.answers["/js_admin/actions_list"] = Answer(["text.split"])
    done = jsorc("actions", "list", "-o", "out.txt")
    assert json.loads(done.stdout) == ["text.split"]
    assert "[saved to out.txt]" in done.stderr
    assert json.loads((tmp_path / "out.txt").read_text()) == ["text.split"]
    done = jsorc("actions", "list", "-o", "no/such/folder")
    assert done.returncode == 1
    assert "cannot write 'no/such/folder': No such file or directory" in done.stderr


def test_output_that_cannot_be_written_is_a_failure(env, recorder):
    with open("/dev/full", "w") as full:
        done = subprocess.run([JSORC, "actions", "list"], stdout=full, stderr=subprocess.PIPE,
                              env=env, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "cannot write the output" in done.stderr


def test_failure_that_the_daemon_tells(jsorc, recorder):
    recorder.answers["/js_admin/config_get"] = Answer(
        {"response": "missing parameter: name", "success": False, "errors": ["x"],
         "stack_trace": []}, headers={"X-Jsorc-Error": "1"})
    done = jsorc("config", "get", "X")
    assert done.returncode == 1
    assert done.stderr == "jsorc: missing parameter: name\n"
    recorder.answers["/js_admin/jsorc_actions_load"] = Answer(
        {"success": False, "message": "no module 'x'"})
    done = jsorc("actions", "load", "x", "module")
    assert done.returncode == 1
    assert json.loads(done.stdout)["message"] == "no module 'x'"


@pytest.mark.parametrize(("status", "detail", "words"), [
    (401, "Invalid token.", "jsorc: Invalid token; run 'jsorc login URL'"),
    (403, "You do not have permission to perform this action.", "action; log in with an account"),
    (404, "Not found.", "Not found."),
    (500, "worker ended", "worker ended"),
])
def test_status_code_is_told_as_the_original_does(jsorc, recorder, status, detail, words):
    recorder.answers["/js_admin/config_get"] = Answer({"detail": detail}, status)
    done = jsorc("config", "get", "X")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Status Code Error {status}\n")
    assert words in done.stderr


@pytest.mark.parametrize(("status", "answer", "lines"), [
    (422, {"detail": [{"loc": ["body", "boxes", 1, "width"], "msg": "field required"},
                      {"loc": ["body"], "msg": "value is not a valid dict"}]},
     ["jsorc: parameter 'boxes[1].width': field required",
      "jsorc: parameter 'body': value is not a valid dict"]),
    (400, {"error": {"email": ["is taken."], "password": ["is short.", "is known."]}},
     ["jsorc: email: is taken.", "jsorc: password: is short.", "jsorc: password: is known."]),
    (500, {"detail": "'missing'", "type": "KeyError"}, ["jsorc: KeyError: 'missing'"]),
    (500, {"detail": "no value was put", "type": "result"}, ["jsorc: no value was put"]),
    (503, {"detail": "it is not running", "type": "Unavailable"}, ["jsorc: it is not running"]),
])
def test_what_was_wrong_is_told_in_lines(jsorc, recorder, status, answer, lines):
    recorder.answers["/actions/a.b"] = Answer(answer, status)
    assert jsorc("call", "a.b").stderr.splitlines() == [f"Status Code Error {status}", *lines]


def test_answer_that_is_no_json_is_shown_all_the_same(jsorc, recorder):
    recorder.answers["/js_admin/config_get"] = Answer(
        b"<html>proxy</html>", 502, {"Content-Type": "text/html"})
    done = jsorc("config", "get", "X")
    assert done.returncode == 1
    assert "<html>proxy</html>" in done.stderr


# ---- call


@pytest.mark.parametrize(("words", "body"), [
    (["--text", "hi", "--n", "5", "--on", "true", "--off", "False", "--no", "None"],
     {"text": "hi", "n": 5, "on": True, "off": False, "no": None}),
    (["--text=a=b", "--flag", "--list", "[1, 2]", "--map", '{"a": null}'],
     {"text": "a=b", "flag": True, "list": [1, 2], "map": {"a": None}}),
    (["--text:str", "5", "--n:float", "5", "--id", "12345678901234567890123"],
     {"text": "5", "n": 5.0, "id": "12345678901234567890123"}),
    (["-text", "hi", "--n", "-5", "--dash", "-"], {"text": "hi", "n": -5, "dash": "-"}),
    (["--output", "x", "--timeout", "3", "--url", "u"],
     {"output": "x", "timeout": 3, "url": "u"}),
    (['{"text": "a", "n": 1}', "--n", "2"], {"text": "a", "n": 2}),
    (["--n", "2", '{"text": "a", "n": 1}'], {"text": "a", "n": 2}),
    (["--note", "@note.txt", "--data", "@data.json", "--raw:base64", "@raw.bin", "--at", "@@x"],
     {"note": "5\n", "data": [1], "raw": "/wA=", "at": "@x"}),
    (["@data2.json", "-o", "json"], {"k": "v"}),
    ([], {}),
])
def test_call_arguments(jsorc, recorder, tmp_path, words, body):
    (tmp_path / "note.txt").write_text("5\n")
    (tmp_path / "data.json").write_text("[1]")
    (tmp_path / "data2.json").write_text('{"k": "v"}')
    (tmp_path / "raw.bin").write_bytes(b"\xff\x00")
    recorder.answers["/actions/text.split"] = Answer("done")
    done = jsorc("call", "text.split", *words)
    assert done.returncode == 0, done.stderr
    assert recorder.last().path == "/actions/text.split"
    assert recorder.last().json() == body
    assert done.stdout == ('"done"\n' if "-o" in words else "done\n")


def test_call_arguments_on_standard_input(jsorc, recorder):
    jsorc("call", "a.b", stdin='{"text": "hi"}')
    assert recorder.last().json() == {"text": "hi"}
    jsorc("call", "a.b", "-", "--n", "1", stdin='{"text": "hi"}')
    assert recorder.last().json() == {"text": "hi", "n": 1}
    jsorc("call", "a.b", "--n", "1", stdin='{"text": "not read"}')
    assert recorder.last().json() == {"n": 1}
    assert jsorc("call", "a.b", stdin="[1]").returncode == 2
    assert "standard input: " in jsorc("call", "a.b", stdin="{").stderr


@pytest.mark.parametrize(("words", "told"), [
    ([], "argument ACTION is missing"),
    (["--text", "hi"], "ACTION comes first"),
    (["a.b", "hi"], "argument 'hi' has no name: write --NAME 'hi'"),
    (["a.b", "--x:hex", "5"], "unknown form ':hex'"),
    (["a.b", "--n:int", "x"], "--n: 'x' is no whole number"),
    (["a.b", "--n:int"], "--n: it needs a value"),
    (["a.b", "--f", "@/no/file"], "--f: cannot read '/no/file': No such file or directory"),
    (["a.b", "{"], "the arguments: JSON parse error"),
    (["a.b", "-o"], "option '-o' needs a value"),
    (["a.b", "--=5"], "names no parameter"),
])
def test_call_that_cannot_be_read(jsorc, recorder, words, told):
    done = jsorc("call", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert recorder.requests == []


def test_call_that_fails(jsorc, recorder):
    recorder.answers["/actions/a.b"] = Answer(
        {"detail": [{"loc": ["body", "text"], "msg": "field required",
                     "type": "value_error.missing"}]}, 422)
    done = jsorc("call", "a.b")
    assert done.returncode == 1
    assert "jsorc: parameter 'text': field required\n" in done.stderr
    recorder.answers["/actions/a.b"] = Answer(
        {"detail": "boom", "type": "ValueError", "traceback": "Traceback ..."}, 500)
    done = jsorc("call", "a.b")
    assert (done.returncode, done.stdout) == (1, "")
    assert "jsorc: ValueError: boom\nTraceback ...\n" in done.stderr


def test_call_with_timing(jsorc, recorder):
    recorder.answers["/actions/a.b"] = Answer(1, headers={"Server-Timing": "exec;dur=0.421"})
    done = jsorc("call", "a.b", "-t")
    assert done.stdout == "1\n"
    assert done.stderr.startswith("executed in 0.421 ms, answered in ")


def test_call_that_returns_no_json(jsorc, recorder, tmp_path):
    recorder.answers["/actions/a.b"] = Answer(b"\x89PNG\r\n", headers={"Content-Type": "image/png"})
    jsorc("call", "a.b", "-o", "page.png")
    assert (tmp_path / "page.png").read_bytes() == b"\x89PNG\r\n"


def test_action_name_is_escaped_in_the_path(jsorc, recorder):
    jsorc("call", "a/../b c?")
    assert recorder.last().path == "/actions/a%2F..%2Fb%20c%3F"


# ---- the way to the daemon


def test_no_daemon(env, tmp_path):
    done = run("health", env={**env, "JSORC_STATE": str(tmp_path / "nothing")})
    assert done.returncode == 3
    assert "cannot reach the daemon at" in done.stderr
    assert "no such socket; start it with 'jsorc serve'" in done.stderr


def test_daemon_that_left_its_socket_behind(env, recorder, jsorc):
    recorder.close()
    done = jsorc("health")
    assert done.returncode == 3
    assert "Connection refused; start it with 'jsorc serve'" in done.stderr
    assert not [thread for thread in recorder.threads if thread.is_alive()]
    recorder.close = lambda: None


def test_state_folder_with_too_long_a_path(env):
    done = run("health", env={**env, "JSORC_STATE": "/tmp/" + "x" * 120})
    assert done.returncode == 3
    assert "a socket's path has at most 107 bytes" in done.stderr


def test_no_daemon_at_an_address(env):
    done = run("--url", f"http://127.0.0.1:{free_port()}", "health", env=env)
    assert done.returncode == 3
    assert "Connection refused; check the address" in done.stderr


def test_answer_that_does_not_come(jsorc, recorder):
    def late(_request):
        time.sleep(1.5)
        return Answer(True)

    recorder.answers["/actions/a.b"] = late
    done = jsorc("--timeout", "0.2", "call", "a.b")
    assert done.returncode == 1
    assert re.search("no answer from the daemon at '.*' in 0.2 s,", done.stderr)
    assert "--timeout SECONDS" in done.stderr


def test_timeout_of_an_operation_is_its_own(jsorc, recorder):
    jsorc("actions", "load", "a", "module", "-timeout", "600")
    assert recorder.last().json()["timeout"] == 600


@pytest.mark.parametrize("given", ["option", "environment"])
def test_token_goes_to_the_address_and_is_not_shown(jsorc, recorder, given):
    if given == "option":
        done = jsorc("--url", recorder.url, "--token", "s3cret", "config", "get", "X")
    else:
        done = jsorc("config", "get", "X", JSORC_URL=recorder.url + "/", JSORC_TOKEN="s3cret")
    assert done.returncode == 0, done.stderr
    assert recorder.last().headers["Authorization"] == "Token s3cret"
    assert "s3cret" not in done.stdout + done.stderr


def test_token_from_a_file_stays_out_of_the_process_list(jsorc, recorder, tmp_path):
    (tmp_path / "token").write_text("s3cret")
    jsorc("--url", recorder.url, "--token", "@token", "config", "get", "X")
    assert recorder.last().headers["Authorization"] == "Token s3cret"


def token_answer(request):
    if request.body == b"email=ann%40example.com&password=p%26ss%20word":
        return Answer({"expiry": None, "token": "t0ken"})
    return Answer({"non_field_errors": ["Unable to authenticate with provided credentials"]}, 400)


def test_login_and_logout(jsorc, recorder, tmp_path):
    recorder.answers["/user/token/"] = token_answer
    done = jsorc("login", recorder.url + "/", "-u", "ann@example.com", "-p", "p&ss word")
    assert done.returncode == 0, done.stderr
    assert recorder.last().headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "t0ken" not in done.stdout + done.stderr
    session = tmp_path / "state" / "js.session"
    assert stat.S_IMODE(session.stat().st_mode) == 0o600

    assert jsorc("config", "get", "X").returncode == 0
    assert recorder.last().headers["Authorization"] == "Token t0ken"
    jsorc("--local", "config", "get", "X")
    assert "Authorization" not in recorder.last().headers

    assert jsorc("logout").stdout == "Logout successful!\n"
    assert not session.exists()
    assert jsorc("logout").stdout == "You are not logged in!\n"


def test_login_with_a_wrong_password(jsorc, recorder, tmp_path):
    recorder.answers["/user/token/"] = token_answer
    done = jsorc("login", recorder.url, "-u", "ann@example.com", "-p", "-", stdin="wrong\n")
    assert done.returncode == 1
    assert "Unable to authenticate with provided credentials" in done.stderr
    assert "wrong" not in done.stderr
    assert not (tmp_path / "state" / "js.session").exists()


def test_login_without_an_account(jsorc, recorder):
    recorder.answers["/js_public/health"] = Answer(True)
    assert jsorc("publogin", recorder.url).returncode == 0
    jsorc("actions", "list")
    assert "Authorization" not in recorder.last().headers
    assert recorder.last().headers["Host"] in recorder.url


def test_session_in_a_file_of_one_s_own(jsorc, recorder, tmp_path):
    recorder.answers["/user/token/"] = token_answer
    jsorc("-f", "my.session", "login", recorder.url, "-u", "ann@example.com", "-p", "p&ss word")
    assert (tmp_path / "my.session").exists()
    jsorc("-f", "my.session", "config", "get", "X")
    assert recorder.last().headers["Authorization"] == "Token t0ken"


def test_session_that_others_can_read_is_not_used(jsorc, recorder, tmp_path):
    session = tmp_path / "state" / "js.session"
    session.write_text(json.dumps({"url": recorder.url, "token": "t0ken"}))
    session.chmod(0o644)
    done = jsorc("config", "get", "X")
    assert done.returncode == 2
    assert "open to other users" in done.stderr
    assert recorder.requests == []


# ---- scripts


def test_script(jsorc, recorder, tmp_path):
    (tmp_path / "lines").write_text(
        "# what the original's users write\n"
        "jsorc actions load use_enc -mode module\n"
        "\n"
        "actions load local '/srv/my file.py'   # a comment\n"
        'walker run w -ctx \'{"text": "a b"}\'\n')
    done = jsorc("script", "lines")
    assert done.returncode == 0, done.stderr
    assert [request.json() for request in recorder.requests] == [
        {"name": "use_enc", "mode": "module"}, {"file": "/srv/my file.py"},
        {"name": "w", "ctx": {"text": "a b"}}]


def test_script_ends_at_a_failure_unless_told_otherwise(jsorc, recorder, tmp_path):
    (tmp_path / "lines").write_text("nonsense\nactions list\n")
    done = jsorc("script", "lines")
    assert done.returncode == 2
    assert "lines:1: status 2" in done.stderr
    assert recorder.requests == []
    done = jsorc("script", "-k", "lines")
    assert done.returncode == 2
    assert len(recorder.requests) == 1


def test_script_logs_in_for_itself(jsorc, recorder, tmp_path):
    recorder.answers["/user/token/"] = token_answer
    (tmp_path / "lines").write_text(
        f"login {recorder.url} -u ann@example.com -p 'p&ss word' -m\nconfig get X\n")
    done = jsorc("script", "lines")
    assert done.returncode == 0, done.stderr
    assert recorder.last().headers["Authorization"] == "Token t0ken"
    assert not (tmp_path / "state" / "js.session").exists()


def test_script_that_runs_itself_ends(jsorc, tmp_path):
    (tmp_path / "lines").write_text("script lines\n")
    done = jsorc("script", "lines")
    assert done.returncode == 1
    assert "more than 8 deep" in done.stderr


# ---- what needs no daemon


def test_init_writes_and_never_overwrites(env, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "actions.py").write_text("mine")
    done = run("init", tmp_path / "shop", env=env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "shop" / "actions.py").read_text() == "mine"
    assert {path.name for path in (tmp_path / "shop").iterdir()} == {
        "jsorc.yaml", "actions.py", "walkers.py", "README.md"}
    done = run("init", "/dev/null/x", env=env)
    assert done.returncode == 1
    assert "cannot make the folder '/dev/null'" in done.stderr or "Not a directory" in done.stderr


def test_version(env):
    assert run("version", env=env).stdout == run("--version", env=env).stdout
    assert json.loads(run("version", "-o", "json", env=env).stdout)["version"]


def test_help(env):
    overview = run("--help", env=env)
    assert overview.returncode == 0
    assert overview.stdout == run("help", env=env).stdout
    for words in (["help", "actions", "load"], ["actions", "load", "--help"],
                  ["call", "x", "--help"], ["help", "serve"], ["help", "options"]):
        done = run(*words, env=env)
        assert done.returncode == 0
        assert max(map(len, done.stdout.splitlines())) <= 100
    assert run(env=env).returncode == 2  # no command, and no terminal for a shell


def test_every_command_has_help(env):
    listed = run("man", env=env).stdout
    names = [line for line in listed.splitlines() if line.startswith(".BR jsorc")]
    assert len(names) > 20
    for name in names:
        words = name.split()[1].replace("\\-", " ").split(" ")[1:]
        done = run("help", *words, env=env)
        assert done.returncode == 0, words
        usage = done.stdout.splitlines()[0].replace("what-if", "what if")
        assert usage.startswith("Usage: jsorc " + " ".join(words)), usage
        assert "Exit status:" in done.stdout


def test_doctor_finds_what_is_wrong(env, tmp_path):
    state = tmp_path / "home" / "state"
    done = run("--state", state, "doctor", "-o", "json", env=env)
    checks = {row["check"]: row for row in json.loads(done.stdout)}
    assert checks["state"]["level"] == "ok"
    assert checks["daemon"]["level"] == "warn"
    assert "jsorc serve" in checks["daemon"]["fix"]
    assert checks["clock"]["level"] != "fail"

    done = run("--state", "/proc/nothing", "doctor", "--python", "/no/python", "-o", "json",
               env=env)
    checks = {row["check"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert checks["python"]["level"] == "fail"
    assert "/no/python" in checks["python"]["text"]
    assert all(row["fix"] for row in checks.values() if row["level"] != "ok")


def test_doctor_sees_an_old_interpreter(env, tmp_path):
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\necho \'{"version": "3.8.1", "major": 3, "minor": 8, "executable": '
                   '"/usr/bin/python3.8", "implementation": "cpython"}\'\n')
    old.chmod(0o755)
    done = run("doctor", "--python", old, env=env)
    assert done.returncode == 1
    assert "fail  python" in done.stdout
    assert "CPython 3.11 or later" in done.stdout
