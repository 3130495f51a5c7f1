"""An action that leaves a trace of each execution: who calls it can count how often it ran."""

import os
import struct

import jsorc

# One file a process, appended to with one write: the kernel keeps it whole, whatever ends us.
_journal = os.open(
    os.path.join(os.environ["NONCE_JOURNAL"], str(os.getpid())),
    os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
    0o600,
)


@jsorc.action
def touch(nonce):
    """Records nonce (int) and returns it."""
    os.write(_journal, struct.pack("<q", nonce))
    return nonce
