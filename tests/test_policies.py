"""Policies in the daemon: they are told what is measured, and what they try never outlives them."""

import http.client
import json
import re
import subprocess
import threading
import time

import pytest
from placement import crash
from programs import JSORC, wait_until

LIGHT = """
import jsorc

@jsorc.action
def add(a: int, b: int):
    return a + b
"""

FLOW = """
import jsorc

@jsorc.walker
def sums(n: int = 3):
    jsorc.report(sum(jsorc.call("light.add", a=i, b=1) for i in range(n)))
"""

FAST = ("--policy-phase-s", "0.5")
EVALUATION = {"eval_phase": 0.5, "perf_phase": 600}


@pytest.fixture
def daemon(serve, write):
    return serve(write("light.py", LIGHT), write("flow.py", FLOW), options=FAST)


def keep_running(daemon, over, wrong):
    while not over.is_set():
        try:
            reply = daemon.post("/walkers/sums", {"ctx": {"n": 3}})
        except (OSError, http.client.HTTPException) as error:
            wrong.append(error)
            continue
        if reply.status != 200 or reply.json()["report"] != [6]:
            wrong.append(reply)


@pytest.fixture
def traffic(daemon):
    """Runs the walker over and over; gives the answers that were not right."""
    over, wrong = threading.Event(), []
    thread = threading.Thread(target=lambda: keep_running(daemon, over, wrong))
    thread.start()
    yield wrong
    over.set()
    thread.join()


def jsorc(*words):
    return subprocess.run([JSORC, *map(str, words)], capture_output=True, text=True, timeout=60,
                          check=False)


def policy(daemon):
    return daemon.op("jsorc_actionpolicy_get")


def choose(daemon, name, **params):
    return daemon.op("jsorc_actionpolicy_set", policy_name=name, policy_params=params)


def saved_place(daemon):
    return daemon.stored("place", "modules WHERE name = 'light'")[0]


def mode(daemon):
    return daemon.op("jsorc_actions_status", name="light")["action_status"]["mode"]


def tried(daemon):
    state = policy(daemon)["state"]
    answer = state and state["answer"]
    return answer and not state["settled"] and answer["placement"].get("light") == "remote"


def test_names_and_parameters_are_checked(daemon):
    assert policy(daemon)["policy"] == "Default"
    answer = choose(daemon, "Evaluation", eval_phase=10)
    assert answer == {"success": True, "message": "Action optimization policy configured as "
                      'Evaluation with params {"eval_phase":10}'}
    assert policy(daemon)["policy"] == "Evaluation"
    answer = choose(daemon, "Auto")
    assert answer["success"] is False
    assert answer["message"].startswith("Policy Auto not found.")
    assert "evaluation" in answer["message"]
    answer = choose(daemon, "evaluation", eval_phases=10)
    assert answer["success"] is False
    assert "eval_phases" in answer["message"]
    assert policy(daemon)["params"] == {"eval_phase": 10}, "a refused one changes nothing"
    assert "policy_phase_s" in choose(daemon, "adaptive", eval_phase=5)["message"]


def test_a_policy_tries_what_there_is_and_keeps_the_better_one(daemon, traffic):
    assert choose(daemon, "evaluation", **EVALUATION)["success"] is True
    wait_until(lambda: (policy(daemon)["state"] or {}).get("settled"), 30, "a decision")
    place = policy(daemon)["state"]["answer"]["placement"]["light"]
    wait_until(lambda: mode(daemon) == place, 10, f"the module at its place, {place}")
    assert saved_place(daemon) == place
    assert not traffic

    lines = daemon.op("jsorc_actionpolicy_record")["lines"]
    head = json.loads(lines[0]["told"])
    assert (head["policy"], head["params"]) == ("evaluation", EVALUATION)
    problem = json.loads([line["told"] for line in lines if "modules" in line["told"]][-1])
    assert {walker["name"]: walker["calls"] for walker in problem["walkers"]} == {
        "sums": ["light", "light", "light"]}
    assert {module["name"]: module.get("fixed", False) for module in problem["modules"]} == {
        "light": False, "flow": True}
    measured = [json.loads(line["told"]) for line in lines if "mean_latency_s" in line["told"]]
    assert len(measured) >= 2
    for phase in measured:
        calls, runs = phase["actions"]["light"]["calls"], phase["walkers"]["sums"]["runs"]
        assert runs > 0
        # The worker's figures are a few ms older than the daemon's.
        assert abs(calls - 3 * runs) <= 12 + 0.1 * calls
        assert 0 < phase["actions"]["light"]["mean_s"] < phase["mean_latency_s"]


def test_decisions_are_explained_and_replayed_to_the_byte(daemon, traffic, tmp_path):
    assert choose(daemon, "evaluation", **EVALUATION)["success"] is True
    wait_until(lambda: (policy(daemon)["state"] or {}).get("settled"), 30, "a decision")
    shown = jsorc("why", "light", "--replay", "-o", "json", "--state", daemon.state)
    assert shown.returncode == 0, shown.stderr
    view = json.loads(shown.stdout)
    assert view["place"] == policy(daemon)["state"]["answer"]["placement"]["light"]
    assert view["policy"] == "evaluation"
    assert view["reason"]["best_latency_s"] > 0
    same, others = re.search(r"(\d+) answers the same to the byte, (\d+) others",
                             shown.stderr).groups()
    assert (int(same) >= 3, int(others)) == (True, 0)
    told = jsorc("why", "light", "-o", "table", "--state", daemon.state).stdout
    assert re.match(r"light is in (the runtime worker|a pod of its own) \(place '[a-z]+'\): policy "
                    r"evaluation has settled on that, since \d{4}-", told), told
    assert "Of 2 placements that it tried this one had the lowest mean latency: " in told
    assert len(re.findall(r" ms in \d+ phases?, in the runtime worker: ", told)) == 2
    fixed = jsorc("why", "flow", "-o", "table", "--state", daemon.state).stdout
    assert fixed.startswith("flow is in the runtime worker (place 'module') and is fixed there")

    trace = tmp_path / "run.trace"
    assert jsorc("trace", "record", trace, "--run", "--state", daemon.state).returncode == 0
    assert jsorc("trace", "replay", trace).returncode == 0
    other = jsorc("trace", "replay", trace, "--policy", "adaptive", "-o", "json")
    assert other.returncode == 0, other.stderr
    played = json.loads(other.stdout)
    assert played["settled"] and played["measured"] and played["latency_s"] > 0
    assert 1 <= sum(row["phases"] for row in played["held"]) == played["phases"] <= 3
    trace.write_text(trace.read_text().replace('\\"done\\":true', '\\"done\\":false'))
    forged = jsorc("trace", "replay", trace)
    assert forged.returncode == 1
    assert "recorded" in forged.stderr
    unknown = jsorc("why", "nothere", "--state", daemon.state)
    assert unknown.returncode == 1
    assert "'nothere'" in unknown.stderr


def test_a_policy_is_asked_what_to_do_and_what_if(daemon, traffic, tmp_path):
    trace = tmp_path / "now.trace"
    done = jsorc("trace", "record", trace, "--seconds", "1", "--state", daemon.state)
    assert done.returncode == 0, done.stderr

    def ask(*words):
        done = jsorc(*words, "-o", "json", "--state", daemon.state)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    plan = ask("plan", "--seconds", "1")
    assert {name: module["now"] for name, module in plan["modules"].items()} == {
        "light": "module", "flow": "module"}
    assert plan["policy"] == "adaptive"
    assert 0 < plan["expected_now_s"] < 1
    assert 1 / 3 < plan["expected_now_s"] / plan["measured_latency_s"] < 3
    more = ask("what-if", "--load", "x32", "--from", trace)
    assert more["expected_now_s"] > 3 * ask("plan", "--from", trace)["expected_now_s"]
    unanswered = jsorc("trace", "replay", trace, "--policy", "evaluation")
    assert unanswered.returncode == 1
    assert 'asks for {"light":"remote","flow":"module"}, and the trace has no measurement of' in \
        unanswered.stderr
    tight = ask("what-if", "--mem", "0", "--from", trace)
    assert tight["budget_bytes"] == 0
    assert policy(daemon)["policy"] == "Default", "asking changes nothing"
    for words in ("--mem", "much"), ("--load", "x"), ():
        wrong = jsorc("what-if", *words, "--from", trace)
        assert wrong.returncode == 2, words


@pytest.mark.parametrize("way", ["default", "crash"])
def test_a_trial_is_never_kept(daemon, traffic, way):
    assert choose(daemon, "evaluation", **EVALUATION)["success"] is True
    wait_until(lambda: tried(daemon), 30, "a trial of light in a pod")
    assert saved_place(daemon) == "module"
    if way == "crash":
        crash(daemon)
    assert choose(daemon, "default")["success"] is True
    wait_until(lambda: mode(daemon) == "module", 10, "the place before the trial")
    assert saved_place(daemon) == "module"


def test_without_traffic_nothing_is_tried(daemon):
    assert choose(daemon, "evaluation", **EVALUATION)["success"] is True
    time.sleep(2.5)  # several phases
    state = policy(daemon)["state"]
    assert (state["step"], state["phases"], state["answer"]) == ("waiting", 0, None)
    assert not [line for line in daemon.log_text().splitlines() if "module moved" in line]


def test_when_traffic_ends_a_trial_ends(daemon):
    over = threading.Event()
    thread = threading.Thread(target=lambda: keep_running(daemon, over, []))
    thread.start()
    assert choose(daemon, "evaluation", **EVALUATION)["success"] is True
    wait_until(lambda: tried(daemon), 30, "a trial of light in a pod")
    over.set()
    thread.join()
    wait_until(lambda: mode(daemon) == "module", 10, "the place before the trial")
    assert saved_place(daemon) == "module"


BIG = """
import jsorc

HELD = bytearray(80 * 1024 * 1024)
for page in range(0, len(HELD), 4096):
    HELD[page] = 1

@jsorc.action
def size():
    return len(HELD)
"""

USES_BIG = """
import jsorc

@jsorc.walker
def sums(n: int = 3):
    jsorc.report(2 * n if jsorc.call("big.size") else 0)
"""


def test_measured_memory_is_held_to_its_limit(serve, write):
    daemon = serve(write("big.py", BIG), write("flow.py", USES_BIG),
                   options=(*FAST, "--policy-memory-mb", "40"))
    over, wrong = threading.Event(), []
    thread = threading.Thread(target=lambda: keep_running(daemon, over, wrong))
    thread.start()
    try:
        assert choose(daemon, "evaluation", **EVALUATION)["success"] is True
        wait_until(lambda: (policy(daemon)["state"] or {}).get("settled"), 30, "a decision")
        status = daemon.op("jsorc_actions_status", name="big")["action_status"]
        assert status["mode"] == "remote"
    finally:
        over.set()
        thread.join()
    assert not wrong
    problem = json.loads(daemon.op("jsorc_actionpolicy_record")["lines"][1]["told"])
    big = next(module for module in problem["modules"] if module["name"] == "big")
    assert 78e6 < big["mem_bytes"] < 100e6
    assert problem["budget_bytes"] <= 40 * 1024 * 1024


def test_what_a_person_loads_stays(daemon, traffic):
    assert choose(daemon, "evaluation", **EVALUATION)["success"] is True
    wait_until(lambda: tried(daemon), 30, "a trial of light in a pod")
    answer = daemon.op("jsorc_actions_load", name="light", mode="module", wait=True)
    assert answer["success"] is True, answer
    assert (mode(daemon), saved_place(daemon)) == ("module", "module")
    before = policy(daemon)["state"]["phases"]
    wait_until(lambda: policy(daemon)["state"]["phases"] >= before + 3, 20, "three phases")
    assert mode(daemon) == "module", "no policy moves what a person placed"
    assert choose(daemon, "evaluation", **EVALUATION)["success"] is True
    wait_until(lambda: tried(daemon), 30, "a trial again: a policy that is set begins anew")


def test_a_policy_waits_when_nothing_is_left_to_place(daemon, traffic, write):
    assert choose(daemon, "evaluation", **EVALUATION)["success"] is True
    wait_until(lambda: policy(daemon)["state"]["phases"] >= 1, 20, "a phase")
    for name in ("light", "flow"):
        assert daemon.op("jsorc_actions_unload", name=name)["success"] is True
    wait_until(lambda: policy(daemon)["state"]["step"] == "waiting", 10, "the policy at rest")
    assert policy(daemon)["policy"] == "Evaluation"
    for name in ("light", "flow"):
        assert daemon.op("jsorc_actions_load", name=name, mode="auto", wait=True)["success"] is True
    wait_until(lambda: policy(daemon)["state"]["step"] == "measuring", 20, "the policy at work")


CROWD = [f"m{i}" for i in range(30)]  # an answer takes long enough to be met
CROWDED = f"""
import jsorc

@jsorc.walker
def sums(n: int = 3):
    for name in {CROWD!r}:
        jsorc.call(name + ".add", a=n, b=n)
    jsorc.report(6)
"""


@pytest.fixture
def crowded(serve, write):
    """(daemon, answers of its traffic that were not right), with a policy that thinks for long."""
    modules = [write(f"{name}.py", LIGHT) for name in (*CROWD, "spare")]
    daemon = serve(*modules, write("flow.py", CROWDED), options=FAST)
    over, wrong = threading.Event(), []
    thread = threading.Thread(target=lambda: keep_running(daemon, over, wrong))
    thread.start()
    assert choose(daemon, "adaptive")["success"] is True
    wait_until(lambda: policy(daemon)["state"]["step"] == "thinking" and
               policy(daemon)["state"]["phases"] > 0, 60, "the policy in thought")
    yield daemon, over, wrong
    over.set()
    thread.join()


def test_a_policy_that_is_replaced_while_it_thinks_is_not_heard(crowded):
    daemon, over, wrong = crowded
    assert choose(daemon, "default")["success"] is True
    assert policy(daemon)["state"] is None
    assert choose(daemon, "adaptive")["success"] is True
    wait_until(lambda: policy(daemon)["state"]["phases"] > 0, 60, "a phase of the next run")
    over.set()  # and the end of the daemon comes while that one thinks
    assert not wrong
    assert daemon.stop() == 0


def test_an_answer_to_what_was_is_not_carried_out(crowded, tmp_path):
    daemon, _, wrong = crowded
    assert daemon.op("jsorc_actions_unload", name="spare")["success"] is True
    wait_until(lambda: (policy(daemon)["state"]["answer"] or {}).get("why") == "changed", 60,
               "the policy's knowledge of the change")
    assert "spare" not in policy(daemon)["state"]["answer"]["placement"]
    assert not wrong
    trace = tmp_path / "run.trace"
    assert jsorc("trace", "record", trace, "--run", "--state", daemon.state).returncode == 0
    again = jsorc("trace", "replay", trace)
    assert again.returncode == 0, again.stderr


MANY = "import jsorc\n\n\n" + "\n\n".join(
    f"@jsorc.action\ndef f{i}() -> int:\n    return {i}" for i in range(300))

LAST = """
import jsorc

@jsorc.walker
def zz_last():
    jsorc.report(jsorc.call("many.f0"))
"""


def told_problem(daemon):
    return json.loads(daemon.op("jsorc_actionpolicy_record")["lines"][1]["told"])


def test_of_many_walkers_the_busiest_are_told(serve, write):
    daemon = serve(write("many.py", MANY), write("last.py", LAST), options=FAST)
    for i in range(300):
        assert daemon.call(f"many.f{i}").json() == i
    over = threading.Event()
    thread = threading.Thread(target=keep_asking, args=(daemon, over))
    thread.start()
    try:
        wait_until(lambda: daemon.post("/walkers/zz_last", {"ctx": {}}).status == 200, 10, "a run")
        assert choose(daemon, "evaluation", **EVALUATION)["success"] is True
        wait_until(lambda: policy(daemon)["state"]["phases"] >= 2, 30, "two phases")
    finally:
        over.set()
        thread.join()
    walkers = told_problem(daemon)["walkers"]
    names = [walker["name"] for walker in walkers]
    assert len(names) == len(set(names)) == 256
    assert names[-1] == "(others)" and walkers[-1]["calls"] == ["many"]
    assert walkers[-1]["weight"] == 301 - 255  # what is left of 300 actions and a walker
    assert "zz_last" in names
    phases = [json.loads(line["told"]) for line in daemon.op("jsorc_actionpolicy_record")["lines"]
              if '"mean_latency_s"' in line["told"]]
    assert any(phase["walkers"].get("zz_last", {}).get("runs") for phase in phases)


def keep_asking(daemon, over):
    while not over.is_set():
        daemon.post("/walkers/zz_last", {"ctx": {}})


ONE = """
import jsorc

@jsorc.action
def one() -> int:
    return 1
"""


def test_of_many_modules_the_busiest_are_told(serve, write):
    daemon = serve(*(write(f"m{i:02}.py", ONE) for i in range(67)), options=FAST)
    for name in ("m64", "m65", "m66"):
        for _ in range(3):
            assert daemon.call(f"{name}.one").json() == 1
    assert choose(daemon, "adaptive")["success"] is True
    wait_until(lambda: daemon.call("m66.one").json() == 1 and policy(daemon)["state"]["answer"],
               30, "an answer")
    names = [module["name"] for module in told_problem(daemon)["modules"]]
    assert names == [f"m{i:02}" for i in range(61)] + ["m64", "m65", "m66"]
