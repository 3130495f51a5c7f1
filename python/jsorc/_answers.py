"""Answers that are not results: exceptions and arguments that do not fit. Not on the fast way."""

import sys

from ._convert import Invalid
from ._jsorc_or_none import _jsorc
from .errors import ActionError, HTTPError

_TEXT_MAX = 2000  # characters of an exception's text in an answer


def dumps(value):
    import json

    from . import _codec

    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError):
        return _codec.encode_slowly(value)


# ---- exceptions


def log_exception(name, error):
    """The traceback goes to the log (standard error)."""
    context = _jsorc.context_or_none() if _jsorc is not None else None
    request = context.request_id if context is not None else None
    where = f" (request {request})" if request else ""
    print(f"jsorc: error: {name} raised {type(error).__name__}{where}", file=sys.stderr)
    sys.__excepthook__(type(error), error, error.__traceback__)


def text_of(error):
    """One line that says what happened, never empty."""
    try:
        text = str(error)
    except Exception:
        text = ""
    if isinstance(error, SystemExit):
        return f"the action called exit({text})"
    return text[:_TEXT_MAX] or type(error).__name__


def _http_exception(error):
    """(status, detail, headers) of our own or a web framework's exception, else None."""
    if isinstance(error, HTTPError):
        return error.status, error.detail, error.headers
    if any(cls.__name__ == "HTTPException" for cls in type(error).__mro__):
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and 200 <= status <= 599:
            return int(status), getattr(error, "detail", None), getattr(error, "headers", None)
    return None


def _header_lines(headers):
    """CRLF-ended lines; a name or value that could end a line early is left out."""
    lines = []
    for name, value in dict(headers or {}).items():
        line = f"{name}: {value}"
        if line.isprintable() and line.isascii() and name.lower() not in (
                "content-length", "transfer-encoding", "connection"):
            lines.append(line + "\r\n")
    return "".join(lines).encode()


def of_exception(error):
    """(status, body, header lines): the answer that an exception becomes."""
    found = _http_exception(error)
    if found:
        status, detail, headers = found
        try:
            return status, dumps({"detail": detail}), _header_lines(headers)
        except (TypeError, ValueError) as unencodable:
            return 500, dumps({"detail": text_of(unencodable), "type": "TypeError"}), b""
    body = {"detail": text_of(error), "type": type(error).__name__}
    if isinstance(error, ActionError):
        body["action"] = error.action
    return 500, dumps(body), b""


def for_exception(name, error):
    """As of_exception, for one that left the action called name: nobody else tells of it."""
    if not _http_exception(error):
        log_exception(name, error)
    return of_exception(error)


# ---- results that cannot be encoded


def encode(name, value, error):
    """(status, body): the value encoded the slow way, or a 500 that says what cannot be."""
    from . import _codec

    try:
        return 200, _codec.encode_slowly(value)
    except Exception as found:
        text = f"the result cannot be encoded: {text_of(found)}"
        print(f"jsorc: error: {name}: {text}", file=sys.stderr)
        return 500, dumps({"detail": text, "type": type(found).__name__})


# ---- 422


def _entry(path, message, kind, context=None):
    made = {"loc": ["body", *path], "msg": message, "type": kind}
    if context is not None:
        made["ctx"] = context
    return made


def not_json(error):
    """Body of the 422 for a request body that is no JSON."""
    place = getattr(error, "pos", None)
    message = getattr(error, "msg", None) or text_of(error)
    entry = _entry(() if place is None else (place,), message, "value_error.jsondecode")
    if place is not None:
        entry["ctx"] = {"msg": message, "pos": place, "lineno": error.lineno, "colno": error.colno}
    return dumps({"detail": [entry]})


def not_object():
    return dumps({"detail": [_entry((), "value is not a valid dict", "type_error.dict")]})


def invalid(params, body):
    """Body of the 422 for arguments that the extension could not bind: all errors, in the order of
    the signature, then the unknown names."""
    return dumps({"detail": invalid_entries(params, body)})


def invalid_entries(params, body):
    entries, known = [], set()
    for param in params:
        key = param.key
        if key not in body and key != param.name and param.name in body:
            key = param.name
        known.add(key)
        if key not in body:
            if param.required:
                entries.append(_entry((key,), "field required", "value_error.missing"))
            continue
        try:
            _check(param, body[key])
        except Invalid as found:
            entries += [_entry((key, *path), *rest) for path, *rest in found.errors]
    entries += [_entry((key,), "extra fields not permitted", "value_error.extra")
                for key in body if key not in known]
    entries += _twice(params, body)
    return entries


def _check(param, value):
    from . import _convert, _signature

    if param.kind in (_signature.PLAIN, _signature.KEYWORD):
        if param.convert and not (value is None and not param.required):
            param.convert(value)
    elif value is None:
        return
    elif param.kind == _signature.LIST:
        if not isinstance(value, list):
            _convert.fail("value is not a valid tuple", "type_error.tuple")
        if param.convert:
            _convert._items(value, param.convert)
    else:
        if not isinstance(value, dict):
            _convert.fail("value is not a valid dict", "type_error.dict")
        errors = []
        for name, item in value.items():
            try:
                if param.convert:
                    param.convert(item)
            except Invalid as found:
                errors += [((name, *path), *rest) for path, *rest in found.errors]
        if errors:
            raise Invalid(errors)


def _twice(params, body):
    """Names inside ``**options`` that are parameters themselves."""
    last = params[-1] if params else None
    if last is None or not last.key.startswith("**"):
        return []
    given = body.get(last.key, body.get(last.name))
    if not isinstance(given, dict):
        return []
    return [_entry((last.key, param.name), "given twice: it is a parameter itself",
                   "value_error.extra") for param in params[:-1] if param.name in given]
