"""`jsorc loadtest` end to end: small loads of small applications, and what is left of them."""

import csv
import html.parser
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from programs import JSORC, MARK, UnixConnection, wait_until

QUICK = ("--experiment-duration", "0.5", "--warmup", "0.1", "--time-scale", "0.02",
         "--memory-scale", "0.002", "--repeat", "1")
APP = "sentence_pairing"


class Loadtest:
    """One run of the command, and what it leaves behind."""

    def __init__(self, folder, env):
        self.out = folder / "out"
        # A socket's path must be short, which a test's folder is not.
        self.temporary = Path(tempfile.mkdtemp(prefix="jsorc-test-"))
        self.mark = uuid.uuid4().hex
        self.env = {**os.environ, "VIRTUAL_ENV": sys.prefix, "TMPDIR": str(self.temporary),
                    MARK: self.mark, **env}

    def argv(self, *words):
        return [JSORC, "loadtest", "synthetic_apps", *QUICK, "--out", self.out, *words]

    def run(self, *words, status=0):
        done = subprocess.run([str(word) for word in self.argv(*words)], capture_output=True,
                              text=True, timeout=120, env=self.env, stdin=subprocess.DEVNULL)
        assert done.returncode == status, done.stderr
        self.assert_nothing_is_left()
        return done

    def processes(self):
        """Command lines of those that are left."""
        needle, left = f"{MARK}={self.mark}".encode(), []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and needle in (entry / "environ").read_bytes():
                    left.append((entry / "cmdline").read_bytes())
            except OSError:
                continue
        return left

    def assert_nothing_is_left(self):
        assert self.processes() == []
        assert list(self.temporary.iterdir()) == []

    def result(self):
        return json.loads((self.out / "result.json").read_text())


@pytest.fixture
def loadtest(tmp_path):
    """loadtest(**env) -> Loadtest"""
    made = []

    def make(**env):
        folder = tmp_path / f"loadtest-{len(made)}"
        folder.mkdir()
        made.append(Loadtest(folder, env))
        return made[-1]

    yield make
    for test in made:
        shutil.rmtree(test.temporary)


def test_two_policies_give_a_result_a_table_and_a_page(loadtest):
    test = loadtest()
    done = test.run("--experiment", APP, "--policy", "all_remote,all_local", "--repeat", "2")
    result = test.result()
    assert json.loads(done.stdout) == result
    assert list(result) == [APP, "config"]
    assert list(result[APP]) == ["all_remote", "all_local"]
    for cell in result[APP].values():
        check_cell(cell)
    speed_up = result[APP]["all_local"]["summary"]["over_all_remote"]
    assert set(speed_up) == {"mean", "throughput", "p99"}
    for interval in speed_up.values():
        assert interval["low"] <= interval["value"] <= interval["high"]
    assert "over_all_remote" not in result[APP]["all_remote"]["summary"]
    for place, cell in (("remote", "all_remote"), ("module", "all_local")):
        placements = result[APP][cell]["repetitions"][0]["placements"]
        assert [entry["placement"] for entry in placements] == [
            {"sbert_sim": place, "bi_enc": place}]
    config = result["config"]
    assert config["machine"]["cores"] == os.cpu_count()
    assert config["seed"] == 1
    assert config["loop"] == "closed"
    assert config["interrupted"] is False
    check_csv(test.out / "result.csv", result)
    check_page(test.out / "report.html", result)


def check_cell(cell):
    """The shapes of the original's result, and that figures agree with each other."""
    report = cell["walker_level"]["walker_run"]
    assert set(report) == {APP, "all"}
    leaf = report[APP]
    assert leaf["count"] > 5
    assert leaf["errors"] == 0 and sum(cell["errors"].values()) == 0
    assert leaf["min_latency"] <= leaf["50th_latency"] <= leaf["90th_latency"] <= \
        leaf["95th_latency"] <= leaf["99th_latency"] <= leaf["max_latency"]
    # One client without a pause: as many a second as its latency lets through.
    assert leaf["throughput"] * leaf["average_latency"] / 1000 == pytest.approx(1, abs=0.25)
    assert [row["count"] for row in cell["repetitions"]] and \
        sum(row["count"] for row in cell["repetitions"]) == leaf["count"]
    calls = [entry["actions_stats"] for entry in cell["action_level"]]
    assert len(calls) == len(cell["repetitions"])
    for stats in calls:  # ten comparisons for one inference, in the warm-up too
        ratio = stats["sbert_sim.get_cos_score"]["count"] / stats["bi_enc.infer"]["count"]
        assert ratio == pytest.approx(10, abs=1)
    assert cell["distribution"][0][1] == pytest.approx(leaf["min_latency"])
    assert cell["decisions"][0]["policy"] == "Default"


def check_csv(path, result):
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["policy"], row["repetition"]) for row in rows] == [
        ("all_remote", "1"), ("all_remote", "2"), ("all_local", "1"), ("all_local", "2")]
    first = result[APP]["all_remote"]["repetitions"][0]
    assert float(rows[0]["mean_ms"]) == pytest.approx(first["mean_ms"])
    assert int(rows[0]["count"]) == first["count"]


class Page(html.parser.HTMLParser):
    """Which elements there are, and whether each is closed."""

    void = {"meta", "link", "br", "img", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.references, self.text = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check_page(path, result):
    text = path.read_text()
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.references == [] and "script" not in page.tags and "url(" not in text
    shown = " ".join(page.text)
    for key, cell in result[APP].items():
        assert key in shown and f"{cell['summary']['mean_ms']:.2f}" in shown
    drawings = text.split("<svg")[1:]
    assert len(drawings) == 1 + 1 + 1 + 4  # ratios, percentiles, time, two modules a policy
    lines = 0
    for drawing in drawings:
        tree = ElementTree.fromstring("<svg" + drawing.split("</svg>")[0] + "</svg>")
        for line in tree.iter("{http://www.w3.org/2000/svg}polyline"):
            points = [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
            assert points and all(0 <= x <= 720 and 0 <= y <= 300 for x, y in points)
            lines += 1
    assert lines == 4


def test_the_oracle_takes_the_placement_that_was_best(loadtest):
    test = loadtest()
    test.run("--experiment", APP, "--policy", "oracle", "--trial", "0.3")
    cell = test.result()[APP]["oracle"]
    assert len(cell["tried"]) == 4
    placements = {tuple(trial["placement"].items()) for trial in cell["tried"]}
    assert len(placements) == 4
    best = min(cell["tried"], key=lambda trial: trial["average_latency"])
    assert cell["repetitions"][0]["placements"][0]["placement"] == best["placement"]


def test_evaluation_moves_modules_while_it_is_measured(loadtest):
    test = loadtest()
    test.run("--experiment", APP, "--policy", "evaluation", "--mem", "8", "--eval-phase", "0.5",
             "--experiment-duration", "3.5")
    cell = test.result()[APP]["evaluation-mem-8192"]
    assert len(cell["repetitions"][0]["placements"]) > 1
    assert sum(cell["errors"].values()) == 0
    decision = cell["decisions"][0]
    assert decision["policy"] == "Evaluation"
    assert decision["params"]["eval_phase"] == 0.5
    assert len(decision["record"]) > 1


def test_what_came_once_a_policy_had_settled_is_told_by_itself(loadtest):
    test = loadtest()
    test.run("--experiment", APP, "--policy", "all_remote,evaluation", "--mem", "0",
             "--eval-phase", "0.5", "--perf-phase", "600", "--experiment-duration", "4")
    result = test.result()[APP]
    cell = result["evaluation-mem-0"]  # which leaves one placement, so one trial
    summary, row = cell["summary"], cell["repetitions"][0]
    assert (row["trials"], summary["trials"]) == (1, 1) and summary["phases"] >= 1
    settled = row["settled"]
    assert settled["from_s"] > 0.5 and settled["count"] < row["count"]
    assert 0 < settled["p50_ms"] <= settled["p99_ms"]
    assert summary["settled"]["mean_ms"] == pytest.approx(settled["mean_ms"])
    assert summary["settled"]["over_all_remote"]["mean"]["value"] > 0
    assert "settled" not in result["all_remote"]["summary"]
    with (test.out / "result.csv").open() as file:
        static, live = csv.DictReader(file)
    assert static["settled_mean_ms"] == "" and static["trials"] == ""
    assert float(live["settled_mean_ms"]) == pytest.approx(settled["mean_ms"])
    assert ", settled" in (test.out / "report.html").read_text()


def test_a_policy_that_did_not_settle_says_so(loadtest):
    test = loadtest()
    done = test.run("--experiment", APP, "--policy", "adaptive", "--eval-phase", "60",
                    "--experiment-duration", "1", "-o", "table")
    assert test.result()[APP]["adaptive-mem-4096"]["summary"]["settled"] is None
    assert "not settled" in done.stdout
    assert "; not settled" in done.stderr
    assert ", not settled" in (test.out / "report.html").read_text()


def test_an_open_loop_sends_at_its_rate(loadtest):
    test = loadtest()
    test.run("--experiment", APP, "--policy", "all_local", "--rate", "40",
             "--experiment-duration", "1")
    cell = test.result()[APP]["all_local"]
    leaf = cell["walker_level"]["walker_run"][APP]
    assert leaf["count"] + leaf["errors"] == 40
    assert cell["repetitions"][0]["generator_late_p99_ms"] >= 0
    assert test.result()["config"]["loop"] == "open"


def test_a_condition_that_is_met_fails_the_run(loadtest):
    test = loadtest()
    done = test.run("--experiment", APP, "--policy", "all_local", "--fail-on", "errors>0",
                    "--fail-on", "p99>1us", status=1)
    assert f"jsorc: {APP}, all_local: p99>1us" in done.stderr
    assert "errors>0" not in done.stderr


def calls_so_far(test):
    """Calls that the load test's own daemon has seen."""
    for path in test.temporary.glob("jsorc-loadtest-*/state/run/jsorc.sock"):
        connection = UnixConnection(path, timeout=10)
        try:
            connection.request("POST", "/js_admin/jsorc_status", "{}",
                               {"Content-Type": "application/json"})
            status = json.loads(connection.getresponse().read())
        except OSError:  # not listening yet
            continue
        finally:
            connection.close()
        return sum(action["calls"] for module in status["modules"]
                   for action in module["actions"].values())
    return 0


def test_ctrl_c_ends_it_cleanly_with_what_was_measured(loadtest):
    test = loadtest()
    argv = test.argv("--experiment", APP, "--policy", "all_local", "--experiment-duration", "60",
                     "--output", "json")
    with subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=test.env) as process:
        wait_until(lambda: calls_so_far(test) > 2000, 60, "the load")
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in errors
    result = json.loads(out)
    assert result["config"]["interrupted"] is True
    assert result[APP]["all_local"]["repetitions"][0]["stopped"] is True
    assert result[APP]["all_local"]["summary"]["count"] > 5
    assert test.result() == result
    test.assert_nothing_is_left()


def test_nothing_runs_on_when_it_is_killed(loadtest):
    test = loadtest()
    argv = test.argv("--experiment", APP, "--policy", "all_local", "--experiment-duration", "60")
    with subprocess.Popen([str(word) for word in argv], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=test.env) as process:
        wait_until(lambda: calls_so_far(test) > 100, 60, "the load")
        process.kill()
    wait_until(lambda: not test.processes(), 60, "the end of its daemon")


MINE = """
import jsorc

@jsorc.action
def one() -> int:
    return 1
"""


def test_a_running_daemon_is_left_as_it_was(serve, write, loadtest):
    daemon = serve(write("mine.py", MINE))
    assert daemon.op("jsorc_actions_load", name="mine", mode="remote", wait=True)["success"]
    before = daemon.op("jsorc_actions_status", name="")
    modules, actions = daemon.op("actions_module_list"), daemon.op("actions_list")
    test = loadtest(JSORC_STATE=str(daemon.state))
    test.run("--experiment", APP, "--policy", "evaluation", "--eval-phase", "0.5",
             "--experiment-duration", "3", "--use-running")
    assert daemon.op("jsorc_actions_status", name="") == before
    assert daemon.op("actions_module_list") == modules
    assert daemon.op("actions_list") == actions
    assert daemon.op("jsorc_actionpolicy_get")["policy"] == "Default"
    assert daemon.call("mine.one").json() == 1


def test_what_was_pinned_stays_pinned(serve, write, loadtest):
    daemon = serve(write("mine.py", MINE), write("other.py", MINE))
    assert daemon.op("jsorc_actionpolicy_set", policy_name="Adaptive", policy_params={})["success"]
    assert daemon.op("jsorc_actions_load", name="mine", mode="remote", wait=True)["success"]
    test = loadtest(JSORC_STATE=str(daemon.state))
    test.run("--experiment", APP, "--policy", "all_local", "--experiment-duration", "0.5",
             "--use-running")
    assert daemon.op("jsorc_actionpolicy_get")["policy"] == "Adaptive"
    pinned = {module["name"]: (module["pinned"], module["wanted"])
              for module in daemon.op("jsorc_status")["modules"]}
    assert pinned == {"mine": (True, "remote"), "other": (False, "module")}


def test_names_that_the_running_daemon_has_are_refused(serve, write, loadtest):
    daemon = serve(write("bi_enc.py", MINE))
    test = loadtest(JSORC_STATE=str(daemon.state))
    done = test.run("--experiment", APP, "--policy", "all_local", "--use-running", status=1)
    assert "has a module 'bi_enc' already" in done.stderr
    assert daemon.call("bi_enc.one").json() == 1


SMALL = {"test": "synthetic_apps", "experiment": APP, "experiment_duration": 0.5, "warmup": 0.1,
         "time_scale": 0.02, "memory_scale": 0.002}


def test_the_operation_answers_with_the_result(serve):
    daemon = serve()
    result = daemon.op("jsorc_loadtest", **SMALL)
    check_cell(result[APP]["all_local"])  # the original's default policy
    told = daemon.op("jsorc_loadtest_report")
    assert told["state"] == "done" and told["result"] == result
    assert f"{APP} all_local 1/1" in told["log"]


def test_the_operation_runs_in_the_background(serve, write):
    daemon = serve(write("mine.py", MINE))
    assert daemon.op("jsorc_loadtest_report")["success"] is False
    started = daemon.op("jsorc_loadtest", **SMALL, policy="all_remote", wait=False,
                        use_running=True)
    assert started == {"success": True, "id": 1}
    second = daemon.op("jsorc_loadtest", **SMALL, wait=False)
    assert second["success"] is False and "load test 1 is running" in second["message"]
    assert daemon.op("jsorc_loadtest_report", id=1)["state"] == "running"
    told = wait_until(lambda: (report := daemon.op("jsorc_loadtest_report", id=1))["state"]
                      != "running" and report, 30, "the load test's end")
    assert told["state"] == "done", told
    check_cell(told["result"][APP]["all_remote"])
    assert list(daemon.op("jsorc_actions_status", name="")["action_status"]) == ["mine"]
    assert daemon.op("jsorc_loadtest_report", id=2)["success"] is False


def test_the_operation_says_why_a_test_failed(serve):
    daemon = serve()
    told = daemon.op("jsorc_loadtest", **{**SMALL, "experiment": "chess"})
    assert told["success"] is False and "there is no application 'chess'" in told["message"]
    assert daemon.op("jsorc_loadtest_report")["state"] == "failed"


def test_a_load_test_ends_with_its_daemon(serve, loadtest):
    temporary = loadtest().temporary
    daemon = serve(env={"TMPDIR": str(temporary)})
    daemon.op("jsorc_loadtest", **{**SMALL, "experiment_duration": 60}, wait=False)
    before = len(daemon.pids())
    wait_until(lambda: len(daemon.pids()) > before + 2, 20, "the load test's own daemon")
    assert daemon.stop() == 0
    wait_until(lambda: not daemon.pids(), 20, "the end of all of it")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("words", "text"), [
    (("--experiment", "chess"), "there is no application 'chess'"),
    (("--policy", "luck"), "policy 'luck' is none of"),
    (("--fail-on", "p98>1ms"), "begins with none of"),
    (("--fail-on", "p99>20"), "write us, ms or s, as in 'p99>20ms'"),
    (("--out", "/proc/jsorc-report"), "cannot make the folder '/proc/jsorc-report' of --out"),
    (("--out", "/dev/null"), "cannot write to the folder '/dev/null' of --out"),
    (("--poisson",), "--poisson needs a --rate"),
    (("--repeat", "0"), "--repeat is 1 to 100"),
    (("--variant", "other"), "--variant is real or meant"),
])
def test_what_makes_no_sense_is_refused_at_once(loadtest, words, text):
    done = loadtest().run(*words, status=2)
    assert text in done.stderr


def test_there_is_no_other_test():
    done = subprocess.run([JSORC, "loadtest", "other"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is no test 'other'; there is synthetic_apps" in done.stderr
