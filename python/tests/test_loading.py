"""How a worker loads modules, what it tells about them, and what it says when that fails."""

import os
import subprocess
import sys

import pytest
from workers import PYTHONPATH, Worker


def test_setup_runs_once_with_ctx_before_the_worker_is_ready(start):
    worker = start("""
import jsorc
state = []
@jsorc.action
def setup(path="x", size=1):
    state.append([path, size])
@jsorc.action
def seen():
    return state
""", ctx={"path": "y"})
    assert worker.call("seen") == [["y", 1]]
    assert worker.call("setup", size=2) is None
    assert worker.call("seen") == [["y", 1], ["x", 2]]


@pytest.mark.parametrize("source, stage, error, hint", [
    ("import nothing_of_this_name", "import", "ModuleNotFoundError: No module named 'nothing_of",
     "pip install nothing_of_this_name"),
    ("import yaml_ as yaml\n", "import", "ModuleNotFoundError", "pip install yaml_"),
    ("def broken(:\n", "import", "SyntaxError", "correct "),
    ("1/0", "import", "ZeroDivisionError: division by zero", None),
    ("import sys; sys.exit(4)", "import", "SystemExit: it called exit(4)", None),
    ("raise FileNotFoundError('weights.bin is not mounted yet')", "import",
     "FileNotFoundError: weights.bin is not mounted yet", None),
    ("x = 1", "actions", "it has no actions and no walkers", "@jsorc.action"),
    ("import jsorc\n@jsorc.action\ndef setup(): raise OSError('no model')", "setup",
     "OSError: no model", "_ignore_setup_error"),
    ("import jsorc\n@jsorc.action\ndef setup(): raise SystemExit", "setup", "SystemExit", None),
    ("import jsorc\n@jsorc.action(aliases=['a b'])\ndef f(): pass", "actions", "a b", None),
])
def test_a_module_that_cannot_be_loaded_says_why(start, source, stage, error, hint):
    worker = start(source, start=False)
    assert worker.process.wait(20) == 1
    assert worker.ready["ready"] is False
    assert (worker.ready["module"], worker.ready["stage"]) == ("m", stage)
    assert error in worker.ready["error"]
    if hint:
        assert hint in worker.ready["hint"]
    if stage == "import" and hint is None:
        assert worker.ready.get("hint") is None
    assert error in worker.log_text()
    trace = worker.ready.get("traceback") or ""
    assert "jsorc/_load.py" not in trace and "importlib" not in trace
    if stage != "actions":
        assert "m.py" in trace or "Error" in trace


def test_arguments_that_setup_does_not_take_are_explained(start):
    worker = start("import jsorc\n@jsorc.action\ndef setup(size=1): pass", ctx={"sise": 2},
                   start=False)
    assert worker.process.wait(20) == 1
    assert "setup takes (size)" in worker.ready["hint"]


TYPED_SETUP = """
import pathlib
import jsorc
state = []
def setup(ms: int = 15, folder: pathlib.Path | None = None, sizes: list[float] = (), **more: bool):
    state.append([ms, type(folder).__name__, sizes, more])
@jsorc.action
def seen():
    return state
"""


def test_the_ctx_of_setup_is_converted_as_arguments_are(start):
    worker = start(TYPED_SETUP, ctx={"ms": "3", "folder": "/tmp", "sizes": ["1"], "fast": "yes"})
    assert worker.call("seen") == [[3, "PosixPath", [1.0], {"fast": True}]]


@pytest.mark.parametrize("ctx, error", [
    ({"ms": "x"}, "ms: value is not a valid integer (setup has ms: int)"),
    ({"sizes": [1, "x"]}, "sizes.1: value is not a valid float"),
    ({"fast": 7}, "fast: value could not be parsed to a boolean"),
])
def test_a_ctx_that_does_not_fit_the_annotations_of_setup_is_refused(start, ctx, error):
    worker = start(TYPED_SETUP, ctx=ctx, start=False)
    assert worker.process.wait(20) == 1
    assert (worker.ready["stage"], worker.ready["module"]) == ("setup", "m")
    assert error in worker.ready["error"]
    assert "ctx" in worker.ready["hint"]


def test_a_failed_setup_may_be_ignored(start):
    worker = start("""
import jsorc
@jsorc.action
def setup(): raise OSError("no model")
@jsorc.action
def ok(): return 1
""", ctx={"_ignore_setup_error": True})
    assert worker.call("ok") == 1
    assert "no model" in worker.log_text()


def test_the_ready_line_tells_what_was_loaded(start):
    worker = start("import jsorc\n@jsorc.action(idempotent=True, timeout_s=1.5)\ndef f(a): pass\n"
                   "@jsorc.walker\ndef w(): pass\n")
    assert worker.ready["pid"] == worker.process.pid
    module = worker.ready["modules"]["m"]
    assert module["loaded_module"] == "worker-0.m"
    assert module["walkers"] == ["w"]
    assert module["load_ms"] > 0 and module["mem_kb"] >= 0
    action = module["actions"]["m.f"]
    assert action["params"] == [{"name": "a", "kind": "plain", "type": "any", "required": True}]
    assert action["idempotent"] is True and action["timeout_ms"] == 1500


def test_a_definition_of_the_same_name_replaces_the_first(start):
    worker = start("import jsorc\n@jsorc.action\ndef f(): return 1\n"
                   "@jsorc.action\ndef f(): return 2\n")  # noqa: F811
    assert worker.call("f") == 2
    assert "defined twice" in worker.log_text()


def test_the_newest_of_two_modules_serves_a_shared_name(start):
    text = "import jsorc\n@jsorc.action(group='use')\ndef f(): return '{0}'\n" \
           "@jsorc.action\ndef g(): return '{0}'\n"
    worker = start([("one", text.format(1)), ("two", text.format(2))])
    assert worker.call("use.f") == "2"
    assert worker.call("one.g") == "1" and worker.call("two.g") == "2"
    assert worker.call("g") == "1"  # the bare path belongs to the first


def test_relative_and_sibling_imports_of_a_file(tmp_path):
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "helper.py").write_text("value = 7\n")
    (folder / "happy.py").write_text("import jsorc\nfrom .helper import value\nimport helper\n"
                                     "@jsorc.action\ndef f(): return [value, helper.value, "
                                     "__name__]\n")
    worker = Worker(sys.executable, tmp_path, [{"name": "happy", "kind": "python-file",
                                                "source": str(folder / "happy.py")}])
    try:
        assert worker.call("happy.f") == [7, 7, "package.happy"]
        assert worker.ready["modules"]["happy"]["loaded_module"] == "package.happy"
    finally:
        worker.stop()


def test_a_package_that_re_exports_an_inner_module(tmp_path):
    kit = tmp_path / "kit" / "use_enc"
    kit.mkdir(parents=True)
    (tmp_path / "kit" / "__init__.py").write_text("")
    (kit / "__init__.py").write_text("from .use_enc import *\n")
    (kit / "use_enc.py").write_text(
        "import jsorc\nseen = []\n@jsorc.action(group='use')\ndef setup(size=1): "
        "seen.append(size)\n@jsorc.action(group='use')\ndef sizes(): return seen\n")
    worker = Worker(sys.executable, tmp_path, [{"name": "use_enc", "kind": "python-module",
                                                "source": "kit.use_enc", "ctx": {"size": 4}}])
    try:
        assert worker.call("use.sizes") == [4]
        assert worker.ready["modules"]["use_enc"]["loaded_module"] == "kit.use_enc.use_enc"
    finally:
        worker.stop()


def test_the_command_line_loads_files_and_modules(tmp_path):
    for arguments, says in ((["--spec"], "--spec needs a value"), (["--what"], "unknown option"),
                            ([], "nothing to load"), (["--notify-fd", "x", "m"], "needs a number"),
                            (["--spec", str(tmp_path / "none")], "spec file cannot be read")):
        done = subprocess.run([sys.executable, "-m", "jsorc.worker", *arguments], text=True,
                              capture_output=True, env={**os.environ, "PYTHONPATH": PYTHONPATH})
        assert done.returncode == 2 and says in done.stderr
    done = subprocess.run([sys.executable, "-m", "jsorc.worker", "--help"], text=True,
                          capture_output=True, env={**os.environ, "PYTHONPATH": PYTHONPATH})
    assert done.returncode == 0 and "--lifeline-fd N" in done.stdout


def test_a_spec_with_holes_is_refused(tmp_path):
    for module, says in (({"name": "m", "kind": "python-file"}, "no 'source'"),
                         ({"name": "m", "kind": "perl", "source": "x"}, "unknown kind")):
        worker = Worker(sys.executable, tmp_path, [module], start=False)
        assert worker.process.wait(20) == 1 and says in worker.ready["error"]
        worker.kill()
