"""Walkers, and the actions that they reach wherever those are."""

import concurrent.futures
import threading
from urllib.parse import quote

import pytest
from placement import module_status, move, workers
from programs import wait_until

# ---- walkers

FLOW = """
import os
import jsorc

@jsorc.walker
def shout(text):
    jsorc.report({"text": jsorc.call("text.upper", text), "there": jsorc.call("text.pid"),
                  "here": os.getpid()})
"""


def shout(daemon, text="a"):
    reply = daemon.post("/walkers/shout", {"ctx": {"text": text}})
    assert reply.status == 200, reply.body
    answer = reply.json()
    assert answer["success"] is True, answer
    report, = answer["report"]
    assert report["text"] == text.upper()
    return report


def test_a_walker_calls_an_action_in_its_process_and_in_a_pod(serve, text, write):
    daemon = serve(text, write("flow.py", FLOW))
    move(daemon, "text", "module")
    report = shout(daemon)
    assert report["here"] == report["there"], "a plain call in the same process"
    move(daemon, "text", "remote")
    report = shout(daemon)
    assert report["here"] != report["there"]
    assert report["there"] == daemon.call("text.pid").json()
    move(daemon, "text", "module")
    report = shout(daemon)
    assert report["here"] == report["there"]


def test_names_beyond_ascii_are_called_from_everywhere(serve, write):
    daemon = serve(write("words.py", "import jsorc\n@jsorc.action\ndef größe(text):\n"
                                     "    return len(text)\n"),
                   write("flow.py", "import jsorc\n@jsorc.walker\ndef zähle(text):\n"
                                    "    jsorc.report(jsorc.call('words.größe', text=text))\n"))
    move(daemon, "words", "remote")
    assert daemon.call(quote("words.größe"), text="abc").json() == 3
    walked = daemon.post("/walkers/" + quote("zähle"), {"ctx": {"text": "abcd"}}).json()
    assert walked["report"] == [4]
    for bad in ("words.gr%0d%0ax", "words%2f..", "%", "a%00b"):
        assert daemon.call(bad).status == 404


def test_walkers_stay_in_the_runtime_worker(serve, text, write):
    daemon = serve(text, write("flow.py", FLOW))
    here = shout(daemon)["here"]
    answer = daemon.op("jsorc_actions_load", name="flow", mode="remote", wait=True)
    assert answer["success"] is False
    assert "has walkers, which run in the runtime worker" in answer["message"]
    assert answer["action_status"]["mode"] == "module"
    assert shout(daemon)["here"] == here
    runtime, = workers(daemon, "runtime")
    assert runtime["pid"] == here


def test_a_module_first_loaded_as_remote_may_not_have_walkers_either(serve, write):
    daemon = serve()
    daemon.expect_log("module did not start")
    daemon.op("jsorc_actions_config", name="flow", config={"module": str(write("flow.py", FLOW))})
    answer = daemon.op("jsorc_actions_load", name="flow", mode="remote", wait=True)
    assert answer["success"] is False, answer
    assert "walkers" in answer["message"]
    assert move(daemon, "flow", "module")["mode"] == "module"


def test_walkers_run_on_while_modules_move(serve, text, write):
    daemon = serve(text, write("flow.py", FLOW))
    shout(daemon)
    stop = threading.Event()

    def keep_shouting():
        count = 0
        while not stop.is_set():
            shout(daemon, f"x{count}")
            count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(keep_shouting) for _ in range(4)]
        for mode in ("remote", "module") * 3:
            move(daemon, "text", mode)
        stop.set()
        counts = [run.result() for run in runs]
    assert min(counts) > 0
    figures = daemon.op("jsorc_status")["walker_runs"]
    assert (figures["calls"], figures["failed"]) == (sum(counts) + 1, 0)


def test_a_walker_in_a_request_of_the_original(serve, text, write):
    daemon = serve(text, write("flow.py", FLOW))
    body = {"name": "shout", "ctx": {"text": "a"}}
    connection = daemon.connect_local()
    for path, sent in [("/js/walker_run", body), ("/js/wapi/shout", {"ctx": body["ctx"]})]:
        reply = daemon.post(path, sent, connection=connection)
        assert reply.status == 200, (path, reply.body)
        assert reply.json()["report"][0]["text"] == "A", path
    unknown = daemon.post("/js/walker_run", {"name": "nobody"}, connection=connection).json()
    assert unknown == {"report": [], "success": False, "errors": ["Walker nobody not found!"]}
    connection.close()
    assert daemon.post("/js/walker_run", body).status == 401


# ---- names that several modules have, seen from a walker

WHO = """
import jsorc

@jsorc.action(group="use")
def who():
    return {0!r}

@jsorc.action(group="use")
def {0}():
    return {0!r}
"""

ASK = """
import jsorc

@jsorc.walker
def ask():
    jsorc.report(jsorc.call("use.who"))
"""


@pytest.fixture
def shared(serve, write):
    """A daemon with modules `old` and `new` that both have the action use.who, and a walker that
    calls it. Returns the daemon and a function: what clients and walkers get."""
    daemon = serve(write("flow.py", ASK))
    for name in ("old", "new"):
        path = write(f"{name}.py", WHO.format(name))
        assert daemon.op("actions_load_local", file=str(path)) == {"success": True}

    def who():
        reply = daemon.call("use.who")
        walked = daemon.post("/walkers/ask", {"ctx": {}}).json()
        return (reply.json() if reply.status == 200 else reply.status,
                walked["report"][0] if walked["success"] else "failed")

    return daemon, who


def same(name):
    return (name, name)


@pytest.mark.parametrize("old", ["module", "remote"])
@pytest.mark.parametrize("new", ["module", "remote"])
def test_the_newest_provider_serves_walkers_too_wherever_the_two_are(shared, old, new):
    daemon, who = shared
    move(daemon, "old", old)
    move(daemon, "new", new)
    wait_until(lambda: who() == same("new"), 20, f"new, not {who()}")
    assert daemon.op("actions_unload_action", name="use.who") == {"success": True}
    assert who() == same("old")
    assert daemon.call("use.new").json() == "new", "the module itself stays"
    assert daemon.op("jsorc_actions_unload", name="old")["success"] is True
    assert who() == (404, "failed")
    assert daemon.op("actions_load_local",
                     file=module_status(daemon, "new")["source"]) == {"success": True}
    wait_until(lambda: who() == same("new"), 20, "its names are back when it is loaded again")


def test_loading_the_older_provider_again_makes_it_the_newest(shared):
    daemon, who = shared
    wait_until(lambda: who() == same("new"), 20, "new")
    assert daemon.op("actions_load_local",
                     file=module_status(daemon, "old")["source"]) == {"success": True}
    wait_until(lambda: who() == same("old"), 20, "old")


def test_providers_keep_their_order_when_the_daemon_starts_anew(shared):
    daemon, who = shared
    move(daemon, "new", "remote")
    assert daemon.op("actions_unload_action", name="use.who") == {"success": True}
    assert who() == same("old")
    daemon.stop()
    daemon.start()
    wait_until(lambda: daemon.call("use.old").status == 200, 20, "old")
    wait_until(lambda: who() == same("old"), 20, f"old, not {who()}")


# ---- calls that come back

BACK = """
import jsorc

@jsorc.walker
def go(n):
    jsorc.report(jsorc.call("there.and_back", n))

@jsorc.walker
async def go_async(n):
    jsorc.report(await jsorc.call_async("there.and_back", n))

@jsorc.action
def leaf(n):
    return n
"""

THERE = """
import jsorc

@jsorc.action
def and_back(n):
    return jsorc.call("back.leaf", n)
"""


@pytest.mark.parametrize("walker", ["go", "go_async"])
def test_walkers_whose_calls_come_back_do_not_take_each_others_threads(serve, write, walker):
    """32 walkers on 4 call threads: each waits for an action in a pod that calls one beside it."""
    daemon = serve(write("back.py", BACK), write("there.py", THERE),
                   options=("--call-threads", "4", "--timeout-s", "20"))
    move(daemon, "there", "remote")
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        replies = list(pool.map(
            lambda n: daemon.post(f"/walkers/{walker}", {"ctx": {"n": n}}).json(), range(64)))
    assert [reply.get("report") for reply in replies] == [[n] for n in range(64)]
    daemon.fds_at_start = {}  # connections to workers are kept for a minute


# ---- what a call within the process leaves as it is (docs/modules.md)

GIVEN = """
import dataclasses
import jsorc

@dataclasses.dataclass
class Item:
    name: str

@jsorc.action
def kinds(count: int, item: Item, word: str | None = "default"):
    return [type(count).__name__, type(item).__name__, word]

@jsorc.action
def pair():
    return (1, float("nan"))

@jsorc.action
def same(value):
    return value
"""

GIVER = """
import jsorc

@jsorc.walker
def give():
    jsorc.report(jsorc.call("given.kinds", "3", {"name": "a"}, None))
    got = jsorc.call("given.pair")
    jsorc.report([type(got).__name__, type(got[1]).__name__])
    try:
        jsorc.report(type(jsorc.call("given.same", object())).__name__)
    except TypeError:
        jsorc.report("TypeError")
"""


def test_only_a_call_that_leaves_the_process_converts(serve, write):
    daemon = serve(write("given.py", GIVEN), write("giver.py", GIVER))
    for mode, wanted in (
            ("module", [["str", "dict", None], ["tuple", "float"], "object"]),
            ("remote", [["int", "Item", "default"], ["list", "NoneType"], "TypeError"])):
        move(daemon, "given", mode)
        assert daemon.post("/walkers/give", {}).json()["report"] == wanted, mode
