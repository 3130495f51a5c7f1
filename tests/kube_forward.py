"""Port-forward as an API server has it for WebSockets (v4.channel.k8s.io), for kube_api."""

import base64
import contextlib
import hashlib
import socket
import struct
import threading

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def _frame(opcode, payload):
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | opcode, size])
    elif size < 1 << 16:
        head = struct.pack(">BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 127, size)
    return head + payload


def _frames(stream):
    """(opcode, payload) of a client's frames, until it ends."""
    while len(head := stream.read(2)) == 2:
        size = head[1] & 0x7f
        if size > 125:
            size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
        assert head[1] & 0x80, "a client masks"
        mask = stream.read(4)
        payload = stream.read(size)
        long_mask = (mask * (size // 4 + 1))[:size]
        yield head[0] & 0xf, (int.from_bytes(payload, "big") ^ int.from_bytes(long_mask, "big")
                              ).to_bytes(size, "big")


class Forward:
    """One connection to a port of this host that plays a pod's."""

    def __init__(self, port):
        self.port = port
        self.client = None
        self.sending = threading.Lock()

    def cut(self):
        """As when the API server ends."""
        with contextlib.suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)

    def run(self, client, stream):
        """Until one of both ends. client: a socket that is a WebSocket from here on; stream: what
        it reads from."""
        self.client = client
        number = struct.pack("<H", self.port)
        self._send(BINARY, bytes([DATA]) + number)
        self._send(BINARY, bytes([ERROR]) + number)
        try:
            pod = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        except OSError as error:
            self._send(BINARY, bytes([ERROR]) + f"failed to connect in the pod: {error}".encode())
            return
        back = threading.Thread(target=self._back, args=(pod,))
        back.start()
        with pod, contextlib.suppress(OSError):
            for opcode, payload in _frames(stream):
                if opcode == BINARY and payload[0] == DATA:
                    pod.sendall(payload[1:])
                elif opcode == PING:
                    self._send(PONG, payload)
                elif opcode == CLOSE:
                    break
            pod.shutdown(socket.SHUT_RDWR)
        back.join()

    def _back(self, pod):
        with contextlib.suppress(OSError):
            while data := pod.recv(32768):
                self._send(BINARY, bytes([DATA]) + data)
        self.cut()

    def _send(self, opcode, payload):
        with self.sending:
            self.client.sendall(_frame(opcode, payload))
