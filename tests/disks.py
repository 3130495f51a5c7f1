"""A disk of its own for a test, small enough to be filled."""

import contextlib
import os
import subprocess

# ./dev/test is run by root, or by somebody with sudo; so are these.
AS_ROOT = [] if os.geteuid() == 0 else ["sudo"]


@contextlib.contextmanager
def small_disk(folder, size, mode="0700"):
    """A tmpfs at a new folder; size as mount takes it, e.g. "3m"."""
    folder.mkdir(parents=True)
    options = f"size={size},mode={mode},uid={os.geteuid()},gid={os.getegid()}"
    run_as_root("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)
    try:
        yield folder
    finally:
        run_as_root("umount", folder)


def run_as_root(*words):
    done = subprocess.run([*AS_ROOT, *words], capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr}"


def fill(file):
    """Writes a file until the disk is full."""
    with open(file, "wb", buffering=0) as out, contextlib.suppress(OSError):
        while out.write(b"\0" * 4096):
            pass
