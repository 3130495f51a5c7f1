"""Fixtures: `interpreter` runs a test once for each CPython that is present, `start` starts a
worker."""

import sys

import pytest
import workers
from daemons import Daemon

sys.path.insert(0, str(workers.ROOT / "python"))
sys.path.insert(1, str(workers.BUILD / "python"))

INTERPRETERS = workers.interpreters()


def pytest_configure(config):
    if not workers.EXTENSION.exists():
        pytest.exit(f"{workers.EXTENSION} is missing: run `make` first, or set JSORC_BUILD",
                    returncode=2)


@pytest.fixture(params=list(INTERPRETERS))
def interpreter(request):
    """Path of an interpreter; the test is repeated for each version."""
    return INTERPRETERS[request.param]


@pytest.fixture
def daemon(tmp_path):
    """A stand-in for the daemon, serving."""
    server = Daemon(tmp_path / "daemon.sock")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def start(tmp_path):
    """start(source, python=our own, name="m", ctx=None, **options) -> Worker. source: the text of
    a module, or a list of (name, text) for several."""
    started = []

    def start_worker(source, python=sys.executable, name="m", ctx=None, remote=False, **options):
        folder = tmp_path / f"worker-{len(started)}"
        folder.mkdir()
        modules = []
        for module, text in [(name, source)] if isinstance(source, str) else source:
            path = folder / f"{module}.py"
            path.write_text(text)
            modules.append({"name": module, "kind": "python-file", "source": str(path),
                            "ctx": ctx or {}, "remote": remote})
        worker = workers.Worker(python, folder, modules, **options)
        started.append(worker)
        return worker

    yield start_worker
    for worker in started:
        worker.kill()


@pytest.fixture
def registry():
    """The registry of this process, empty before and after the test."""
    from jsorc import _registry

    saved = _registry.registrations[:], _registry.endpoints[:], dict(_registry.file_modules)
    del _registry.registrations[:], _registry.endpoints[:]
    yield _registry
    _registry.registrations[:], _registry.endpoints[:] = saved[:2]
    _registry.file_modules.clear()
    _registry.file_modules.update(saved[2])
