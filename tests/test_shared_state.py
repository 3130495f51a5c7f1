"""The state in PostgreSQL: moved there from a file, out of reach for a while, shared by daemons."""

import contextlib
import os
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kube_api import KubeApi
from placement import TEXT
from programs import wait_until

PASSWORD = "correct horse"
LEASE_S = 2
OUTAGE = r"the state cannot be reached|was not saved|is taken in later"


@pytest.fixture
def shared(serve, database):
    """shared(*sources, options=()) -> a daemon on the test's database."""

    def start(*sources, options=(), **more):
        daemon = serve(*sources, options=("--state-url", more.pop("url", database), "--lease-s",
                                          LEASE_S, "--probe-interval-s", "0.5", *options), **more)
        daemon.expect_log(OUTAGE)
        return daemon

    return start


@pytest.fixture(params=["postgresql", "kubernetes"])
def lease(request, write):
    """Options by which daemons agree on who decides."""
    if request.param == "postgresql":
        yield ()
        return
    with KubeApi() as api:
        yield ("--lease", "kubernetes", "--kubeconfig",
               write("kubeconfig", api.kubeconfig("default")))


def state(daemon):
    return daemon.op("jsorc_status")["state"]


def leads(daemon):
    return state(daemon)["leads"]


def wanted(daemon):
    return {module["name"]: (module["wanted"], module["state"])
            for module in daemon.op("jsorc_status")["modules"]}


def create(daemon, email):
    assert daemon.post("/user/create/", {"email": email, "password": PASSWORD}).status == 201
    return login(daemon, email)


def login(daemon, email):
    answer = daemon.post("/user/token/", {"email": email, "password": PASSWORD})
    assert answer.status == 200, answer.body
    return answer.json()["token"]


def shown(daemon, token):
    return daemon.get("/user/manage/", token=token)


def copied_places(daemon):
    with contextlib.closing(sqlite3.connect(daemon.state / "copy.db")) as copy:
        return [f'"{place}"' for place, in copy.execute("SELECT place FROM modules")]


def answers(daemon):
    try:
        return daemon.call("text.pid").status == 200
    except OSError:
        return False


class Calls:
    """Calls an action all the time; every answer must be good."""

    def __init__(self, daemon, action="text.tag"):
        self.daemon, self.action = daemon, action
        self.good, self.bad, self.end = 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.end.is_set():
            try:
                reply = self.daemon.call(self.action)
                ok = reply.status == 200
            except OSError as error:
                ok, reply = False, error
            if ok:
                self.good += 1
            else:
                self.bad.append(reply)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()
        assert not self.bad and self.good > 0, (len(self.bad), self.good, self.bad[:3])

    def some_more(self, count=20):
        seen = self.good
        wait_until(lambda: self.bad or self.good >= seen + count, 60, "more calls")


# ---- from a file into a database


def test_a_state_moves_into_a_database_whole_and_once(serve, shared, write, database):
    old = serve(write("text.py", TEXT))
    token = create(old, "ann@example.org")
    old.op("config_set", name="MINE", value="text", do_check=False)
    assert old.op("jsorc_actions_load", name="text", mode="remote", wait=True)["success"]
    old.op("jsorc_actionpolicy_set", policy_name="evaluation", policy_params={"eval_phase": 60})
    refused = old.cli("state", "migrate", "--to", database)
    assert refused.returncode == 1 and "another jsorc" in refused.stderr, "it is in use"
    old.stop()
    secret = database.replace("jsorc@", "jsorc:hidden@")
    for what in ("copied to", "holds this state already"):
        done = old.cli("state", "migrate", "--to", secret)
        assert done.returncode == 0 and what in done.stdout, done.stderr
        assert "hidden" not in done.stdout + done.stderr
        assert "users             1 rows, the same in both" in done.stdout

    new = shared()
    assert shown(new, token).json()["email"] == "ann@example.org"
    assert new.op("config_get", name="MINE", do_check=False) == "text"
    assert new.op("jsorc_actionpolicy_get")["policy"] == "Evaluation"
    wait_until(lambda: wanted(new) == {"text": ("remote", "ready")}, 60, "the placement of before")
    assert not (new.state / "jsorc.db").exists()
    new.op("config_set", name="MINE", value="later", do_check=False)
    new.stop()
    refused = old.cli("state", "migrate", "--to", database)
    assert refused.returncode == 1 and "holds another state already" in refused.stderr
    assert old.cli("state", "migrate", "--to", database, "--replace").returncode == 0


# ---- out of reach


@pytest.mark.parametrize("fault", ["stopped", "frozen"])
def test_serving_goes_on_and_changes_wait_while_the_database_is_away(shared, lease, write,
                                                                     database_server, database,
                                                                     fault):
    daemon = shared(write("text.py", TEXT), options=lease)
    token = create(daemon, "ann@example.org")
    wait_until(lambda: leads(daemon), 60, "a leader")
    with Calls(daemon) as calls, ThreadPoolExecutor(1) as pool:
        if fault == "stopped":
            database_server.stop()
        else:
            database_server.freeze()
        try:
            wait_until(lambda: not state(daemon)["reached"], 60, "the loss is seen")
            assert "not reached for" in daemon.cli("status", "-o", "table").stdout
            waits = pool.submit(daemon.op, "config_set", name="MINE", value="v", do_check=False)
            wait_until(lambda: state(daemon)["waiting"] == 1, 60, "the change waits")
            calls.some_more()
            wait_until(lambda: not leads(daemon), 60, "without a lease nobody decides")
            assert daemon.get("/healthz").status == 200
        finally:
            if fault == "stopped":
                database_server.start()
            else:
                database_server.thaw()
        assert waits.result(60) == ["Config of 'MINE' to 'v' set!"]
        wait_until(lambda: state(daemon)["reached"] and leads(daemon), 60, "all as before")
        calls.some_more()
    assert daemon.op("config_get", name="MINE", do_check=False) == "v"
    assert shown(daemon, token).status == 200
    assert database_server.sql("SELECT count(*) FROM jsorc.configs", database) == "1"


def test_a_daemon_started_again_without_its_database_serves_on(shared, write, database_server):
    daemon = shared(write("text.py", TEXT))
    daemon.expect_log("daemon ended and is started again")
    token = create(daemon, "ann@example.org")
    assert daemon.op("jsorc_actions_load", name="text", mode="remote", wait=True)["success"]
    before = daemon.call("text.pid").json()
    wait_until(lambda: '"remote"' in str(copied_places(daemon)), 60, "the copy")
    database_server.stop()
    try:
        os.kill(daemon.daemon_pid(), signal.SIGKILL)
        wait_until(lambda: answers(daemon), 60, "calls that are answered again")
        assert daemon.call("text.pid").json() == before, "the pod was adopted"
        assert not state(daemon)["reached"] and shown(daemon, token).status == 401
    finally:
        database_server.start()
    wait_until(lambda: shown(daemon, token).status == 200, 60, "logged in as before")
    wait_until(lambda: leads(daemon), 60, "a leader")
    assert daemon.op("jsorc_actions_load", name="text", mode="module", wait=True)["success"]


class Cutter(threading.Thread):
    """Stands between daemon and database. Once armed, it passes the next COMMIT on and cuts the
    connection instead of passing the answer."""

    def __init__(self, folder, server):
        super().__init__(daemon=True)
        self.path = Path(folder) / ".s.PGSQL.5432"
        self.server = str(server.folder / ".s.PGSQL.5432")
        self.armed, self.cuts = threading.Event(), 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.server)
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=(source, target, client),
                                 daemon=True).start()

    def copy(self, source, target, client):
        try:
            while data := source.recv(65536):
                if source is client and self.armed.is_set() and b"COMMIT" in data:
                    self.armed.clear()
                    self.cuts += 1
                    target.sendall(data)
                    target.recv(65536)  # the answer: it is committed
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def cutter(database_server):
    folder = database_server.folder / "cut"
    folder.mkdir(exist_ok=True)
    made = Cutter(folder, database_server)
    yield made
    made.close()
    made.path.unlink()


def test_a_change_whose_answer_was_lost_is_made_once(shared, cutter, database, database_server):
    url = database.replace(str(database_server.folder), str(cutter.path.parent))
    daemon = shared(url=url)
    token = create(daemon, "first@example.org")
    for i in range(2):
        cutter.armed.set()
        answer = daemon.post("/user/create/", {"email": f"{i}@example.org", "password": PASSWORD},
                             token=token)
        assert answer.status == 201, answer.body
        assert not cutter.armed.is_set()
    assert cutter.cuts == 2
    assert database_server.sql("SELECT count(*), count(DISTINCT email), max(id) FROM jsorc.users",
                               database) == "3|3|3"


# ---- shared by daemons


def test_daemons_serve_from_the_same_state(shared, write):
    first, second = shared(write("text.py", TEXT)), shared()
    wait_until(lambda: leads(first) != leads(second), 60, "one that decides")
    assert state(first)["leader"] == state(second)["leader"]
    wait_until(lambda: wanted(second) == {"text": ("module", "ready")}, 60, "its module there, too")
    assert second.call("text.tag").status == 200
    assert second.call("text.pid").json() != first.call("text.pid").json(), "workers of its own"

    for asked, other in ((first, second), (second, first)):
        for mode in ("remote", "module"):
            assert asked.op("jsorc_actions_load", name="text", mode=mode, wait=True)["success"]
            wait_until(lambda: wanted(other) == {"text": (mode, "ready")},  # noqa: B023
                       60, f"{mode} there, too")

    token = create(first, "ann@example.org")
    wait_until(lambda: shown(second, token).status == 200, 60, "the token there, too")
    assert not (second.state / "bootstrap-token").exists(), "the first account is made"
    other_token = login(second, "ann@example.org")
    wait_until(lambda: shown(first, other_token).status == 200, 60, "and the other way")
    assert second.post("/user/logout_everyone/", token=other_token).status < 300
    wait_until(lambda: shown(first, token).status == 401, 60, "nobody is logged in any more")

    first.op("config_set", name="MINE", value="text", do_check=False)
    assert second.op("config_get", name="MINE", do_check=False) == "text"
    assert second.op("actions_load_local", file=str(write("more.py", TEXT)))["success"]
    wait_until(lambda: first.call("more.tag").status == 200, 60, "a module of the other's")
    assert first.op("actions_unload_module", name="more")["success"]
    wait_until(lambda: "more" not in wanted(second), 60, "gone there, too")
    assert second.call("text.tag").status == 200


def test_only_the_leader_runs_the_policy_and_the_others_follow_what_it_keeps(shared, write,
                                                                            database_server,
                                                                            database):
    # A lease that outlasts any pause of a busy machine: another leader would begin another run.
    options = ("--policy-phase-s", "0.5", "--lease-s", "60")
    first = shared(write("text.py", TEXT), options=options)
    second = shared(options=options)
    wait_until(lambda: leads(first) != leads(second), 60, "one that decides")
    leader, other = (first, second) if leads(first) else (second, first)
    wait_until(lambda: wanted(other) == {"text": ("module", "ready")}, 60, "the follower's worker")
    answer = other.op("jsorc_actionpolicy_set", policy_name="evaluation",
                      policy_params={"eval_phase": 0.5, "perf_phase": 3600})
    assert answer["success"], answer
    with Calls(leader, "text.pid"), Calls(other, "text.pid"):
        wait_until(lambda: (leader.op("jsorc_actionpolicy_get")["state"] or {}).get("settled"),
                   120, "the policy's choice")
        place = leader.op("jsorc_actionpolicy_get")["state"]["answer"]["placement"]["text"]
        kept = {"text": ("module" if place == "module" else "remote", "ready")}
        wait_until(lambda: wanted(leader) == kept and wanted(other) == kept, 60, "the same place")
    assert other.op("jsorc_actionpolicy_get")["state"]["phases"] == 0
    runs = database_server.sql("SELECT count(DISTINCT run) FROM jsorc.decisions", database)
    assert runs == "1", "one of them decided"
    lines = other.op("jsorc_actionpolicy_record")["lines"]
    assert len(lines) > 2, "the record is shared"


def test_another_daemon_decides_when_the_leader_is_killed(shared, lease, write, capsys):
    first, second = shared(write("text.py", TEXT), options=lease), shared(options=lease)
    wait_until(lambda: leads(first) != leads(second), 60, "one that decides")
    leader, other = (first, second) if leads(first) else (second, first)
    number = state(other)["leader_number"]
    wait_until(lambda: wanted(other) == {"text": ("module", "ready")}, 60, "the follower's worker")
    with Calls(other) as calls:
        calls.some_more()
        leader.killed = True
        killed_at = time.monotonic()
        # The supervisor first sleeps: its end would be the daemon's orderly one.
        os.kill(leader.process.pid, signal.SIGSTOP)
        os.kill(leader.daemon_pid(), signal.SIGKILL)
        leader.kill()
        wait_until(lambda: leads(other), 60, "another one that decides")
        took_s = time.monotonic() - killed_at
        answer = other.op("jsorc_actions_load", name="text", mode="remote", wait=True)
        assert answer["success"], answer
        calls.some_more()
    with capsys.disabled():
        print(f"\nleader killed (lease {LEASE_S} s): another one decided after {took_s:.2f} s; "
              f"{calls.good} calls by the other, 0 failed")
    assert state(other)["leader_number"] > number
    leader.start()
    wait_until(lambda: wanted(leader) == {"text": ("remote", "ready")}, 60, "it follows")
    wait_until(lambda: leads(leader) != leads(other), 60, "one that decides")


def test_an_orderly_end_hands_the_lease_over(shared, lease, write):
    first = shared(write("text.py", TEXT), options=("--lease-s", "300", *lease))
    wait_until(lambda: leads(first), 60, "a leader")
    second = shared(options=("--lease-s", "300", *lease))
    assert not leads(second)
    assert first.stop() == 0
    wait_until(lambda: leads(second), 60, "the next one, long before the lease would end")


def test_a_leader_that_hung_learns_that_it_leads_no_more(shared, lease, write):
    first, second = shared(write("text.py", TEXT), options=lease), shared(options=lease)
    wait_until(lambda: leads(first) != leads(second), 60, "one that decides")
    leader, other = (first, second) if leads(first) else (second, first)
    pid = leader.daemon_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: leads(other), 60, "another one that decides")
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: leads(leader) != leads(other) and
               state(leader)["leader"] == state(other)["leader"], 60, "the former one knows")
