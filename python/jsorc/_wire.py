"""Calls of actions that are not Python functions of this process: how arguments become the JSON
object of the wire format, and what becomes of the answer. Also what becomes of an exception in one
that is: callers see the same wherever an action is."""

import os
import sys

from . import _registry
from ._jsorc_or_none import _jsorc
from .errors import ActionError

_PACKAGE = os.path.dirname(__file__)
_names = {}  # action -> names of its parameters, stars included, as its server listed them
_unlisted = set()  # actions that were in no list when it was read
_UNLISTED_MAX = 4096  # whoever calls more that do not exist makes them up


def arrange(action, names, args, kwargs, lenient=False):
    """The body of a call: parameter name -> value.

    names    parameters in signature order as the spec lists them: ``"text"``, ``"*parts"``,
             ``"**options"``; what follows a colon is ignored
    lenient  drop what fits nowhere, as the original client does, instead of raising TypeError

    Values that are None are left out, so that the server's default applies.
    """
    names = [name.split(":", 1)[0].strip() for name in names]
    left, keywords, body = list(args), dict(kwargs), {}
    for name in names:
        if not left or name.startswith("**"):
            break
        if name.startswith("*"):
            body[name], left = left, []
            break
        body[name] = left.pop(0)
    if left and not lenient:
        count = sum(not name.startswith("*") for name in names)
        raise TypeError(f"{action}() takes at most {count} positional arguments, "
                        f"{len(args)} were given")
    if not lenient:
        twice = [name for name in keywords if name in body]
        if twice:
            raise TypeError(f"{action}() got {twice[0]!r} twice: by position and by name")
    for name in names:
        if name in body:
            continue
        if name.startswith("**"):
            if keywords:
                body[name], keywords = keywords, {}
            break
        if not name.startswith("*") and name in keywords:
            body[name] = keywords.pop(name)
    if keywords and not lenient:
        known = ", ".join(names) or "none"
        raise TypeError(f"{action}() has no parameter {next(iter(keywords))!r} (it has: {known})")
    return {name: value for name, value in body.items() if value is not None}


def call(name, args, kwargs):
    """A call that the extension did not find in its table of Python actions."""
    if not isinstance(name, str):
        raise TypeError(f"the name of an action is a text like 'text.split', not {name!r}")
    if _jsorc is None or not _jsorc.serving():
        return _call_unserved(name, args, kwargs)
    native = _jsorc.native_params(name)
    if native is not None:
        body = arrange(name, [param["name"] for param in _loads(native)], args, kwargs)
        return _result(name, *_jsorc.native_call(name, _encode(body)))
    return _call_remote(name, args, kwargs)


def call_with_meta(function, args, kwargs):
    """A local action that asks for the caller's context, as the original passes it."""
    kwargs = dict(kwargs or {})
    code = getattr(function, "__code__", None)
    if "meta" not in kwargs and not (code and "meta" in code.co_varnames[:len(args)]):
        context = _jsorc.context_or_none()
        user = scope = None
        if context is not None:
            user = context.headers.get("x-jsorc-user")  # the account's id, from the daemon
            scope = {"walker": context.walker}
        kwargs["meta"] = {"m_id": user, "h": None, "scope": scope, "interp": None}
    return function(*args, **kwargs)


# ---- exceptions of actions of this process


def failed_here(name, params, args, kwargs, error):
    """What an exception in an action of this process becomes for its caller: what the answer of a
    worker would have become. (HTTP status, 0 = nothing was executed; value; exception or None)"""
    from . import _answers

    asyncrun = sys.modules.get(__package__ + "._asyncrun")
    if asyncrun is not None and isinstance(error, asyncrun.NotAwaited):
        return 0, None, error
    status, data = 500, None
    if isinstance(error, TypeError) and _never_began(error):
        try:
            body = arrange(name, [param.key for param in params], args, kwargs or {})
        except TypeError as unfit:
            unfit.__suppress_context__ = True
            return 0, None, unfit.with_traceback(None)
        entries = _answers.invalid_entries(params, body)
        if entries:
            status, data = 422, _answers.dumps({"detail": entries})
    if data is None:
        status, data, _ = _answers.of_exception(error)
    try:
        return status, _result(name, status, data), None
    except ActionError as seen:
        seen.__cause__ = error
        return status, None, seen.with_traceback(None)


def _never_began(error):
    """Whether it was raised before a line of the user's ran: by arguments that do not fit."""
    trace = error.__traceback__
    while trace is not None:
        if os.path.dirname(trace.tb_frame.f_code.co_filename) != _PACKAGE:
            return False
        trace = trace.tb_next
    return True


def _call_unserved(name, args, kwargs):
    """While modules load, and in a program that is no worker (a test of the user's)."""
    function = _registry.find(name)
    if function is None:
        raise ActionError(name, 404, "not found: its module is not loaded in this process, and "
                                     "this process is not (yet) a worker that could ask others")
    try:
        value = function(*args, **kwargs)
        if hasattr(type(value), "__await__"):
            from . import _asyncrun

            value = _asyncrun.run(value)
        return value
    except Exception as error:
        from . import _signature

        _, value, seen = failed_here(name, _signature.params_of(function), args, kwargs, error)
        if seen is None:
            return value
        raise seen


# ---- calls of actions that are elsewhere


def _call_remote(name, args, kwargs):
    names = _names.get(name)
    if names is None and (args or name not in _unlisted):
        names = _ask_names(name, needed=bool(args))
    if names is None:
        body = {key: value for key, value in kwargs.items() if value is not None}
    else:
        body = arrange(name, names, args, kwargs)
    status, data = _remote(name, body)
    if status == 422 and names is None:
        # Not executed. It is listed by now, and the names may be meant for its **options.
        better = arrange(name, _ask_names(name, needed=True), args, kwargs)
        if better != body:
            status, data = _remote(name, better)
    elif status in (404, 422):
        _names.pop(name, None)  # the module may have been replaced
    return _result(name, status, data)


def _remote(name, body):
    try:
        return _jsorc.remote_call(name, _encode(body))
    except OSError as error:
        raise ActionError(name, 0, error.strerror or str(error)) from None


def _ask_names(name, needed):
    """Names of the action's parameters, from the daemon's spec: before the first call, so that
    arguments that do not fit are not sent. None: not known, and not needed."""
    try:
        _names.update(_read_spec(_jsorc.daemon_path()))
        _jsorc.call_begins()  # this is no part of how long the call takes
    except (OSError, ValueError) as error:
        if needed:
            raise ActionError(
                name, 0, f"the parameters' names are not known: {error}") from None
        return None
    if name in _names:
        return _names[name]
    if needed:
        raise ActionError(name, 404, "not found: no module that is loaded has it")
    if len(_unlisted) == _UNLISTED_MAX:
        _unlisted.clear()
    _unlisted.add(name)
    return None


def _read_spec(path):
    """Name -> parameters' names, of all actions that the daemon reaches. A few lines over the
    socket instead of http.client, whose import takes longer than any call."""
    import _socket

    if path is None:
        raise OSError("this worker knows no daemon")
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.settimeout(10)
        sock.connect(path)
        sock.send(b"GET /jaseci_actions_spec/ HTTP/1.1\r\nHost: localhost\r\n"
                  b"Connection: close\r\n\r\n")
        answer = b""
        while more := sock.recv(1 << 16):
            answer += more
    finally:
        sock.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise OSError(f"the daemon answered {head[:60].decode(errors='replace')!r}")
    return _loads(body)


def _encode(body):
    return _jsorc.dumps(body)


def _loads(data):
    if _jsorc is None or not _jsorc.serving():  # the encoder is the worker's
        import json

        return json.loads(data)
    return _jsorc.loads(data)


def _result(name, status, data):
    if 200 <= status <= 299:
        return _loads(data) if data and status != 204 else None  # which has no body on its way
    try:
        answer = _loads(data)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and "detail" in answer:
        raise ActionError(name, status, answer["detail"], answer.get("type"))
    raise ActionError(name, status, bytes(data[:512]).decode(errors="replace") or "no reason given")


class Actions:
    """``jsorc.actions.text.split(text="a b")`` is ``jsorc.call("text.split", text="a b")``."""

    def __init__(self, call_fn, name=""):
        self.__dict__["_call"] = call_fn
        self.__dict__["_name"] = name

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)  # what copy, pickle and inspect ask for
        below = Actions(self._call, f"{self._name}.{name}" if self._name else name)
        self.__dict__[name] = below
        return below

    def __call__(self, *args, **kwargs):
        return self._call(self._name, *args, **kwargs)

    def __repr__(self):
        return f"<jsorc.actions{'.' * bool(self._name)}{self._name}>"


def warn(text):
    print(f"jsorc: warning: {text}", file=sys.stderr)
