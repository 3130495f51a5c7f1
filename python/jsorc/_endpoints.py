"""GET endpoints of modules written for Jaseci: ``jaseci_expose(path)`` and mounted ASGI
applications. Functions here are called by the extension as (path, query) -> (status, content type,
header lines, body)."""

import asyncio
from urllib.parse import parse_qsl, unquote

from . import _answers, _asyncrun, _codec, _signature
from ._jsorc_or_none import _jsorc

_JSON = "application/json"


def exposed(function):
    """An endpoint whose parameters come from the query string."""
    params = _signature.params_of(function)

    def answer(_path, query):
        given = {}
        known = {param.name: param for param in params}
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name in known:  # what a URL has besides is ignored, as web frameworks do
                given[name] = value
        errors = _answers.invalid_entries(params, given)
        if errors:
            for error in errors:
                error["loc"][0] = "query"
            return 422, _JSON, b"", _answers.dumps({"detail": errors})
        arguments = {name: known[name].convert(value) if known[name].convert else value
                     for name, value in given.items()}
        value = function(**arguments)
        if hasattr(type(value), "__await__"):
            value = _asyncrun.run(value)
        return response_of(value)

    return answer


def response_of(value):
    """A web framework's response object as it is; any other value as JSON."""
    status = getattr(value, "status_code", None)
    if not isinstance(status, int) or not hasattr(value, "headers"):
        try:
            return 200, _JSON, b"", _jsorc.dumps(value)
        except TypeError:
            return 200, _JSON, b"", _codec.encode_slowly(value)
    headers = dict(value.headers)
    content_type = headers.pop("content-type", None) or getattr(value, "media_type", None)
    path = getattr(value, "path", None)
    if path is not None:  # a file response
        with open(path, "rb") as file:
            body = file.read()
    else:
        body = bytes(getattr(value, "body", b""))
    return status, content_type, _answers._header_lines(headers), body


def mounted(prefix, app):
    """An endpoint that passes GET requests below prefix to an ASGI application."""
    root = prefix.rstrip("/")

    def answer(path, query):
        request_headers = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
                           for name, value in _jsorc.context().headers.items()]
        below = path if path.startswith("/") else "/" + path
        scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"},
                 "http_version": "1.1", "method": "GET", "scheme": "http",
                 "path": root + unquote(below), "raw_path": (root + below).encode(),
                 "root_path": root, "query_string": query.encode(), "headers": request_headers,
                 "client": None, "server": None, "app_root_path": ""}
        return _asyncrun.run(_ask(app, scope))

    return answer


async def _ask(app, scope):
    status, headers, chunks = 500, {}, []
    asked = False

    async def receive():
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # nothing more ever comes
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.update((name.decode("latin-1").lower(), value.decode("latin-1"))
                           for name, value in message.get("headers", ()))
        elif message["type"] == "http.response.body":
            chunks.append(bytes(message.get("body", b"")))

    await app(scope, receive, send)
    content_type = headers.pop("content-type", None)
    return status, content_type, _answers._header_lines(headers), b"".join(chunks)
