"""Runs a program in a network namespace of its own, which reaches one address and port, and nothing
else: outside.py ADDRESS PORT COMMAND...

Sockets belong to the namespace in which they were made: the program, and what listens for it, are
in the new one; what connects for it is back in the machine's."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def carry(inside, address):
    with inside:
        try:
            outside = socket.create_connection(address)
        except OSError:
            return
        with outside:
            back = threading.Thread(target=copy, args=(outside, inside), daemon=True)
            back.start()
            copy(inside, outside)
            back.join()


def serve(listener, address):
    while True:
        inside, _ = listener.accept()
        threading.Thread(target=carry, args=(inside, address), daemon=True).start()


def main():
    address, command = (sys.argv[1], int(sys.argv[2])), sys.argv[3:]
    machine = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    checked(libc.unshare(CLONE_NEWNET))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{address[0]}/32", "dev", "lo"], check=True)
    listener = socket.create_server(address, backlog=64)
    with subprocess.Popen(command) as program:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: program.send_signal(number))
        checked(libc.setns(machine, CLONE_NEWNET))
        threading.Thread(target=serve, args=(listener, address), daemon=True).start()
        sys.exit(program.wait())


main()
