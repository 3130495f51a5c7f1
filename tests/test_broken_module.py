"""A module that cannot be loaded, among others that can."""

from programs import wait_until

GOOD = """import jsorc


@jsorc.action
def f():
    return "good"
"""
# Notes each time it is loaded.
SLOW = """import jsorc

with open({note!r}, "a") as note:
    note.write("x")


@jsorc.action
def f():
    return "slow"
"""
BAD = """import os

import jsorc

if not os.path.exists({mended!r}):
    import nosuch


@jsorc.action
def f():
    return "mended"
"""


def test_the_others_serve_and_are_not_loaded_again_for_it(serve, write, tmp_path):
    note, mended = tmp_path / "note", tmp_path / "mended"
    daemon = serve(write("abad.py", BAD.format(mended=str(mended))),
                   write("good.py", GOOD), write("slow.py", SLOW.format(note=str(note))))
    daemon.expect_log("module did not start")
    assert daemon.call("good.f").json() == "good"
    refused = wait_until(lambda: (reply := daemon.call("abad.f")).status == 503 and reply, 30,
                         "its failure")
    assert refused.json()["type"] == "Unavailable"
    assert "the module of 'abad.f' is not running" in refused.json()["detail"]
    assert "pip install nosuch" in refused.json()["detail"]
    assert daemon.call("abadly.f").status == 404
    assert daemon.call("slow.f").json() == "slow"

    def state():
        return {module["name"]: module for module in daemon.op("jsorc_status")["modules"]}

    assert "pip install nosuch" in state()["abad"]["error"]
    wait_until(lambda: daemon.log_text().count("module=abad") >= 3, 30, "two more tries")
    loads = note.read_text().count("x")
    assert loads <= 2  # the first generation failed with it, the second goes without

    mended.touch()
    reply = wait_until(lambda: daemon.call("abad.f").status == 200 and daemon.call("abad.f"), 30,
                       "the mended module")
    assert reply.json() == "mended"
    wait_until(lambda: state()["abad"]["place"] == "module", 30, "its place")
    assert state()["abad"]["error"] is None


def test_walkers_start_once_what_kept_them_is_mended(serve, write, tmp_path):
    """It cannot serve from a pod of its own, but it proves itself there as others do."""
    mended = tmp_path / "mended"
    walkers = BAD.replace("@jsorc.action", "@jsorc.walker").replace("return", "jsorc.report(1) or")
    daemon = serve(write("walkers.py", walkers.format(mended=str(mended))))
    daemon.expect_log("module did not start")
    wait_until(lambda: daemon.log_text().count("module=walkers") >= 3, 30, "two more tries")
    refused = daemon.post("/walkers/f", {})
    assert refused.status == 503
    assert "module 'walkers' did not start: import failed" in refused.json()["detail"]
    mended.touch()
    wait_until(lambda: daemon.post("/walkers/f", {}).status == 200, 30, "the walker")
    assert "have walkers" not in daemon.log_text() and "it has walkers" not in daemon.log_text()
