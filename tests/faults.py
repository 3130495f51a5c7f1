"""What the tests of bad behaviour share: the witness, which is not concerned and whose calls must
go on throughout, and `bad`, which does everything wrong on demand. A plugin of conftest.py."""

import threading

import pytest
from programs import wait_until

WITNESS = """
import os
import jsorc

@jsorc.action
def pid():
    return os.getpid()

@jsorc.walker
def walk():
    jsorc.report(jsorc.call("witness.pid"))
"""

BAD = """
import ctypes, math, os, sys, time
import jsorc

@jsorc.action
def pid():
    return os.getpid()

@jsorc.action
def echo(text: str, times: int = 1):
    return text * times

@jsorc.action
def add(a: int, b: float = 0.5, flag: bool = False, rest: list[int] = ()):
    return a + b

@jsorc.action
def anything(value=None):
    return value

@jsorc.action
def unencodable(kind: str):
    loop = []
    loop.append(loop)
    return {"object": object(), "cycle": loop, "nested": {"a": [1, {2, 3}, open]},
            "bytes": b"\\xff\\xfe", "function": pid}[kind]

@jsorc.action
def numbers():
    return [math.nan, math.inf, -math.inf, 1.5]

@jsorc.action
def raises(text: str = "because"):
    raise LookupError(text)

@jsorc.action
def hangs(seconds: float = 3600):
    time.sleep(seconds)
    return "awake"

@jsorc.action(timeout_s=0.5)
def hangs_briefly():
    time.sleep(3600)

@jsorc.action
def spins():
    while True:
        pass

@jsorc.action
def leaves(how: str):
    if how == "exit":
        sys.exit(3)
    if how == "os._exit":
        os._exit(3)
    if how == "abort":
        os.abort()
    if how == "segfault":
        ctypes.string_at(0)
    if how == "kill":
        os.kill(os.getpid(), 9)

@jsorc.action
def eats():
    kept = []
    while True:
        kept.append(bytearray(16 * 1024 * 1024))

@jsorc.action
def scribbles(first: int, last: int):
    written = 0
    for fd in range(first, last):
        try:
            written += os.write(fd, b"garbage \\x00\\xff" * 20) > 0
        except OSError:
            pass
    return written

@jsorc.action
def closes(first: int, last: int):
    os.closerange(first, last)
    return "closed"
"""


@pytest.fixture
def witness(write):
    return write("witness.py", WITNESS)


@pytest.fixture
def bad(write):
    return write("bad.py", BAD)


@pytest.fixture(params=["module", "remote"])
def place(request):
    return request.param


@pytest.fixture
def pair(serve, witness, bad, place):
    """A daemon with `witness` in the runtime worker and `bad` at place, and short limits."""
    daemon = serve(witness, bad, options=("--probe-interval-s", "0.5", "--probe-timeout-s", "1",
                                          "--memory-max-mb", "400", "--drain-timeout-s", "3",
                                          "--stop-grace-s", "1"))
    answer = daemon.op("jsorc_actions_load", name="bad", mode=place, wait=True)
    assert answer["success"] is True, answer
    wait_until(lambda: daemon.call("witness.pid").status == 200, 20, "the witness")
    daemon.place = place
    return daemon


def recovers(daemon, calls=("bad.pid", "witness.pid")):
    """Calls go on: at once, or after a short wait while a worker is started anew."""
    for call in calls:
        reply = daemon.call(call)
        assert reply.status == 200, (call, reply.body)
    walked = daemon.post("/walkers/walk", {"ctx": {}}).json()
    assert walked.get("success") is True, walked


class Steady:
    """Calls the witness, or another action, in the background; every answer must be good."""

    def __init__(self, daemon, action="witness.pid", pause_s=0, **arguments):
        self.daemon, self.stop, self.bad, self.good = daemon, threading.Event(), [], 0
        self.path, self.pause_s, self.arguments = f"/actions/{action}", pause_s, arguments
        self.thread = threading.Thread(target=self.run)

    def run(self):
        connection = self.daemon.connect()
        while not self.stop.wait(self.pause_s):
            try:
                reply = self.daemon.post(self.path, self.arguments, connection=connection)
                if reply.status == 200:
                    self.good += 1
                else:
                    self.bad.append((reply.status, reply.body))
            except OSError as error:
                self.bad.append(error)
                connection.close()
        connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.stop.set()
        self.thread.join()
        if exception[0] is None:
            assert not self.bad and self.good > 0, (self.bad[:3], self.good)
