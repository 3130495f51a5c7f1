"""The task queue: walkers that are queued, run by the runtime worker, tried again, scheduled; and
nothing lost when something is killed."""

import contextlib
import os
import signal
import sqlite3

import pytest
from programs import wait_until
from test_api import local

WAIT_S = 60
QUICK = {"backoff_s": 0.01, "backoff_max_s": 0.05}
OFF = "Task hook is not yet initialized!"

WALKERS = """
import os, sqlite3, time
import jsorc

@jsorc.walker
def add(a: int = 1, b: int = 1):
    return a + b

@jsorc.walker
def fail(file: str, times: int = 99):
    with open(file, "a+") as f:
        f.write("x")
        f.seek(0)
        if len(f.read()) <= times:
            raise ValueError("not yet")
    return "at last"

@jsorc.walker
def who():
    headers = jsorc.context().headers
    return [headers["idempotency-key"], headers["x-task-id"], headers["x-task-run"]]

@jsorc.walker
def effect(db: str, value: int, nap: float = 0.0):
    # Effect and key in one transaction: a second run of the task finds the key.
    key = jsorc.context().headers["idempotency-key"]
    time.sleep(nap)
    con = sqlite3.connect(db, timeout=60)
    with con:
        con.execute("INSERT INTO runs VALUES (?)", (key,))
        con.execute("INSERT INTO effects VALUES (?, ?) ON CONFLICT DO NOTHING", (key, value))
    con.close()
    return value
"""


@pytest.fixture
def daemon(serve, write):
    daemon = serve(write("work.py", WALKERS))
    daemon.op("service_config_set", name="task", config=QUICK)
    return daemon


def queue(daemon, name, **ctx):
    answer = local(daemon, "POST", "/js/walker_run",
                   {"name": name, "ctx": ctx, "is_async": True}).json()
    assert answer["is_queued"] is True, answer
    return answer["result"]


def add(daemon, name, ctx=None, **more):
    return local(daemon, "POST", "/js/tasks_add",
                 {"name": name, "ctx": ctx or {}, **more}).json()


def check(daemon, task=""):
    return local(daemon, "GET", f"/js/walker_queue_check?task_id={task}").json()


def wait(daemon, task, timeout=WAIT_S):
    return local(daemon, "GET", f"/js/walker_queue_wait?task_id={task}&timeout={timeout}").json()


def result(answer):
    assert answer["status"] == "SUCCESS", answer
    assert answer["result"]["anchor"] is None
    return answer["result"]["response"]["report"][0]


# ---- the original's operations

def test_a_walker_is_queued_and_its_result_fetched(daemon):
    task = queue(daemon, "add", a=2, b=3)
    assert result(wait(daemon, task)) == 5
    assert result(check(daemon, task)) == 5
    assert check(daemon, "11111111-2222-4333-8444-555555555555") == {"status": "PENDING"}
    lists = check(daemon)
    assert sorted(lists) == ["active", "reserved", "scheduled"]
    assert all(list(part.values()) == [[]] for part in lists.values())


@pytest.mark.parametrize("path, body, headers", [
    ("/js/walker_run?is_async=true", b'{"name": "add"}', {}),
    ("/js/walker_run", b'{"is_async": "True", "name": "add"}', {}),
    ("/js/walker_run", b"name=add&is_async=true",
     {"Content-Type": "application/x-www-form-urlencoded"}),
    ("/js/wapi/add", b'{"is_async": true}', {}),
])
def test_each_form_of_the_request_queues(daemon, path, body, headers):
    answer = local(daemon, "POST", path, body, headers=headers).json()
    assert answer["is_queued"] is True
    assert result(wait(daemon, answer["result"])) == 2


def test_without_the_service_it_runs_at_once(daemon):
    daemon.op("service_config_set", name="task", config={"enabled": False})
    body = {"name": "add", "ctx": {"a": 4}, "is_async": True}
    answer = local(daemon, "POST", "/js/walker_run", body).json()
    assert answer["is_queued"] is False and answer["result"]["report"] == [5]
    assert check(daemon) == wait(daemon, "x") == OFF
    body["is_async"] = False
    assert local(daemon, "POST", "/js/walker_run", body).json()["report"] == [5]


def test_results_can_be_disabled(daemon):
    daemon.op("service_config_set", name="task", config={"result_backend": "disabled"})
    assert check(daemon, "x") == {"status": "DISABLED",
                                  "result": "result_backend is set to disabled!"}


def test_waiting_ends_with_its_time(daemon):
    answer = wait(daemon, "nothing", timeout=0.1)
    assert answer["success"] is False and "timed out" in answer["response"]


def test_tasks_of_others_are_not_seen(daemon):
    tokens = []
    for name in ("ann", "bob"):
        user = {"email": f"{name}@b.c", "password": "longpassword"}
        daemon.post("/user/create/", user)
        tokens.append(daemon.post("/user/token/", user).json()["token"])
    task = daemon.post("/js/walker_run", {"name": "add", "is_async": True},
                       token=tokens[0]).json()["result"]
    path = f"/js/walker_queue_check?task_id={task}"
    assert result(wait(daemon, task)) == 2
    assert result(daemon.get(path, token=tokens[0]).json()) == 2
    assert daemon.get(path, token=tokens[1]).json() == {"status": "PENDING"}
    assert daemon.post("/js_admin/tasks_list", {}, token=tokens[1]).status == 403


# ---- retries, keys, dead letters

def test_failures_are_tried_again_and_then_dead(daemon, tmp_path):
    daemon.expect_log("task is dead")
    task = add(daemon, "fail", {"file": str(tmp_path / "a"), "times": 2}, retries=2)["id"]
    assert result(wait(daemon, task)) == "at last"
    assert daemon.op("tasks_show", id=task)["failures"] == 2

    task = add(daemon, "fail", {"file": str(tmp_path / "b")}, retries=1)["id"]
    answer = wait(daemon, task)
    assert answer["success"] is False and "not yet" in answer["response"]
    assert check(daemon, task)["status"] == "FAILURE"
    assert [row["id"] for row in daemon.op("tasks_dead")] == [task]
    (tmp_path / "b").write_text("x" * 99)
    assert daemon.cli("tasks", "retry", task).returncode == 0
    assert result(wait(daemon, task)) == "at last"


def test_a_key_has_one_task_and_the_walker_knows_it(daemon):
    first = add(daemon, "who", key="order-17")
    again = add(daemon, "who", key="order-17")
    assert (first["new"], again["new"]) == (True, False) and again["id"] == first["id"]
    assert result(wait(daemon, first["id"])) == ["order-17", first["id"], "1"]
    assert add(daemon, "who", key="order-17") == again
    assert "visible ASCII" in add(daemon, "who", key="a b")["response"]
    other = add(daemon, "who")["id"]
    assert result(wait(daemon, other))[0] == other


def test_a_task_waits_for_its_time_or_is_cancelled(daemon):
    task = add(daemon, "add", delay_s=3600)["id"]
    (entries,) = check(daemon)["scheduled"].values()
    assert [entry["request"]["id"] for entry in entries] == [task]
    shown = daemon.cli("tasks", "list", "waiting")
    assert shown.returncode == 0 and task in shown.stdout
    assert daemon.cli("tasks", "cancel", task).returncode == 0
    assert check(daemon, task)["status"] == "REVOKED"
    assert daemon.cli("tasks", "cancel", task).returncode != 0
    assert "REVOKED" in daemon.cli("tasks", "show", task).stdout
    counts = daemon.get("/metrics").body.decode()
    assert 'jsorc_tasks_ended_total{end="cancelled"} 1' in counts


# ---- schedules

def schedule(daemon, name, when, **body):
    return local(daemon, "POST", "/js/add_scheduled_walker",
                 {"name": name, "schedule": when, "body": body}).json()


def listed(daemon):
    return local(daemon, "POST", "/js/get_scheduled_queues", {"asc": True}).json()


def test_a_scheduled_walker_runs_again_and_again(daemon):
    often = {"type": "interval", "conf": {"every": 0.2, "period": "seconds"}}
    done = "Scheduled Walker created successfully!"
    assert schedule(daemon, "often", often, wlk="add", ctx={"a": 5}) == done
    assert "already" in schedule(daemon, "often", often)["response"]
    nightly = {"type": "cron", "conf": {"minute": "0", "hour": "4", "timezone": "Europe/Berlin"}}
    assert schedule(daemon, "nightly", nightly, wlk="add") == done
    one, two = listed(daemon)
    assert (one["id"], one["name"], one["schedule"]) == (2, "often", often)
    assert one["kwargs"] == {"wlk": "add", "ctx": {"a": 5}, "mst": None}
    assert two["schedule"] == nightly and two["next"] > 0

    ended = wait_until(lambda: len(rows := daemon.op("tasks_list", state="done")) >= 2 and rows,
                       WAIT_S, "two runs")
    assert daemon.op("tasks_show", id=ended[0]["id"])["result"]["response"]["report"] == [6]
    remove = {"scheduled_queue_id": 2}
    path = "/js/delete_scheduled_queue"
    assert local(daemon, "POST", path, remove).json() == "Successfully deleted!"
    assert local(daemon, "POST", path, remove).json() == \
        "Scheduled Queue with id(2) is not existing!"
    assert [row["name"] for row in listed(daemon)] == ["nightly"]


@pytest.mark.parametrize("when, text", [
    ({"type": "interval", "conf": {"period": "fortnights"}}, "must be days"),
    ({"type": "interval", "conf": {"every": 1, "period": "microseconds"}}, "100 ms at least"),
    ({"type": "cron", "conf": {"minute": "61"}}, "'61' is no minute"),
    ({"type": "cron", "conf": {"day_of_month": "30", "month_of_year": "2"}}, "never come"),
    ({"type": "cron", "conf": {"timezone": "Mars/Olympus"}}, "no time zone 'Mars/Olympus'"),
    ({"type": "cron", "conf": {"expression": "* * *"}}, "five fields"),
])
def test_schedules_that_make_no_sense_are_refused(daemon, when, text):
    assert text in schedule(daemon, "x", when)["response"]
    assert listed(daemon) == []


# ---- nothing is lost

@contextlib.contextmanager
def effects(tmp_path):
    path = tmp_path / "effects.db"
    with contextlib.closing(sqlite3.connect(path, timeout=60)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE effects (key TEXT PRIMARY KEY, value INT)")
        database.execute("CREATE TABLE runs (key TEXT)")
        database.commit()
        yield str(path), database


def test_nothing_is_lost_over_kills_of_daemon_and_worker(serve, write, tmp_path):
    daemon = serve(write("work.py", WALKERS))
    daemon.killed = True
    daemon.expect_log("task is dead|worker|daemon ended|ended by|call failed|generation|tasks")
    daemon.op("service_config_set", name="task", config={**QUICK, "concurrency": 8})
    with effects(tmp_path) as (path, database):
        tasks = [add(daemon, "effect", {"db": path, "value": i, "nap": 0.02}, key=f"k{i}",
                     retries=50)["id"] for i in range(150)]

        def done():
            return database.execute("SELECT count(*) FROM effects").fetchone()[0]

        for kill, least in ((daemon_pid, 10), (worker_pid, 40), (daemon_pid, 70)):
            wait_until(lambda at=least: done() >= at, WAIT_S, f"{least} effects")
            os.kill(kill(daemon), signal.SIGKILL)
        wait_until(lambda: done() == len(tasks), 2 * WAIT_S, "all effects")
        assert dict(database.execute("SELECT key, value FROM effects")) == \
            {f"k{i}": i for i in range(len(tasks))}
        wait_until(daemon.answers, WAIT_S, "the daemon")
        for i, task in enumerate(tasks):
            assert result(wait(daemon, task)) == i
        assert daemon.op("tasks_dead") == []


def daemon_pid(daemon):
    return daemon.daemon_pid()


def worker_pid(daemon):
    (worker,) = [row for row in daemon.op("jsorc_status")["workers"] if row["state"] == "ready"][:1]
    return worker["pid"]


def test_what_waits_outlives_a_restart(serve, write):
    daemon = serve(write("work.py", WALKERS))
    later, now = add(daemon, "add", delay_s=2)["id"], add(daemon, "add")["id"]
    daemon.stop()
    daemon.start()
    assert result(wait(daemon, now)) == result(wait(daemon, later)) == 2
