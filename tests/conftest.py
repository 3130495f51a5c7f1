"""Fixtures: `serve` starts a daemon, `host` a worker alone. Each test's programs are ended after it
and looked at: nothing may be left running, leak descriptors, or have complained."""

import functools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from postgres import PROGRAMS, Postgres
from programs import JSORC, ROOT, Daemon, Host, wait_until

pytest_plugins = ["faults", "placement"]

COMPLAINT = re.compile(r"level=(warn|error)\b|^Traceback |^jsorc: (warning|error):")
SANITIZER = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:")
# Idle connections that a pool may keep, and what libraries open once at the first use.
FD_GROWTH_MAX = 16


def pytest_configure(config):
    if not JSORC.exists():
        pytest.exit(f"{JSORC} is missing: run `make` first, or set JSORC_BUILD", returncode=2)


def pytest_addoption(parser):
    parser.addoption("--postgresql", action="store_true",
                     help="daemons keep their state in PostgreSQL, each in a database of its own")


@pytest.fixture(scope="session")
def database_server():
    assert PROGRAMS, "no PostgreSQL server is installed: dev/setup test"
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture
def database(database_server):
    """URL of an empty database."""
    url = database_server.create()
    yield url
    database_server.free(url)


@pytest.fixture
def serve(request, tmp_path):
    """serve(*sources, options=(), env=None, start=True) -> Daemon, ready to answer."""
    yield from _started(Daemon, tmp_path, _states(request))


@pytest.fixture
def serve_open():
    """As serve, in a folder that other accounts may pass through, as the database's has to."""
    folder = Path(tempfile.mkdtemp(prefix="jsorc-open."))  # short: sockets lie in it
    folder.chmod(0o711)
    yield from _started(Daemon, folder)
    shutil.rmtree(folder)


@pytest.fixture
def started(tmp_path):
    """started(kind, *args, **options) -> a Program of that class, ready to answer."""
    yield from _started(lambda folder, kind, *args, **options: kind(folder, *args, **options),
                        tmp_path, name="program")


def _states(request):
    """What each new daemon is given to keep its state elsewhere than in its folder."""
    while request.config.getoption("--postgresql"):
        server = request.getfixturevalue("database_server")
        url = server.create()
        request.addfinalizer(functools.partial(server.free, url))
        yield ("--state-url", url)


@pytest.fixture
def host(tmp_path):
    """host(source, *options, env=None, start=True) -> Host, ready to answer."""
    yield from _started(Host, tmp_path)


@pytest.fixture
def write(tmp_path):
    """write(name, text) -> path of a file for this test."""

    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write_file


@pytest.fixture
def compile_module(write):
    """compile_module(name, source) -> path of the shared object, built as a user would."""

    def compile_source(name, text):
        source = write(f"{name}.c", text)
        target = source.with_suffix(".so")
        subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror",
                        f"-I{ROOT}/include", str(source), "-o", str(target)], check=True)
        return target

    return compile_source


@pytest.fixture
def native_library(compile_module):
    """path of native_module.c as a shared object."""
    return compile_module("native", (ROOT / "tests/native_module.c").read_text())


def _started(kind, folder, states=(), name=None):
    programs = []
    states = iter(states)

    def make(*args, start=True, **options):
        if state := next(states, ()):
            options["options"] = (*state, *options.get("options", ()))
        own = folder / f"{name or kind.__name__.lower()}-{len(programs)}"
        program = kind(own, *args, **options)
        programs.append(program)
        if start:
            program.start()
            program.fds_at_start = _descriptors(program)
        return program

    yield make

    findings = []
    for program in programs:
        findings.extend(_end(program))
    assert not findings, "\n".join(findings)


def _end(program):
    """Ends one program; yields what is wrong with it."""
    if not program.process:
        return
    if program.process.poll() is None:
        yield from _check_descriptors(program)
        status = program.stop()
        if status != 0:
            yield f"exited with {status} after SIGTERM"
    elif program.process.returncode < 0 and not getattr(program, "killed", False):
        yield f"ended by signal {-program.process.returncode} during the test"
    try:
        wait_until(lambda: not program.pids(), 10, "the end of all children")
    except AssertionError:
        yield f"left running: {[_command(pid) for pid in program.pids()]}"
        program.kill()
    yield from _check_log(program)


def _command(pid):
    try:
        return f"{pid} " + Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return str(pid)


def _descriptors(program):
    """pid -> number of open descriptors, of all its processes. A worker occupies small numbers with
    /dev/null on purpose, some time after its start: these are not counted."""
    counts = {}
    for pid in program.pids():
        try:
            links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
            counts[pid] = sum(link != os.devnull for link in links)
        except OSError:
            pass
    return counts


def _check_descriptors(program):
    """Connections of this test are closed by now, so counts must come back to about the first."""
    before = getattr(program, "fds_at_start", {})
    growth_max = getattr(program, "fd_growth_max", FD_GROWTH_MAX)

    def grown():
        now = _descriptors(program)
        return {pid: (before[pid], now[pid]) for pid in before.keys() & now.keys()
                if now[pid] > before[pid] + growth_max}

    try:
        wait_until(lambda: not grown(), 5, "descriptors closed")
    except AssertionError:
        for pid, (first, last) in grown().items():
            yield f"descriptors grew from {first} to {last} in {_command(pid)}"


def _check_log(program):
    logs = {program.log.name: program.log_text()}
    if isinstance(program, Daemon) and (program.state / "logs").is_dir():
        for path in (program.state / "logs").iterdir():
            logs[path.name] = path.read_text(errors="replace")
    for name, text in logs.items():
        for line in text.splitlines():
            complaint = SANITIZER.search(line) or (
                name == program.log.name and COMPLAINT.search(line)
                and not any(pattern.search(line) for pattern in program.expected_log))
            if complaint:
                yield f"{name}: {line}"
