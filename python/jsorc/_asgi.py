"""An ASGI application of the registered actions, for those who start a module with an ASGI server
of their own (``uvicorn module:serv_actions``). The worker itself does not use it."""

import json
import traceback

from . import _answers, _codec, _registry, _signature
from ._convert import Invalid


class _Action:
    def __init__(self, function):
        self.function = function
        self.params = _signature.params_of(function)


def bind(params, body):
    """(args, kwargs) for the function, as the extension does it; Invalid with the 422's entries."""
    entries = _answers.invalid_entries(params, body)
    if entries:
        raise Invalid(entries)
    args, kwargs = [], {}
    for param in params:
        value = body.get(param.key, body.get(param.name))
        convert = param.convert or (lambda item: item)
        if param.kind == _signature.LIST:
            args += [convert(item) for item in value or ()]
        elif param.kind == _signature.DICT:
            kwargs.update({name: convert(item) for name, item in (value or {}).items()})
        else:
            given = param.key in body and not (value is None and not param.required)
            value = convert(value) if given else param.default
            if param.kind == _signature.PLAIN:
                args.append(value)
            elif given:
                kwargs[param.name] = value
    return args, kwargs


def _tables():
    """(bare path name -> action, full name -> names of parameters)"""
    paths, spec = {}, {}
    for entry in _registry.registrations:
        if entry.kind != _registry.ACTION or not entry.remote:
            continue
        action = _Action(entry.function)
        for name in (entry.name, *entry.aliases):
            paths.setdefault(name, action)
            full_name = f"{entry.group}.{name}"
            paths[full_name] = action
            spec[full_name] = [param.key for param in action.params]
    return paths, spec


def make_app():
    """Runs the functions named setup now, as the original does before it serves."""
    paths, spec = _tables()
    for name, action in paths.items():
        if name == "setup":
            action.function()

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            status, headers, body = await _answer(paths, spec, scope, receive)
            headers = [(b"content-type", b"application/json")] + headers
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


async def _lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _answer(paths, spec, scope, receive):
    path, method = scope["path"], scope["method"]
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if path == "/jaseci_actions_spec/" and method == "GET":
        return 200, [], _answers.dumps(spec)
    action = paths.get(path.strip("/"))
    if action is None:
        return 404, [], _answers.dumps({"detail": "Not Found"})
    if not path.endswith("/"):
        return 307, [(b"location", (path + "/").encode())], b""
    if method != "POST":
        return 405, [], _answers.dumps({"detail": "Method Not Allowed"})
    return await _call(action, path.strip("/"), body)


async def _call(action, name, body):
    import asyncio

    try:
        arguments = json.loads(body or b"{}")
    except ValueError as error:
        return 422, [], _answers.not_json(error)
    if not isinstance(arguments, dict):
        return 422, [], _answers.not_object()
    try:
        args, kwargs = bind(action.params, arguments)
    except Invalid as invalid:
        return 422, [], _answers.dumps({"detail": invalid.errors})
    try:
        if _signature.is_async(action.function):
            value = await action.function(*args, **kwargs)
        else:
            loop = asyncio.get_running_loop()
            value = await loop.run_in_executor(None, lambda: action.function(*args, **kwargs))
        return 200, [], _codec.encode_slowly(value)
    except Exception as error:
        traceback.print_exc()
        status, answer, _ = _answers.for_exception(name, error)
        return status, [], answer
