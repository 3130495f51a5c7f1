"""How much memory comes back when a module is unloaded: in its process, and by a new generation.

    bench/unload.py [--repeat 5] [MODULE...]    with examples/intake's Python ($JSORC_VENV_DEMO)

Each module of examples/intake that is Python is loaded and called, then unloaded in two ways:
in-process, as the original does (its names and its package's are dropped, the garbage is collected,
and beyond that the allocator is asked to give back what it can), and by `jsorc actions unload`,
which replaces the runtime worker. Prints what loading added and what is left of that (PSS)."""

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from evidence import ROOT, Daemon, settled_kb, wait_until, write_result

EXAMPLE = ROOT / "examples" / "intake"
TEXT = "The new printer is wonderful and quiet, and the delivery came a day early. Thank you!"

# Runs in a process of its own. The original's rule, and more: all modules that it brought are
# dropped from sys.modules, their globals are emptied, the garbage is collected.
IN_PROCESS = """
import ctypes, gc, importlib.machinery, json, sys
sys.path.insert(0, sys.argv[2])
from jsorc import _load, _registry
import _jsorc

def kb():
    return _jsorc.memory_kb()

action, arguments = sys.argv[3], json.loads(sys.argv[4])
before, known = kb(), set(sys.modules)
loaded = _load.load({"name": "m", "kind": "python-file", "source": sys.argv[1]})
next(r.function for r in _registry.registrations if r.name == action)(**arguments)
after = kb()
_registry.registrations.clear()
loaded.module = None
for name in set(sys.modules) - known:
    names = getattr(sys.modules.pop(name), "__dict__", None)
    if isinstance(names, dict):
        names.clear()
for _ in range(3):
    gc.collect()
unloaded = kb()
ctypes.CDLL(None).malloc_trim(0)
print(json.dumps([after - before, unloaded - before, kb() - before]))
import os
os._exit(0)  # what was torn out cannot be ended in order
"""


def picture():
    """A page of grey stripes, PNG, base64: enough for a text detector to do its work."""
    width, height = 640, 480
    row = b"\0" + bytes(255 if x // 8 % 2 else 32 for x in range(width))

    def chunk(kind, data):
        return (len(data).to_bytes(4, "big") + kind + data +
                zlib.crc32(kind + data).to_bytes(4, "big"))

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\0\0\0\0"
    png = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) +
           chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b""))
    return base64.b64encode(png).decode()


CALLS = {
    "ocr": ("read", {"image": picture()}),
    "filetype": ("identify", {"data": base64.b64encode(TEXT.encode()).decode()}),
    "keywords": ("extract", {"text": TEXT}),
    "language": ("detect", {"text": TEXT}),
    "sentiment": ("score", {"text": TEXT}),
}


def in_process(python, python_path, name):
    """(added, left after the unload, left after malloc_trim), in KiB."""
    action, arguments = CALLS[name]
    run = subprocess.run(
        [str(python), "-c", IN_PROCESS, str(EXAMPLE / f"{name}.py"), str(EXAMPLE), action,
         json.dumps(arguments)], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": python_path})
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def by_generation(daemon, name):
    """(added, left after the unload), in KiB, of all processes."""
    action, arguments = CALLS[name]
    before = settled_kb(daemon, 1)
    answer = daemon.op("actions_load_local", file=str(EXAMPLE / f"{name}.py"))
    assert answer["success"], answer
    reply = daemon.call(f"{name}.{action}", **arguments)
    assert reply.status == 200, reply.body
    after = settled_kb(daemon, 1)
    assert daemon.op("actions_unload_module", name=name)["success"]
    return after - before, settled_kb(daemon, 1) - before


def python_path_of(daemon):
    """Where the workers of the daemon find the package: what /proc tells of one."""
    pid = daemon.op("jsorc_status")["workers"][0]["pid"]
    pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(pair[11:].decode() for pair in pairs if pair.startswith(b"PYTHONPATH="))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("modules", nargs="*", default=sorted(CALLS))
    options = parser.parse_args()
    python = Path(os.environ.get("JSORC_VENV_DEMO", "/nonexistent")) / "bin" / "python"
    if not python.exists():
        sys.exit("unload: the models are not installed: `dev/setup demo`, then `. dev/env`")
    figures = {}
    with tempfile.TemporaryDirectory(prefix="jsorc-unload-") as folder:
        small = Path(folder) / "small.py"
        small.write_text("import jsorc\n\n\n@jsorc.action\ndef one():\n    return 1\n")
        daemon = Daemon(Path(folder) / "daemon", small, options=("--python", python)).start()
        try:
            wait_until(lambda: daemon.call("small.one").status == 200, 30, "small.one")
            path = python_path_of(daemon)
            for name in options.modules:
                inside = [in_process(python, path, name) for _ in range(options.repeat)]
                outside = [by_generation(daemon, name) for _ in range(options.repeat)]
                figures[name] = {"in_process": inside, "generation": outside}
        finally:
            daemon.stop()
            daemon.kill()
    print("median MiB     in process: added  left  left when trimmed   generation: added  left")
    for name, both in figures.items():
        cells = [statistics.median(column) / 1024 for key in ("in_process", "generation")
                 for column in zip(*both[key], strict=True)]
        print(f"{name:12s}{cells[0]:19.1f}{cells[1]:8.1f}{cells[2]:10.1f}"
              f"{cells[3]:24.1f}{cells[4]:8.1f}")
    print(f"figures in {write_result('unload', figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
