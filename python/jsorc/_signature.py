"""The parameters of an action, read from its function without the inspect module where possible
(importing inspect costs more than loading a typical module)."""

import types

from . import _convert

PLAIN, LIST, KEYWORD, DICT = 0, 1, 2, 3  # x, *x, x after *x, **x; as in the extension
KIND_TEXT = ("plain", "list", "keyword", "dict")
STARS = ("", "*", "", "**")

# The extension knows it by its attribute.
REQUIRED = type("Required", (), {"jsorc_required": True, "__repr__": lambda self: "required"})()

_VARARGS, _VARKEYWORDS, _COROUTINE = 0x04, 0x08, 0x80


class Param:
    """One parameter. ``key`` is its name in a call's body, stars included."""

    __slots__ = ("name", "kind", "default", "text", "type", "convert")

    def __init__(self, name, kind, default, annotation, text):
        self.name = name
        self.kind = kind
        self.default = default
        self.text = text
        self.type = _convert.make(annotation)
        self.convert = _convert.not_null(self.type)

    @property
    def key(self):
        return STARS[self.kind] + self.name

    @property
    def required(self):
        return self.default is REQUIRED and self.kind in (PLAIN, KEYWORD)

    def for_extension(self):
        """(name, kind, default, exact type, exact type of items, converter)"""
        made = self.type
        return (self.name, self.kind, self.default, made.exact, made.item_exact, self.convert)

    def describe(self):
        """As worker.h wants it."""
        made = {"name": self.key, "kind": KIND_TEXT[self.kind], "type": self.text,
                "required": self.required}
        if self.kind in (PLAIN, KEYWORD) and not self.required:
            value = plain(self.default)
            if value is _convert.NOTHING:
                made["default_text"] = repr(self.default)[:200]
            else:
                made["default"] = value
        if self.type.schema:
            made["schema"] = self.schema()
        return made

    def schema(self):
        if self.kind == LIST:
            return {"type": "array", "items": self.type.schema}
        if self.kind == DICT:
            return {"type": "object", "additionalProperties": self.type.schema}
        return self.type.schema


def plain(value, depth=0):
    """The value if JSON has it as it is, else NOTHING."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value) if -2**63 <= value < 2**63 else _convert.NOTHING
    if isinstance(value, float):
        return value if value - value == 0 else _convert.NOTHING
    if depth < 8 and isinstance(value, (list, tuple)):
        items = [plain(item, depth + 1) for item in value]
        return _convert.NOTHING if _convert.NOTHING in items else items
    if depth < 8 and isinstance(value, dict) and all(isinstance(key, str) for key in value):
        items = {key: plain(item, depth + 1) for key, item in value.items()}
        return _convert.NOTHING if _convert.NOTHING in items.values() else items
    return _convert.NOTHING


def params_of(function):
    """List of Param, in signature order."""
    if (type(function) is types.FunctionType and "__wrapped__" not in function.__dict__
            and "__signature__" not in function.__dict__):
        found = _from_code(function)
    else:
        found = _from_inspect(function)
    annotations, scope = _annotations(function)
    return [Param(name, kind, default, *_resolve(annotations.get(name, REQUIRED), scope))
            for name, kind, default in found]


def returns_of(function):
    """Text of the result's type, or None."""
    annotations, scope = _annotations(function)
    if "return" not in annotations:
        return None
    return _resolve(annotations["return"], scope)[1]


def _from_code(function):
    code = function.__code__
    count, keyword_count = code.co_argcount, code.co_kwonlyargcount
    names = code.co_varnames
    defaults = function.__defaults__ or ()
    keyword_defaults = function.__kwdefaults__ or {}
    first_default = count - len(defaults)
    found = [(names[i], PLAIN, defaults[i - first_default] if i >= first_default else REQUIRED)
             for i in range(count)]
    place = count + keyword_count
    if code.co_flags & _VARARGS:
        found.append((names[place], LIST, REQUIRED))
        place += 1
    found += [(name, KEYWORD, keyword_defaults.get(name, REQUIRED))
              for name in names[count:count + keyword_count]]
    if code.co_flags & _VARKEYWORDS:
        found.append((names[place], DICT, REQUIRED))
    return found


def _from_inspect(function):
    import inspect

    kinds = {inspect.Parameter.POSITIONAL_ONLY: PLAIN,
             inspect.Parameter.POSITIONAL_OR_KEYWORD: PLAIN,
             inspect.Parameter.VAR_POSITIONAL: LIST, inspect.Parameter.KEYWORD_ONLY: KEYWORD,
             inspect.Parameter.VAR_KEYWORD: DICT}
    found = []
    try:
        signature = inspect.signature(function)
    except ValueError:  # a builtin that does not tell
        raise TypeError(f"the signature of {function!r} cannot be read: wrap it in a function "
                        "with named parameters") from None
    seen_keyword = False
    for param in signature.parameters.values():
        default = REQUIRED if param.default is param.empty else param.default
        kind = kinds[param.kind]
        if kind == PLAIN and seen_keyword:
            kind = KEYWORD  # functools.partial with a keyword makes the rest keyword-only
        seen_keyword = seen_keyword or kind == KEYWORD
        found.append((param.name, kind, default))
    return found


def _annotations(function):
    seen = 0
    while hasattr(function, "__wrapped__") and seen < 32:
        function = function.__wrapped__
        seen += 1
    function = getattr(function, "func", function)  # functools.partial
    function = getattr(function, "__func__", function)  # bound method
    annotations = getattr(function, "__annotations__", None)
    if not isinstance(annotations, dict) and callable(function):
        function = type(function).__call__
        annotations = getattr(function, "__annotations__", None)
    return annotations or {}, getattr(function, "__globals__", {})


def _resolve(annotation, scope):
    """(annotation or NOTHING, its text)"""
    if annotation is REQUIRED:
        return _convert.NOTHING, "any"
    if isinstance(annotation, str):
        text = annotation
        try:
            annotation = eval(annotation, scope)  # as typing.get_type_hints does
        except Exception:  # a name that exists for type checkers only
            return _convert.NOTHING, text
        if isinstance(annotation, str):
            return _convert.NOTHING, text
        return annotation, text
    return annotation, _text(annotation)


def _text(annotation):
    if annotation is None:
        return "None"
    if isinstance(annotation, type) and not hasattr(annotation, "__origin__"):
        return annotation.__name__
    return repr(annotation).replace("typing.", "")


def is_async(function):
    code = getattr(function, "__code__", None)
    return bool(code and code.co_flags & _COROUTINE)
