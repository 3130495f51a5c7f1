"""A bare ASGI app: the least that Python can do between uvicorn and the functions."""

import orjson
from benchwork import echo, score

FUNCTIONS = {
    "/echo/": lambda body: echo(body["text"]),
    "/score/": lambda body: score(body["texts"]),
}
HEADERS = [(b"content-type", b"application/json")]


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = orjson.dumps(FUNCTIONS[scope["path"]](orjson.loads(body)))
    length = (b"content-length", str(len(answer)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, length]})
    await send({"type": "http.response.body", "body": answer})
