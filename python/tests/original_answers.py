"""Run by the original's interpreter: asks its own server, without a socket, what it answers.

Argument: a file of lines [action, body]. Prints one JSON list of [status, body]."""

import asyncio
import json
import logging
import sys

logging.disable(logging.CRITICAL)
import typed_actions  # noqa: E402, F401
from jaseci.jsorc.remote_actions import serv_actions  # noqa: E402


async def ask(app, name, body):
    data = json.dumps(body).encode()
    sent = []

    async def receive():
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
             "path": f"/{name}/", "raw_path": b"", "root_path": "", "scheme": "http",
             "query_string": b"", "client": ("t", 1), "server": ("t", 80),
             "headers": [(b"content-type", b"application/json"),
                         (b"content-length", str(len(data)).encode())]}
    try:
        await app(scope, receive, send)
    except Exception:  # an action's exception comes out after the 500 was sent
        pass
    answer = b"".join(message.get("body", b"") for message in sent[1:])
    try:
        return [sent[0]["status"], json.loads(answer)]
    except ValueError:
        return [sent[0]["status"], answer.decode()]


async def main(path):
    app = serv_actions()
    with open(path) as cases:
        print(json.dumps([await ask(app, *json.loads(line)) for line in cases]))


asyncio.run(main(sys.argv[1]))
