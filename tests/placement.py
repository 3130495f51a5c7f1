"""What the tests of placement share: a module to move, a package with action configs, and questions
to the daemon. A plugin, loaded by conftest.py."""

import os
import signal

import pytest
from programs import wait_until

TEXT = """
import os
import time
import jsorc

TAG = "none"

@jsorc.action
def setup(tag: str = "none"):
    global TAG
    TAG = tag

@jsorc.action
def tag():
    return TAG

@jsorc.action(aliases=["capitals"])
def upper(text: str):
    return text.upper()

@jsorc.action
def pid(seconds: float = 0):
    time.sleep(seconds)
    return os.getpid()
"""


@pytest.fixture
def text(write):
    return write("text.py", TEXT)


@pytest.fixture
def kit(write):
    """A package of action configs as the original's kit has them: jac_misc.config, with a package
    that re-exports the functions of an inner module. Returns the environment to find it with."""
    manifests = {
        "Service": {"apiVersion": "v1", "kind": "Service",
                    "metadata": {"name": "test-module", "creationTimestamp": None},
                    "spec": {"selector": {"pod": "test-module"}, "ports": [{"port": 80}]}},
        "Deployment": {"apiVersion": "apps/v1", "kind": "Deployment",
                       "metadata": {"name": "test-module"}, "spec": {"replicas": 1}},
    }
    configs = {"example_module": {"module": "jac_misc.example_module",
                                  "loaded_module": "jac_misc.example_module.example_module",
                                  "remote": manifests}}
    write("kit/jac_misc/__init__.py", "")
    write("kit/jac_misc/config.py", f"ACTION_CONFIGS = {configs!r}\n")
    write("kit/jac_misc/example_module/__init__.py", "from .example_module import *  # noqa\n")
    inner = write("kit/jac_misc/example_module/example_module.py", """
from jaseci.jsorc.live_actions import jaseci_action

@jaseci_action(act_group=["example_module"], allow_remote=True)
def call(a: str):
    return "example module received " + a + "."
""")
    return {"PYTHONPATH": str(inner.parents[2])}


def status(daemon, name):
    answer = daemon.op("jsorc_actions_status", name=name)
    assert answer["success"] is True
    return answer["action_status"]


def move(daemon, name, mode, **options):
    answer = daemon.op("jsorc_actions_load", name=name, mode=mode, wait=True, **options)
    assert answer["success"] is True, answer
    assert answer["action_status"]["mode"] == mode
    return answer["action_status"]


def module_status(daemon, name):
    modules = daemon.op("jsorc_status")["modules"]
    return next((module for module in modules if module["name"] == name), None)


def workers(daemon, role):
    return [worker for worker in daemon.op("jsorc_status")["workers"] if worker["role"] == role]


def crash(daemon):
    """SIGKILL for the daemon; returns once another one answers."""
    before = daemon.daemon_pid()
    daemon.expect_log("daemon ended and is started again")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: daemon.daemon_pid() != before and daemon.answers(), 30, "another daemon")
