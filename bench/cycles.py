"""Loads and unloads a module that takes 100 MB, and looks whether the memory comes back.

    bench/cycles.py [--cycles 300] [--mb 100] [--place module|remote|both]

Prints the memory (PSS) of the whole process tree before, now and then, and at the end."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from evidence import Daemon, load_module, settled_kb, tree_pss_kb, wait_until, write_result

HEAVY = '''import jsorc

_ballast = None


@jsorc.action
def setup(mb: int = 100):
    """Takes mb MiB and touches every page of it."""
    global _ballast
    _ballast = bytearray(mb << 20)
    _ballast[::4096] = bytes([1]) * len(_ballast[::4096])


@jsorc.action
def size():
    return len(_ballast) >> 20
'''
SMALL = "import jsorc\n\n\n@jsorc.action\ndef one():\n    return 1\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--mb", type=int, default=100)
    parser.add_argument("--place", choices=("module", "remote", "both"), default="both")
    options = parser.parse_args()
    places = ("module", "remote") if options.place == "both" else (options.place,)
    curve = []
    with tempfile.TemporaryDirectory(prefix="jsorc-cycles-") as folder:
        heavy, small = Path(folder) / "heavy.py", Path(folder) / "small.py"
        heavy.write_text(HEAVY)
        small.write_text(SMALL)
        daemon = Daemon(Path(folder) / "daemon", small).start()
        try:
            wait_until(lambda: daemon.call("small.one").status == 200, 30, "small.one")
            config = {"module": str(heavy), "ctx": {}}
            assert daemon.op("jsorc_actions_config", name="heavy", config=config)["success"]
            before_kb = settled_kb(daemon, 1)
            loaded_kb = 0
            start = time.monotonic()
            for number in range(options.cycles):
                load_module(daemon, "heavy", places[number % len(places)],
                            ctx={"mb": options.mb})
                assert daemon.call("heavy.size").json() == options.mb
                loaded_kb = max(loaded_kb, tree_pss_kb(daemon))
                assert daemon.op("jsorc_actions_unload", name="heavy")["success"]
                if number % max(1, options.cycles // 15) == 0 or number == options.cycles - 1:
                    curve.append((number + 1, settled_kb(daemon, 1)))
            seconds = time.monotonic() - start
            after_kb = settled_kb(daemon, 1)
        finally:
            daemon.stop()
            daemon.kill()
    assert loaded_kb - before_kb > options.mb * 1024 * 0.9, "the module did not take its memory"
    path = write_result("cycles", {"before_kb": before_kb, "after_kb": after_kb, "curve": curve})
    for number, kb in curve:
        print(f"{number:5d} cycles {kb / 1024:7.1f} MB {'#' * round(kb / 1024)}")
    print(f"{options.cycles} cycles of {options.mb} MB in {seconds:.0f} s: all processes "
          f"{before_kb / 1024:.1f} MB before, up to {loaded_kb / 1024:.0f} MB loaded, "
          f"{after_kb / 1024:.1f} MB after ({after_kb / before_kb:.2f} times); figures in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
