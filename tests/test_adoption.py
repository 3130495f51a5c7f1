"""Workers that a daemon finds at its start and cannot use as they are. They are started by hand
here, as they would be left by a daemon that was killed at an unlucky moment."""

import json
import os
import subprocess
import sys

from programs import BUILD, UnixConnection, wait_until

FLOW = """
import jsorc

@jsorc.walker
def hello():
    jsorc.report("hello")

@jsorc.action
def greet():
    return "greeted"
"""


def leave_worker(daemon, module, source, generation, role):
    """A worker of that generation, serving on its socket in the stopped daemon's run folder."""
    run = daemon.state / "run"
    name = f"{module}-{generation}"
    socket = run / f"{name}.sock"
    spec = run / f"{name}.json"
    spec.write_text(json.dumps({
        "name": name, "role": role, "generation": generation, "threads_max": 4,
        "modules": [{"name": module, "kind": "python-file", "source": str(source), "ctx": {},
                     "remote": role == "pod", "revision": 1}]}))
    worker = subprocess.Popen(
        [sys.executable, "-m", "jsorc.worker", "--socket", str(socket), "--spec", str(spec),
         "--daemon", str(daemon.socket)],
        env={**daemon.env, "PYTHONPATH": str(BUILD / "python")}, start_new_session=True)

    def serves():
        try:
            connection = UnixConnection(socket, 5)
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    wait_until(serves, 20, f"worker {name}")
    return worker


def generations(daemon):
    return [worker["generation"] for worker in daemon.op("jsorc_status")["workers"]]


def test_numbers_of_workers_that_are_not_adopted_are_not_used_again(serve, write):
    source = write("flow.py", FLOW)
    daemon = serve(source)
    assert generations(daemon) == [1]
    daemon.stop()
    worker = leave_worker(daemon, "gone", write("gone.py", FLOW), 70, "runtime")
    daemon.start()
    wait_until(lambda: daemon.call("flow.greet").status == 200, 20, "module flow")
    assert generations(daemon) == [71]
    assert worker.wait(20) is not None, "it was told to end"


def test_a_pod_that_has_walkers_is_stopped(serve, write):
    source = write("flow.py", FLOW)
    daemon = serve(source, options=("--stop-grace-s", "0.5"))
    daemon.stop()
    daemon.expect_log("module did not start.*has walkers")
    worker = leave_worker(daemon, "flow", source, 70, "pod")
    daemon.start()
    pid = daemon.daemon_pid()
    assert worker.wait(20) is not None
    wait_until(lambda: daemon.call("flow.greet").status == 200, 20, "module flow where it belongs")
    wait_until(lambda: daemon.op("jsorc_status")["uptime_s"] > 2, 20, "the end of all graces")
    assert daemon.daemon_pid() == pid and os.path.exists(f"/proc/{pid}")
