"""Actions and walkers that crash, hang, eat memory or write where they should not."""

import concurrent.futures
import os
import signal
import time

import pytest
from faults import Steady, recovers
from placement import module_status
from programs import wait_until

# ---- actions that take their worker with them


@pytest.mark.parametrize("how", ["os._exit", "abort", "segfault", "kill"])
def test_an_action_that_ends_its_worker_is_told_and_the_worker_comes_back(pair, how):
    pair.expect_log("worker ended")
    before = pair.call("bad.pid").json()
    witness = pair.call("witness.pid").json()
    for _ in range(2):
        reply = pair.call("bad.leaves", how=how)
        assert reply.status == 502, reply.body
        assert reply.json()["type"] == "WorkerLost"
        assert "ended during the call" in reply.json()["detail"]
        recovers(pair)
    assert pair.call("bad.pid").json() != before
    assert module_status(pair, "bad")["restarts"] == 2
    if pair.place == "remote":
        assert pair.call("witness.pid").json() == witness, "a pod's end is nobody else's"


def test_an_action_that_calls_exit_ends_only_its_call(pair):
    before = pair.call("bad.pid").json()
    reply = pair.call("bad.leaves", how="exit")
    assert (reply.status, reply.json()["detail"]) == (500, "the action called exit(3)")
    recovers(pair)
    assert pair.call("bad.pid").json() == before


def test_a_worker_that_crashes_again_and_again_is_started_ever_more_slowly(pair):
    """Calls are answered, by waiting or by an error that says why, and the daemon is unharmed."""
    pair.expect_log("worker ended")
    daemon_pid = pair.daemon_pid()
    statuses = []
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        statuses.append(pair.call("bad.leaves", how="os._exit").status)
    assert set(statuses) == {502}
    assert len(statuses) < 8, "each start waits longer than the one before"
    assert pair.daemon_pid() == daemon_pid
    wait_until(lambda: pair.call("bad.pid").status == 200, 30, "its return")
    recovers(pair)


SEGFAULT = """
#include <jsorc/action.h>
#include <stdlib.h>
static int run_crash(struct jsorc_call *call)
{
    volatile int *nowhere = NULL;
    (void)call;
    return *nowhere;
}
static int run_fine(struct jsorc_call *call) { jsorc_put_int(call, 7); return JSORC_OK; }
static int run_exit(struct jsorc_call *call) { (void)call; exit(9); }
static const struct jsorc_action actions[] = {
    {.name = "crash", .run = run_crash}, {.name = "fine", .run = run_fine},
    {.name = "leave", .run = run_exit}, {.name = NULL}};
JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "c", .actions = actions};
"""


def test_a_c_action_that_crashes_is_told_and_its_worker_comes_back(
        serve, witness, compile_module, place):
    daemon = serve(witness, compile_module("c", SEGFAULT))
    daemon.expect_log("worker ended")
    answer = daemon.op("jsorc_actions_load", name="c", mode=place, wait=True)
    assert answer["success"] is True, answer
    for name in ("crash", "leave"):
        reply = daemon.call(f"c.{name}")
        assert reply.status == 502, reply.body
        assert "ended during the call" in reply.json()["detail"]
        assert daemon.call("c.fine").json() == 7
        assert daemon.call("witness.pid").status == 200
    workers = daemon.op("jsorc_status")["workers"]
    assert len(workers) == (1 if place == "module" else 2)


# ---- actions that do not end


def test_a_call_over_its_limit_is_answered_504_and_its_worker_replaced(pair):
    pair.expect_log("a call ran over its limit")
    before = pair.call("bad.pid").json()
    with Steady(pair):
        started = time.monotonic()
        reply = pair.call("bad.hangs_briefly")
        assert reply.status == 504, reply.body
        assert time.monotonic() - started < 15, "0.5 s are declared"
        assert reply.json()["type"] == "TimedOut"
        wait_until(lambda: pair.call("bad.pid").json() != before, 20, "another worker")
        wait_until(lambda: before not in pair.pids(), 20, "the end of the one that hangs")
        recovers(pair)


def test_the_limit_of_calls_is_a_setting_and_calls_beside_a_hanging_one_go_on(
        serve, witness, bad, place):
    daemon = serve(witness, bad, options=("--timeout-s", "2", "--stop-grace-s", "1",
                                          "--drain-timeout-s", "1"))
    daemon.expect_log("a call ran over its limit")
    assert daemon.op("jsorc_actions_load", name="bad", mode=place, wait=True)["success"] is True
    with concurrent.futures.ThreadPoolExecutor(8) as pool, Steady(daemon):
        hanging = [pool.submit(lambda: daemon.call("bad.hangs")) for _ in range(8)]
        time.sleep(0.5)
        for _ in range(20):
            assert daemon.call("bad.pid").status == 200
        statuses = {run.result().status for run in hanging}
    assert statuses == {504}
    recovers(daemon)


def test_an_action_that_spins_holds_up_its_worker_only_for_a_while(pair):
    pair.expect_log("a call ran over its limit|worker does not answer")
    pair.op("jsorc_actions_config", name="bad", config={
        "module": module_status(pair, "bad")["source"], "timeout_s": 1})
    witness = pair.call("witness.pid").json()
    answer = pair.op("actions_load_local", file=module_status(pair, "bad")["source"])
    assert answer["success"] is True
    assert pair.op("jsorc_actions_load", name="bad", mode=pair.place, wait=True)["success"] is True
    reply = pair.call("bad.spins")
    assert reply.status == 504, reply.body
    wait_until(lambda: pair.call("bad.pid").status == 200, 30, "its return")
    recovers(pair)
    assert witness


def test_a_worker_that_is_stopped_is_found_out_and_replaced(pair):
    pair.expect_log("worker does not answer")
    before = pair.call("bad.pid").json()
    os.kill(before, signal.SIGSTOP)
    wait_until(lambda: before not in pair.pids(), 30, "the end of the one that is stopped")
    recovers(pair)
    assert pair.call("bad.pid").json() != before


# ---- memory


def test_an_action_that_allocates_without_end_meets_its_limit(pair):
    before = pair.call("bad.pid").json()
    daemon_pid = pair.daemon_pid()
    reply = pair.call("bad.eats")
    assert reply.status == 500, reply.body
    assert reply.json()["type"] == "MemoryError"
    recovers(pair)
    assert pair.call("bad.pid").json() == before, "it gave the memory back and lives"
    assert pair.daemon_pid() == daemon_pid


EATER = """
#include <jsorc/action.h>
#include <stdlib.h>
#include <string.h>
static int run_eat(struct jsorc_call *call)
{
    for (int i = 0; i < 128; i++) { /* 2 GiB, should the limit not hold */
        char *block = malloc(16 << 20);
        memset(block, 1, 16 << 20); /* NULL in the end: as careless modules do */
    }
    return jsorc_fail(call, 500, "the limit did not hold");
}
static int run_fine(struct jsorc_call *call) { jsorc_put_int(call, 7); return JSORC_OK; }
static const struct jsorc_action actions[] = {
    {.name = "eat", .run = run_eat}, {.name = "fine", .run = run_fine}, {.name = NULL}};
JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "c", .actions = actions};
"""


def test_a_c_action_that_allocates_without_end_takes_only_its_worker(serve, compile_module, place):
    daemon = serve(compile_module("c", EATER), options=("--memory-max-mb", "200"))
    daemon.expect_log("worker ended")
    assert daemon.op("jsorc_actions_load", name="c", mode=place, wait=True)["success"] is True
    reply = daemon.call("c.eat")
    assert reply.status == 502, reply.body
    assert daemon.call("c.fine").json() == 7


# ---- descriptors


@pytest.mark.parametrize(("first", "last"), [(1, 3), (3, 100), (3, 4096)])
def test_garbage_written_to_descriptors_harms_nobody_else(pair, first, last):
    pair.expect_log("worker ended|worker does not answer|ran over")
    daemon_pid = pair.daemon_pid()
    reply = pair.call("bad.scribbles", first=first, last=last)
    if last <= 100:
        assert reply.status == 200, reply.body
        assert module_status(pair, "bad")["restarts"] == 0
    else:
        assert reply.status in (200, 502), reply.body  # it wrote into its own connection
    recovers(pair)
    assert pair.daemon_pid() == daemon_pid


@pytest.mark.parametrize(("first", "last"), [(0, 3), (3, 100), (3, 4096)])
def test_closed_descriptors_harm_nobody_else(pair, first, last):
    pair.expect_log("worker ended|worker does not answer|ran over")
    daemon_pid = pair.daemon_pid()
    reply = pair.call("bad.closes", first=first, last=last)
    if last <= 100:
        assert reply.status == 200, reply.body
    wait_until(lambda: pair.call("bad.pid").status == 200, 40, "its return")
    recovers(pair)
    assert pair.daemon_pid() == daemon_pid


# ---- killed from outside


def test_a_worker_killed_from_outside_comes_back_and_only_its_calls_are_lost(pair):
    pair.expect_log("worker ended")
    victim = pair.call("bad.pid").json()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(lambda: pair.call("bad.hangs", seconds=20)) for _ in range(4)]
        pair.under_way(4)
        os.kill(victim, signal.SIGKILL)
        for run in runs:
            reply = run.result()
            assert (reply.status, reply.json()["type"]) == (502, "WorkerLost")
    recovers(pair)
    assert module_status(pair, "bad")["restarts"] == 1


# ---- walkers

FLOW = """
import os, time
import jsorc

@jsorc.walker
def passes_on(action, arguments):
    jsorc.report(jsorc.call(action, **arguments))

@jsorc.walker
def catches(action, arguments):
    try:
        jsorc.call(action, **arguments)
    except jsorc.ActionError as error:
        jsorc.report([error.action, type(error).__name__])

@jsorc.walker
def dies():
    os._exit(3)

@jsorc.walker
def hangs():
    time.sleep(3600)
"""


@pytest.fixture
def walking(serve, witness, bad, write):
    """`bad` in a pod, walkers beside the witness; calls end after 2 s."""
    daemon = serve(witness, bad, write("flow.py", FLOW),
                   options=("--timeout-s", "2", "--stop-grace-s", "1", "--drain-timeout-s", "1"))
    answer = daemon.op("jsorc_actions_load", name="bad", mode="remote", wait=True)
    assert answer["success"] is True, answer
    recovers(daemon)
    return daemon


def walk(daemon, walker, **ctx):
    return daemon.post(f"/walkers/{walker}", {"ctx": ctx})


@pytest.mark.parametrize(("action", "arguments", "says"), [
    ("bad.raises", {"text": "because"}, "because"),
    ("bad.leaves", {"how": "os._exit"}, "ended during the call"),
    ("bad.leaves", {"how": "segfault"}, "ended during the call"),
    ("bad.hangs", {}, "did not answer in time"),
    ("bad.echo", {}, "text"),
    ("no.body", {}, "no action 'no.body'"),
])
def test_what_goes_wrong_in_an_action_reaches_its_walker_and_goes_no_further(
        walking, action, arguments, says):
    walking.expect_log("worker ended|a call ran over its limit")
    runtime = walking.call("witness.pid").json()
    reply = walk(walking, "passes_on", action=action, arguments=arguments)
    if action != "bad.hangs":  # whose limit is the walker's own as well: the two race
        assert reply.status == 200, reply.body
        failed = reply.json()
        assert failed["success"] is False
        assert says in str(failed["errors"]), failed
        assert walk(walking, "catches", action=action, arguments=arguments).json()["report"] == [
            [action, "ActionError"]]
        assert walking.call("witness.pid").json() == runtime
    recovers(walking)


@pytest.mark.parametrize(("walker", "status", "kind"), [("dies", 502, "WorkerLost"),
                                                        ("hangs", 504, "TimedOut")])
def test_a_walker_that_takes_the_runtime_worker_with_it_is_told_and_it_comes_back(
        walking, walker, status, kind):
    walking.expect_log("worker ended|a call ran over its limit")
    pod = walking.call("bad.pid").json()
    runtime = walking.call("witness.pid").json()
    reply = walk(walking, walker)
    assert (reply.status, reply.json()["type"]) == (status, kind), reply.body
    wait_until(lambda: walking.call("witness.pid").json() != runtime, 20, "another generation")
    recovers(walking)
    assert walking.call("bad.pid").json() == pod, "pods are not concerned"
