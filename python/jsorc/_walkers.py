"""walker_run: from the request's envelope to a walker's call, and back into the envelope."""

import os
import sys

from . import _answers
from ._jsorc_or_none import _jsorc
from .errors import HTTPError

REQUEST = "_req_ctx"  # a walker's parameter that is given the request, as in the original

_table = {}  # walker's name or alias -> (its action object in the extension, wants REQUEST)


def add(names, action, wants_request):
    for name in names:
        _table[name] = action, wants_request


def _failure(reports, *errors):
    return {"report": reports, "success": False, "errors": list(errors)}


_PACKAGE = os.path.dirname(__file__)
_OPTIONS = {"name", "snt", "nd", "ctx", "_req_ctx", "is_async", "profiling", "detailed",
            "global_sync", "key", "als", "aid", "async"}


def _ctx(body):
    """The dict of the walker's arguments; a JSON text is allowed as everywhere in the API."""
    ctx = body.get("ctx")
    if isinstance(ctx, str) and ctx:
        import json

        ctx = json.loads(ctx)
    if ctx is None or ctx == "":
        return {}
    if not isinstance(ctx, dict):
        raise ValueError(f"ctx must be an object, not a {type(ctx).__name__}")
    return ctx


def _flag(value):
    return value is True or (isinstance(value, str) and value.lower() == "true")


def run(context, name, body):
    """(status, value of the answer). name: None = the one in the body."""
    name = body.get("name") if name is None else name
    action, wants_request = _table.get(name, (None, False)) if isinstance(name, str) \
        else (None, False)
    if action is None:
        context.failed = True
        return 200, _failure([], f"Walker {name} not found!")
    context.walker = name
    try:
        ctx = _ctx(body)
    except ValueError as error:
        context.failed = True
        return 200, _failure([], f"{name}: {error}")
    if wants_request:
        ctx = {**ctx, REQUEST: _request_of(context, body)}
    if _flag(body.get("profiling")):
        envelope = _run_profiled(context, name, action, ctx, body)
    else:
        envelope = _run_one(context, name, action, ctx, body)
    status = context.status_code or 200
    if context.report_file is not None and not context.failed:
        return _download(status, context.report_file)
    if context.report_custom is not None:
        return status, context.report_custom
    if context.status_code:
        envelope["status_code"] = status
    if _flag(body.get("is_async")):
        envelope = {"is_queued": False, "result": envelope}
    return status, envelope


# ---- the request, as a walker sees it


def _request_of(context, body):
    """{"method", "headers", "query", "body", "raw"}: what the original gives as _req_ctx."""
    from urllib.parse import parse_qsl

    return {"method": "POST",
            "headers": {name: value for name, value in context.headers.items()
                        if not name.startswith("x-jsorc-")},
            "query": dict(parse_qsl(context.query, keep_blank_values=True)),
            "body": body, "raw": context.body}


# ---- a file for an answer


def _download(status, file):
    """(status, content type, header lines, body) of what a walker put into report_file: a path, the
    bytes themselves, or a file as the API takes them: {"name", "base64", "content-type"}."""
    import mimetypes
    from binascii import a2b_base64
    from urllib.parse import quote

    name, kind = "report", None
    if isinstance(file, (bytes, bytearray, memoryview)):
        data = bytes(file)
    elif isinstance(file, dict) and "base64" in file:
        data = a2b_base64(file["base64"])
        name, kind = file.get("name") or name, file.get("content-type")
    elif isinstance(file, (str, os.PathLike)):
        name = os.path.basename(os.fspath(file))
        with open(file, "rb") as opened:
            data = opened.read()
    else:
        raise TypeError("report_file is a path, bytes or {'name', 'base64', 'content-type'}, not a "
                        f"{type(file).__name__}")
    kind = kind or mimetypes.guess_type(str(name))[0] or "application/octet-stream"
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(str(name), safe='')}"}
    return status, kind, _answers._header_lines(headers), data


def _run_one(context, name, action, ctx, body):
    reports = context.reports
    try:
        value = _jsorc.bind_call(action, ctx)
    except _jsorc.InvalidArguments as error:
        context.failed = True
        flat = sorted(set(body) - _OPTIONS) if not ctx else []
        hint = [f'{name}: arguments go into "ctx", as in {{"ctx": {{"{flat[0]}": ...}}}}'] \
            if flat else []
        return _failure(reports, *(f"{name}: {text}" for text in _invalid_lines(error)), *hint)
    except HTTPError as error:  # the walker's own answer: there is nothing to log
        context.failed = True
        context.status_code = error.status
        detail = error.detail
        return _failure(reports, detail if isinstance(detail, str) else str(error))
    except BaseException as error:  # SystemExit must not end the worker
        context.failed = True
        _answers.log_exception(f"walker {name}", error)
        failure = _failure(reports, _error_line(name, error))
        failure["stack_trace"] = _stack(error)
        return failure
    if value is not None:
        reports.append(value)
    return {"success": True, "report": reports, "final_node": body.get("nd"), "yielded": False}


def _invalid_lines(error):
    for entry in error.args[0]:
        where = ".".join(str(part) for part in entry["loc"][1:])
        yield f"{where}: {entry['msg']}" if where else entry["msg"]


def _error_line(name, error):
    """As the original words it: FILE:WALKER - line L, col C - rule R - MESSAGE."""
    message = f"{type(error).__name__}: {_answers.text_of(error)}"
    trace, at = None, error.__traceback__
    while at is not None:  # the innermost line of the user's
        if os.path.dirname(at.tb_frame.f_code.co_filename) != _PACKAGE:
            trace = at
        at = at.tb_next
    if trace is None:
        return f"{name} - {message}"
    code = trace.tb_frame.f_code
    file = os.path.basename(code.co_filename)
    return f"{file}:{name} - line {trace.tb_lineno}, col 0 - rule {code.co_name} - {message}"


def _stack(error):
    import traceback

    trace = error.__traceback__
    if trace is not None and trace.tb_frame.f_code is _run_one.__code__:
        trace = trace.tb_next
    return traceback.format_exception(type(error), error, trace)


def _run_profiled(context, name, action, ctx, body):
    """Adds what the profiler saw, as CSV: function, calls, seconds in itself, seconds in all."""
    import cProfile

    profile = cProfile.Profile()
    try:
        profile.enable()
    except ValueError:  # another thread profiles: one at a time in an interpreter
        print("jsorc: warning: another walker is being profiled", file=sys.stderr)
        return _run_one(context, name, action, ctx, body)
    try:
        envelope = _run_one(context, name, action, ctx, body)
    finally:
        profile.disable()
    lines = ["function,calls,self_s,total_s"]
    for entry in sorted(profile.getstats(), key=lambda entry: -entry.totaltime)[:200]:
        code = entry.code
        where = code if isinstance(code, str) else (
            f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}({code.co_name})")
        where = where.replace('"', "'")
        lines.append(f'"{where}",{entry.callcount},{entry.inlinetime:.6f},{entry.totaltime:.6f}')
    envelope["profile"] = {"jac": "", "perf": "\n".join(lines) + "\n", "graph": None}
    return envelope
