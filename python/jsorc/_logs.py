"""Standard output and error are the worker's log: whole lines, and a write that fails (the disk is
full, the reader is gone) must not fail the user's code."""

import io
import sys


class _LogFile(io.FileIO):
    def write(self, data):
        try:
            return super().write(data)
        except OSError:
            return len(data)  # lost; the log has no other place to tell


def _stream(number):
    raw = _LogFile(number, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace",
                            newline="\n", line_buffering=True)


def install():
    for name, number in (("stdout", 1), ("stderr", 2)):
        try:
            stream = _stream(number)
        except OSError:  # the descriptor is closed
            continue
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
