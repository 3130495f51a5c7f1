"""The command line and a daemon that runs."""

import json
import os
import re
import signal
import subprocess
import threading

import pytest
from programs import JSORC, wait_until
from recorder import clean_environment, run

TEXT = '''
import os
import sys
import time

import jsorc


@jsorc.action
def split(text: str, n: int = 0) -> list[str]:
    words = text.split()
    return words[:n] if n else words


@jsorc.action
def where() -> int:
    return os.getpid()


@jsorc.action
def say(text: str) -> None:
    print(text, flush=True)


@jsorc.action
def fail() -> None:
    raise ValueError("no luck")


@jsorc.action
def nap(seconds: float) -> str:
    time.sleep(seconds)
    return "rested"
'''

WALKERS = '''
import jsorc


@jsorc.walker
def count(text: str) -> int:
    return len(jsorc.call("text.split", text=text))
'''


@pytest.fixture
def daemon(serve, write):
    daemon = serve(write("text.py", TEXT), write("walkers.py", WALKERS))
    wait_until(lambda: "text.split" in daemon.cli("actions", "list").stdout, 30, "its modules")
    return daemon


@pytest.fixture
def env(tmp_path):
    (tmp_path / "home").mkdir()
    return clean_environment(tmp_path / "home")


def module_of(daemon, name):
    status = json.loads(daemon.cli("status", "-o", "json").stdout)
    return next(module for module in status["modules"] if module["name"] == name)


def test_call_and_walker(daemon):
    done = daemon.cli("call", "text.split", "--text", "a b c", "--n", "2")
    assert (json.loads(done.stdout), done.returncode) == (["a", "b"], 0)
    done = daemon.cli("call", "text.split", stdin='{"text": "x y"}')
    assert json.loads(done.stdout) == ["x", "y"]
    done = daemon.cli("call", "text.split", "--text", "a", "-t")
    assert "executed in " in done.stderr
    done = daemon.cli("walker", "run", "count", "-ctx", '{"text": "a b c"}')
    assert json.loads(done.stdout)["report"] == [3]


def test_call_that_fails(daemon):
    done = daemon.cli("call", "text.fail")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no luck" in done.stderr
    done = daemon.cli("call", "text.split")
    assert done.returncode == 1
    assert "text" in done.stderr
    done = daemon.cli("call", "text.spilt", "--text", "a")
    assert done.returncode == 1
    assert "text.spilt" in done.stderr
    done = daemon.cli("--timeout", "0.3", "call", "text.nap", "--seconds", "1.5")
    assert done.returncode == 1
    assert "no answer from the daemon" in done.stderr


@pytest.mark.parametrize(("words", "told"), [
    (["count", "--text", "a b"],
     """'count' is a walker: jsorc walker run count -ctx '{"text":"a b"}'"""),
    (["text.spilt"], "did you mean 'text.split'?"),
    (["split"], "did you mean 'text.split'?"),
])
def test_a_name_that_is_no_action_s_is_answered_with_what_may_be_meant(daemon, words, told):
    done = daemon.cli("call", *words)
    assert done.returncode == 1
    assert f"there is no action '{words[0]}'" in done.stderr
    assert told in done.stderr
    unlike = daemon.cli("call", "nothing.like.it")
    assert "did you mean" not in unlike.stderr and "is a walker" not in unlike.stderr


def test_status(daemon):
    daemon.cli("call", "text.split", "--text", "a")
    daemon.cli("call", "text.fail")
    text = daemon.cli("status", "-o", "table").stdout
    assert f"http://127.0.0.1:{daemon.port}" in text
    header = next(line for line in text.splitlines() if line.startswith("MODULE"))
    assert header.split() == ["MODULE", "PLACE", "STATE", "MiB", "ACTION", "CALLS", "FAILED",
                              "P50", "ms", "P99", "ms"]
    rows = {line.split()[-5]: line.split() for line in text.splitlines() if " text." in line}
    assert rows["text.split"][-4:-2] == ["1", "0"]
    assert float(rows["text.split"][-2]) > 0
    assert rows["text.fail"][-4:-2] == ["1", "1"]
    assert module_of(daemon, "text")["place"] == "module"


def test_status_is_watched(daemon):
    with subprocess.Popen([JSORC, "--state", daemon.state, "status", "-w", "-i", "0.1", "-o",
                           "table"], stdout=subprocess.PIPE, text=True) as watch:
        watchdog = threading.Timer(30, watch.kill)
        watchdog.start()
        seen = 0
        for line in watch.stdout:
            seen += line.startswith("MODULE")
            if seen == 3:
                break
        watchdog.cancel()
        watch.send_signal(signal.SIGINT)
        watch.stdout.read()
        assert watch.wait(10) == -signal.SIGINT


def test_move_and_back(daemon):
    before = daemon.cli("call", "text.where").stdout
    done = daemon.cli("actions", "load", "text", "-mode", "remote", "-wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert module_of(daemon, "text")["place"] == "remote"
    assert daemon.cli("call", "text.where").stdout != before
    done = daemon.cli("jsorc", "actions", "load", "text", "-mode", "module", "-wait")
    assert json.loads(done.stdout)["action_status"]["mode"] == "module"


def test_load_and_unload_by_hand(daemon, write, tmp_path):
    write("later.py", "import jsorc\n\n\n@jsorc.action\ndef one() -> int:\n    return 1\n")
    done = subprocess.run([JSORC, "--state", daemon.state, "actions", "load", "local", "later.py"],
                          cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert daemon.cli("call", "later.one").stdout == "1\n"
    assert "later.one" in json.loads(daemon.cli("actions", "list").stdout)
    assert daemon.cli("actions", "list", "-name", "later").stdout == '[\n  "later.one"\n]\n'
    assert daemon.cli("actions", "unload", "later").returncode == 0
    assert daemon.cli("call", "later.one").returncode == 1


def test_load_that_fails(daemon, write):
    daemon.expect_log("nonexistent_package|broken")
    path = write("broken.py", "import nonexistent_package\n")
    done = daemon.cli("actions", "load", "local", path)
    assert done.returncode == 1
    assert "nonexistent_package" in done.stdout + done.stderr
    done = daemon.cli("actions", "load", "nobody", "-mode", "module")
    assert done.returncode == 1


def test_configs(daemon):
    assert daemon.cli("config", "set", "CONFIG_EXAMPLE", '{"a": 1}').returncode == 0
    assert json.loads(daemon.cli("config", "get", "CONFIG_EXAMPLE").stdout) == {"a": 1}
    assert json.loads(daemon.cli("config", "exists", "CONFIG_EXAMPLE").stdout) is True


def test_logs(daemon):
    daemon.cli("call", "text.say", "--text", "first line")
    wait_until(lambda: "first line" in daemon.cli("logs").stdout, 10, "the line in the log")
    for line in ("second line", "third line"):
        daemon.cli("call", "text.say", "--text", line)
    wait_until(lambda: "third line" in daemon.cli("logs").stdout, 10, "the line in the log")
    assert daemon.cli("logs", "-n", "0").stdout == ""
    assert daemon.cli("logs", "-n", "2").stdout == "second line\nthird line\n"
    assert "serving" in daemon.cli("logs", "daemon").stdout
    done = daemon.cli("logs", "nobody")
    assert done.returncode == 1
    assert "there is no log of 'nobody'" in done.stderr


def test_logs_are_followed(daemon):
    daemon.cli("call", "text.say", "--text", "begin")
    wait_until(lambda: "begin" in daemon.cli("logs").stdout, 10, "the line in the log")
    with subprocess.Popen([JSORC, "--state", daemon.state, "logs", "-f", "-n", "1"],
                          stdout=subprocess.PIPE, text=True) as follow:
        watchdog = threading.Timer(30, follow.kill)  # a line that does not come ends the test
        watchdog.start()
        assert follow.stdout.readline() == "begin\n"
        for number in range(3):
            daemon.cli("call", "text.say", "--text", f"line {number}")
        lines = [follow.stdout.readline() for _ in range(3)]
        assert lines == ["line 0\n", "line 1\n", "line 2\n"]
        watchdog.cancel()
        follow.send_signal(signal.SIGINT)
        assert follow.wait(10) == -signal.SIGINT


def test_accounts_over_tcp(daemon, env):
    """The first account, a login by address, and what it may do there."""
    here = {**env, "JSORC_STATE": str(daemon.folder / "other")}
    done = daemon.cli("master", "createsuper", "ann@example.com", "-password", "long-enough")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run("--url", daemon.url, "actions", "list", env=here)
    assert done.returncode == 1
    assert done.stderr.startswith("Status Code Error 401\n")
    done = run("login", daemon.url, "-u", "ann@example.com", "-p", "-", env=here,
               stdin="long-enough\n")
    assert done.returncode == 0, done.stderr
    assert "text.split" in json.loads(run("actions", "list", env=here).stdout)
    assert json.loads(run("health", env=here).stdout) is True
    run("logout", env=here)
    assert run("actions", "list", env=here).returncode == 3


def test_tls(serve, tmp_path, env):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "1", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
         "-out", cert, "-keyout", key], check=True, capture_output=True, timeout=60)
    daemon = serve(options=["--tls-cert", cert, "--tls-key", key], start=False)
    daemon.start(wait=False)
    wait_until(lambda: daemon.cli("health").returncode == 0, 20, "an answer on its socket")
    url = f"https://127.0.0.1:{daemon.port}"
    assert run("--url", url, "--ca", cert, "health", env=env).stdout == "true\n"
    done = run("--url", url, "health", env=env)
    assert done.returncode == 3
    assert "cannot speak TLS" in done.stderr
    assert "--ca FILE" in done.stderr
    done = run("--url", url, "--ca", tmp_path / "none.pem", "health", env=env)
    assert done.returncode == 3
    assert "none.pem" in done.stderr
    done = run("--url", url.replace("https", "http"), "health", env=env)
    assert done.returncode in (1, 3)
    assert "https://" in done.stderr


def test_doctor_is_content(daemon):
    done = daemon.cli("doctor", "-o", "json")
    checks = {row["check"]: row for row in json.loads(done.stdout)}
    assert checks["daemon"]["level"] == "ok", checks["daemon"]
    assert checks["extension"]["level"] == "ok", checks["extension"]
    assert {name for name, row in checks.items() if row["level"] == "fail"} == set()
    assert done.returncode == 0


def test_project_of_init_works(serve, tmp_path, env):
    assert run("init", tmp_path / "shop", env=env).returncode == 0
    daemon = serve(tmp_path / "shop")
    done = daemon.cli("call", "text.words", "--text", "Hello, big world")
    assert json.loads(done.stdout) == ["hello", "big", "world"]
    done = daemon.cli("walker", "run", "describe", "-ctx", '{"text": "Hello, big world"}')
    assert json.loads(done.stdout)["report"] == [{
        "figures": {"characters": 16, "words": 3, "lines": 1},
        "begins": ["hello", "big", "world"]}]


def test_settings_that_init_writes_are_the_defaults(serve, tmp_path, env):
    """Each commented setting, put in force, is accepted as it stands."""
    run("init", tmp_path / "shop", env=env)
    text = (tmp_path / "shop" / "jsorc.yaml").read_text()
    names = re.findall(r"^# ([a-z_]+): ", text, re.MULTILINE)
    assert {"listen", "state", "python", "modules", "timeout_s"} <= set(names)
    (tmp_path / "shop" / "jsorc.yaml").write_text(
        re.sub(r"^# ([a-z_]+: )", r"\1", text, flags=re.MULTILINE))
    daemon = serve(tmp_path / "shop")
    wait_until(lambda: "text.words" in daemon.cli("actions", "list").stdout, 30, "its modules")


def test_completion_knows_the_daemon_s_names(daemon):
    done = daemon.cli("__complete", "call", "text.s")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [
        "text.say", "text.split", ":"]
    done = daemon.cli("__complete", "actions", "unload", "te")
    assert "text\t" in done.stdout


def test_bench_overhead(env, tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    plausible = False
    for _ in range(3):  # a busy machine may turn the order round once
        done = run("bench", "overhead", "-n", "200", "--warmup", "50", "-o", "json",
                   env={**env, "TMPDIR": str(folder)})
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["pairs"] == 200
        assert 0 < report["worker"]["median_us"]
        assert list(folder.iterdir()) == []
        plausible |= (report["worker"]["median_us"] < report["daemon"]["median_us"] and
                      report["ratio_median"] > 1)
    assert plausible, "a call through the daemon takes longer than one straight to the worker"


def test_bench_that_cannot_start_says_why_and_leaves_nothing(env, tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    done = run("bench", "overhead", "--python", "/nonexistent/python", "-o", "json",
               env={**env, "TMPDIR": str(folder)})
    assert done.returncode == 1
    assert "/nonexistent/python" in done.stderr
    assert list(folder.iterdir()) == []


def test_bench_ends_when_interrupted(env, tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    with subprocess.Popen([JSORC, "bench", "overhead", "-n", "1000000"],
                          env={**env, "TMPDIR": str(folder)}, stderr=subprocess.PIPE,
                          text=True) as bench:
        children = f"/proc/{bench.pid}/task/{bench.pid}/children"
        wait_until(lambda: len(open(children).read().split()) == 2, 20, "both servers")
        pids = [int(pid) for pid in open(children).read().split()]
        bench.send_signal(signal.SIGINT)
        assert bench.wait(30) == 1
        assert "interrupted" in bench.stderr.read()
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
    assert list(folder.iterdir()) == []
