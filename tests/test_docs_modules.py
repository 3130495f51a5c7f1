"""docs/modules.md is true: its files are served and its commands run, in the order of the text."""

import os
import re
import subprocess
import sys

import pytest
from programs import BUILD, JSORC, ROOT, wait_until

TEXT = (ROOT / "docs/modules.md").read_text()
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = "127.0.0.1:8642"  # as the text has it


def blocks(*kinds):
    return [(name, text) for kind, name, text in BLOCK.findall(TEXT) if kind in kinds]


def commands():
    """(command, the output that it shall have) of all consoles."""
    for _, text in blocks("console"):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def fits(output, wanted):
    """`...` stands for anything, as in doctest."""
    pattern = ".*".join(map(re.escape, wanted.rstrip("\n").split("...")))
    return re.fullmatch(pattern, output.rstrip("\n"), re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "shop"
    made.mkdir()
    for name, text in blocks("python", "c"):
        (made / name).write_text(text)
    return made


def test_every_block_of_code_is_a_file_or_a_console():
    assert {kind for kind, _, _ in BLOCK.findall(TEXT)} == {"python", "c", "console"}
    assert all(name for name, _ in blocks("python", "c"))
    assert TEXT.count("```") == 2 * len(BLOCK.findall(TEXT))
    assert len(list(commands())) > 20


def test_the_files_serve_and_the_commands_print_what_the_text_says(serve, folder):
    daemon = serve(folder)
    daemon.expect_log("module loaded")
    wait_until(lambda: daemon.call("shop.price", name="apple").status == 200, 60)
    env = {**daemon.env, "JSORC_STATE": str(daemon.state), "CPATH": str(ROOT / "include"),
           "PATH": f"{JSORC.parent}{os.pathsep}{os.environ['PATH']}"}
    for command, wanted in commands():
        run = subprocess.run(["sh", "-c", command.replace(PORT, f"127.0.0.1:{daemon.port}")],
                             cwd=folder, env=env, capture_output=True, text=True, timeout=120)
        assert fits(run.stdout, wanted), f"$ {command}\n{run.stdout}{run.stderr}"
        assert run.returncode == 0, command


@pytest.mark.parametrize("extension", [True, False])
def test_the_test_of_the_text_passes_without_a_worker(folder, extension):
    parts = [ROOT / "python", folder, *([BUILD / "python"] if extension else [])]
    path = os.pathsep.join(map(str, parts))
    run = subprocess.run([sys.executable, "try_shop.py"], cwd=folder, timeout=60, text=True,
                         env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert run.returncode == 0, run.stderr
