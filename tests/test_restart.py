"""What outlives the daemon: modules, places, configs, accounts, and the workers themselves."""

import concurrent.futures
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from placement import TEXT, crash, move, status
from programs import STOP_SECONDS_MAX, wait_until

FLOW = """
import os
import jsorc

@jsorc.walker
def pids():
    jsorc.report({name: jsorc.call(name + ".pid") for name in ("one", "two")} | {
        "here": os.getpid()})
"""


@pytest.fixture
def placed(serve, write):
    """A daemon with module `one` in the runtime worker, `two` in a pod and a walker."""
    daemon = serve(options=("--probe-interval-s", "0.5"))
    for name in ("one", "two"):
        assert daemon.op("actions_load_local", file=str(write(f"{name}.py", TEXT)),
                         ctx={"tag": name})["success"] is True
    assert daemon.op("actions_load_local", file=str(write("flow.py", FLOW)))["success"] is True
    answer = daemon.op("jsorc_actions_load", name="two", mode="remote", wait=True)
    assert answer["success"] is True, answer
    return daemon


def pids(daemon):
    return {name: daemon.call(f"{name}.pid").json() for name in ("one", "two")}


def places(daemon):
    return {name: entry["mode"] for name, entry in
            daemon.op("jsorc_actions_status", name="")["action_status"].items()}


def walk(daemon):
    answer = daemon.post("/walkers/pids", {"ctx": {}}).json()
    assert answer["success"] is True, answer
    return answer["report"][0]


PLACES = {"one": "module", "two": "remote", "flow": "module"}


def assert_as_before(daemon):
    for name in ("one", "two"):
        reply = daemon.call(f"{name}.tag")
        assert (reply.status, reply.json()) == (200, name)
    wait_until(lambda: places(daemon) == PLACES, 20, "the places of before")

    def walkers_follow():
        report = walk(daemon)
        return (report["one"] == report["here"] and
                report["two"] == daemon.call("two.pid").json())

    wait_until(walkers_follow, 20, "walkers that call one here and two in its pod")


# ---- an orderly restart


def test_modules_places_and_setup_outlive_an_orderly_restart(placed):
    before = pids(placed)
    placed.stop()
    wait_until(lambda: not placed.pids(), 10, "the end of all processes")
    placed.start()
    assert_as_before(placed)
    assert set(pids(placed).values()).isdisjoint(before.values())


def test_unloaded_modules_and_actions_stay_unloaded(placed):
    assert placed.op("jsorc_actions_unload", name="two")["success"] is True
    assert placed.op("actions_unload_action", name="one.tag")["success"] is True
    names = placed.op("actions_list")
    assert names == ["one.capitals", "one.pid", "one.setup", "one.upper"]
    placed.stop()
    placed.start()
    wait_until(lambda: placed.call("one.pid").status == 200, 20, "module one")
    assert placed.op("actions_list") == names
    assert placed.call("one.tag").status == 404
    assert placed.call("two.pid").status == 404
    assert places(placed) == {"one": "module", "two": None, "flow": "module"}
    assert placed.op("jsorc_actions_load", name="two", mode="module")["success"] is True, \
        "what it is was not forgotten"
    assert placed.call("two.tag").json() == "two"


def test_configs_and_accounts_outlive_a_restart_and_a_crash(placed):
    assert placed.op("config_set", name="MAIL_CONFIG", value='{"enabled": false, "port": 2525}')
    account = {"email": "admin@example.org", "password": "correct horse battery"}
    connection = placed.connect_local()
    created = placed.post("/user/create_super/", account, connection=connection)
    assert created.status == 201, created.body
    connection.close()
    token = placed.post("/user/token/", account).json()["token"]

    def check():
        reply = placed.post("/js_admin/config_get", {"name": "MAIL_CONFIG"}, token=token)
        assert reply.status == 200
        assert json.loads(reply.json()) == {"enabled": False, "port": 2525}
        assert placed.post("/user/token/", account).status == 200
        assert placed.post("/js_admin/config_list", {}).status == 401

    check()
    crash(placed)
    check()
    placed.stop()
    placed.start()
    check()


def test_what_the_command_line_names_keeps_the_place_it_was_moved_to(serve, write):
    daemon = serve(write("one.py", TEXT), write("two.py", TEXT))
    answer = daemon.op("jsorc_actions_load", name="two", mode="remote", wait=True)
    assert answer["success"] is True
    daemon.stop()
    daemon.sources = daemon.sources[1:]
    daemon.start()
    wait_until(lambda: places(daemon) == {"two": "remote"}, 20, "one forgotten, two where it was")


# ---- the daemon crashes


def test_a_move_outlives_a_restart_until_the_settings_file_says_something_else(
        serve, text, tmp_path):
    settings = tmp_path / "jsorc.yaml"

    def write_settings(place, timeout_s):
        settings.write_text(f"modules:\n  text: {{source: {text}, place: {place}, "
                            f"timeout_s: {timeout_s}}}\n")

    def mode_after_restart():
        daemon.stop()
        daemon.start()
        wait_until(lambda: daemon.call("text.upper", text="a").status == 200, 30)
        return status(daemon, "text")["mode"]

    write_settings("module", 20)
    daemon = serve(options=["-c", settings])
    wait_until(lambda: daemon.call("text.upper", text="a").status == 200, 30)
    assert status(daemon, "text")["mode"] == "module"
    move(daemon, "text", "remote")
    assert mode_after_restart() == "remote", "moved since the file was written"
    write_settings("module", 30)
    assert mode_after_restart() == "module", "the entry is another one: it counts"
    write_settings("remote", 30)
    assert mode_after_restart() == "remote"
    move(daemon, "text", "module")
    assert mode_after_restart() == "module"


def test_workers_are_adopted_when_the_daemon_is_killed(placed):
    before = pids(placed)
    walked = walk(placed)
    for _ in range(3):
        crash(placed)
        assert_as_before(placed)
        assert pids(placed) == before, "the same processes"
        assert walk(placed) == walked


def test_a_change_is_saved_when_it_is_answered(placed):
    answer = placed.op("jsorc_actions_load", name="two", mode="module", wait=True)
    assert answer["success"] is True
    crash(placed)
    assert placed.call("two.tag").json() == "two"
    wait_until(lambda: places(placed) == {**PLACES, "two": "module"}, 20, "the new place")
    assert placed.op("jsorc_actions_unload", name="two")["success"] is True
    crash(placed)
    assert placed.call("two.tag").status == 404
    assert places(placed)["two"] is None


@pytest.mark.parametrize("after_ms", [0, 30, 100])
def test_a_forgotten_module_is_gone_and_the_others_are_there_after_a_crash(placed, after_ms):
    before = pids(placed)

    def forget():
        try:
            placed.op("actions_unload_module", name="one")
        except (OSError, http.client.HTTPException):
            pass  # the daemon was killed under it

    with concurrent.futures.ThreadPoolExecutor() as pool:
        run = pool.submit(forget)
        wait_until(lambda: placed.call("one.pid").status == 404, 10, "the unload")
        time.sleep(after_ms / 1000)
        crash(placed)
        run.result()
    assert placed.call("one.pid").status == 404
    assert placed.call("two.pid").json() == before["two"]
    # The generation that still has it serves the other modules until the next one is ready.
    wait_until(lambda: before["one"] not in placed.pids(), 10, "the end of the old generation")
    failed = placed.post("/walkers/pids", {"ctx": {}}).json()
    assert failed["success"] is False
    assert "no action 'one.pid'" in str(failed["errors"])


def test_connections_are_kept_waiting_while_the_daemon_is_replaced(placed):
    stop = threading.Event()

    def keep_calling():
        good = 0
        while not stop.is_set():
            reply = placed.call("one.tag")  # a connection of its own
            assert reply.status == 200, reply.body
            good += 1
        return good

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        before = placed.daemon_pid()
        placed.expect_log("daemon ended and is started again")
        # Between two calls: none is under way that could be lost.
        assert placed.call("one.tag").status == 200
        os.kill(before, signal.SIGKILL)
        runs = [pool.submit(keep_calling) for _ in range(2)]
        wait_until(lambda: placed.daemon_pid() != before, 30, "another daemon")
        time.sleep(0.3)
        stop.set()
        assert min(run.result() for run in runs) > 0


def test_a_worker_that_died_with_the_daemon_is_started_again(placed):
    before = pids(placed)
    daemon_pid = placed.daemon_pid()
    placed.expect_log("daemon ended and is started again")
    os.kill(placed.process.pid, signal.SIGSTOP)  # the supervisor must not be faster than us
    os.kill(daemon_pid, signal.SIGKILL)
    os.kill(before["one"], signal.SIGKILL)
    os.kill(placed.process.pid, signal.SIGCONT)
    wait_until(lambda: placed.daemon_pid() != daemon_pid and placed.answers(), 30, "a daemon")
    assert_as_before(placed)
    assert pids(placed)["two"] == before["two"]
    assert pids(placed)["one"] != before["one"]


def test_a_worker_that_hangs_is_not_adopted(placed):
    before = pids(placed)
    placed.expect_log("worker does not answer")  # seen before the daemon ends, if that takes long
    os.kill(before["two"], signal.SIGSTOP)
    crash(placed)
    assert placed.call("one.tag").status == 200
    assert placed.call("two.tag").json() == "two"
    assert pids(placed)["two"] != before["two"]
    wait_until(lambda: before["two"] not in placed.pids(), 10, "the end of the one that hung")


@pytest.mark.parametrize("target", ["remote", "module"])
@pytest.mark.parametrize("after_ms", [0, 20, 60, 120, 250])
def test_a_move_goes_on_when_the_daemon_is_killed_in_the_middle(placed, target, after_ms):
    if target == "remote":
        answer = placed.op("jsorc_actions_load", name="two", mode="module", wait=True)
        assert answer["success"] is True, answer
    assert placed.op("jsorc_actions_load", name="two", mode=target, wait=False)["success"] is True
    time.sleep(after_ms / 1000)
    crash(placed)
    assert placed.call("two.tag").json() == "two"
    wanted = {**PLACES, "two": target}
    wait_until(lambda: places(placed) == wanted, 30, f"{wanted}, not {places(placed)}")
    roles = sorted(["runtime", "pod"] if target == "remote" else ["runtime"])

    def left():
        workers = placed.op("jsorc_status")["workers"]
        return sorted(worker["role"] for worker in workers) == roles

    wait_until(left, 20, f"only {roles} left")
    everything = set(placed.pids()) - {placed.process.pid, placed.daemon_pid()}
    assert len(everything) == len(roles), "no worker is left that nobody knows"
    for name in ("one", "two"):
        assert placed.call(f"{name}.tag").json() == name


# ---- the supervisor crashes


def test_everything_ends_with_the_supervisor_and_starts_anew(placed):
    wait_until(lambda: len(placed.pids()) == 4, 10, "supervisor, daemon and two workers")
    placed.expect_log("worker ended")  # the daemon may see it before it is told itself
    placed.process.kill()
    placed.process.wait()
    wait_until(lambda: not placed.pids(), STOP_SECONDS_MAX, "the end of daemon and workers")
    assert placed.socket.exists(), "left over"
    placed.start()
    assert_as_before(placed)


def test_workers_end_by_the_life_line_when_supervisor_and_daemon_are_killed(placed):
    daemon_pid = placed.daemon_pid()
    os.kill(placed.process.pid, signal.SIGSTOP)
    os.kill(daemon_pid, signal.SIGKILL)
    placed.process.kill()
    placed.process.wait()
    wait_until(lambda: not placed.pids(), STOP_SECONDS_MAX, "the end of the workers")
    placed.start()
    assert_as_before(placed)


def test_another_jsorc_waits_for_the_daemon_of_one_that_was_killed(serve, write):
    daemon = serve(write("two.py", TEXT))
    assert daemon.call("two.tag").status == 200, "it is loaded"
    daemon.expect_log("worker ended|module did not start")  # it left by the life line
    with concurrent.futures.ThreadPoolExecutor() as pool:
        run = pool.submit(lambda: daemon.call("two.pid", seconds=4.0))
        daemon.under_way(1)
        daemon.process.kill()
        daemon.process.wait()
        early = daemon.cli(*daemon.argv()[1:])
        assert early.returncode == 1
        assert "still ends its calls" in early.stderr
        assert run.result().status == 200, "what is under way ends in peace"
    wait_until(lambda: not daemon.pids(), STOP_SECONDS_MAX, "the end of daemon and workers")
    daemon.start()
    assert daemon.call("two.tag").json() == "none"


def test_a_worker_has_the_life_line_once(serve, write):
    worker = serve(write("two.py", TEXT)).call("two.pid").json()
    targets = [os.readlink(entry) for entry in Path(f"/proc/{worker}/fd").iterdir()]
    pipes = [target for target in targets if target.startswith("pipe:")]
    assert pipes and len(pipes) == len(set(pipes)), targets


def test_a_daemon_whose_supervisor_is_gone_does_not_begin(serve):
    daemon = serve(start=False)
    daemon.folder.mkdir(parents=True)
    reading, writing = os.pipe()
    os.close(writing)
    run = subprocess.run(
        [str(word) for word in daemon.argv()], capture_output=True, text=True, timeout=20,
        pass_fds=[reading], env={**daemon.env, "JSORC_LISTEN": "", "JSORC_LIFELINE": str(reading)})
    os.close(reading)
    assert run.returncode == 1
    assert "the supervisor has ended" in run.stderr


# ---- the end asked for


def test_requests_that_were_accepted_are_answered_before_the_end(placed):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        runs = [pool.submit(lambda name: placed.call(f"{name}.pid", seconds=3.0), name)
                for name in ("one", "two") * 8]
        placed.under_way(16)
        placed.process.send_signal(signal.SIGTERM)
        replies = [run.result() for run in runs]
    assert [reply.status for reply in replies] == [200] * 16
    assert placed.process.wait(STOP_SECONDS_MAX) == 0
    wait_until(lambda: not placed.pids(), 10, "the end of all")


def test_a_walker_under_way_reaches_its_actions_until_the_end(serve, write):
    flow = """
import time
import jsorc

@jsorc.walker
def slowly():
    time.sleep(1)
    jsorc.report(jsorc.call("two.tag"))
"""
    daemon = serve(write("two.py", TEXT), write("flow.py", flow))
    answer = daemon.op("jsorc_actions_load", name="two", mode="remote", wait=True)
    assert answer["success"] is True, answer
    with concurrent.futures.ThreadPoolExecutor() as pool:
        run = pool.submit(lambda: daemon.post("/walkers/slowly", {"ctx": {}}))
        daemon.under_way(1)
        daemon.process.send_signal(signal.SIGTERM)
        reply = run.result().json()
    assert reply.get("success") is True, reply
    assert reply["report"] == ["none"]
    assert daemon.process.wait(STOP_SECONDS_MAX) == 0


def test_control_c_in_a_terminal_is_an_orderly_end_too(placed):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = [pool.submit(lambda name: placed.call(f"{name}.pid", seconds=2.0), name)
                for name in ("one", "two")]
        placed.under_way(2)
        os.killpg(placed.process.pid, signal.SIGINT)  # all that the terminal knows: not workers
        assert [run.result().status for run in runs] == [200, 200]
    assert placed.process.wait(STOP_SECONDS_MAX) == 0


def test_who_waits_for_a_load_is_told_that_it_goes_on_later(serve, write):
    slow = write("slow.py", "import time, jsorc\ntime.sleep(5)\n@jsorc.action\ndef f():\n"
                            "    return 1\n")
    daemon = serve()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        run = pool.submit(lambda: daemon.op("actions_load_local", file=str(slow)))
        wait_until(lambda: daemon.op("jsorc_status")["workers"], 10, "its worker")
        daemon.process.send_signal(signal.SIGTERM)
        answer = run.result()
    assert answer["success"] is False
    assert "at its next start" in answer["message"]
    assert daemon.process.wait(STOP_SECONDS_MAX) == 0
    daemon.start()
    assert daemon.call("slow.f").json() == 1


def test_every_call_that_is_executed_is_answered_though_the_end_comes(serve, write):
    """Connections that the kernel takes in between our last look and the close of the socket, some
    microseconds, are reset; their calls are not executed."""
    marks = write("marks", "")
    daemon = serve(write("one.py", f"""
import os
import jsorc

@jsorc.action
def mark():
    with open({str(marks)!r}, "ab", buffering=0) as file:
        file.write(b".")
"""))
    assert daemon.call("one.mark").status == 200

    def keep_calling():
        good = 0
        while True:
            connection = daemon.connect(timeout=20)
            try:
                connection.connect()
                reply = daemon.post("/actions/one.mark", {}, connection=connection)
            except OSError as error:
                return good, error
            finally:
                connection.close()
            assert reply.status == 200, reply.body
            good += 1

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(keep_calling) for _ in range(8)]
        wait_until(lambda: marks.stat().st_size > 100, 10, "calls")
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(STOP_SECONDS_MAX) == 0
        results = [run.result() for run in runs]
    assert sum(good for good, _ in results) + 1 == marks.stat().st_size
    refused = sum(isinstance(error, ConnectionRefusedError) for _, error in results)
    assert refused >= 1, results


def test_a_second_signal_ends_it_at_once(placed):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        run = pool.submit(lambda: placed.call("two.pid", seconds=30))
        placed.under_way(1)
        placed.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        started = time.monotonic()
        placed.process.send_signal(signal.SIGTERM)
        placed.process.wait(STOP_SECONDS_MAX)
        assert time.monotonic() - started < 15, "the call takes 30 s"
        with pytest.raises((OSError, http.client.HTTPException)):
            run.result()
    wait_until(lambda: not placed.pids(), 10, "the end of all")


def test_a_call_without_end_does_not_hold_up_the_end(serve, write):
    daemon = serve(write("one.py", TEXT), options=("--stop-grace-s", "1"))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        run = pool.submit(lambda: daemon.call("one.pid", seconds=60))
        daemon.under_way(1)
        started = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(STOP_SECONDS_MAX) == 0, daemon.log_text()
        assert time.monotonic() - started < 30, "the call takes 60 s"
        reply = run.result()
    assert reply.status == 502
    assert "ended during the call" in reply.json()["detail"]
