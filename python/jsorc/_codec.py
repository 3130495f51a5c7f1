"""JSON for the worker: orjson where the user's interpreter has it, else the json module.

The extension calls ``loads(data)`` and ``dumps(value, default, options)``. What those refuse goes
to ``encode_slowly``, which encodes what can be encoded (integers beyond 64 bits, odd keys, lone
surrogates) and tells for the rest which type it is and where.
"""

import _thread
import sys

DEPTH_MAX = 200  # nesting of a result; deeper is a cycle


class CannotEncode(TypeError):
    """A result that JSON has no form for. The text names its type and its place."""


_lock = _thread.allocate_lock()
_found = None


def load():
    """(loads, dumps, first options, options for keys that are not text). Any thread; the import,
    and a warning, happen once."""
    global _found
    with _lock:
        if _found is None:
            _found = _find()
    return _found


def _find():
    try:
        import orjson
    except ImportError as error:
        print(f"jsorc: warning: JSON is read and written by the slow json module ({error}); "
              "pip install orjson", file=sys.stderr)
        return _json_loads, _json_dumps, None, None
    numpy = orjson.OPT_SERIALIZE_NUMPY
    # Text keys first: the option for other keys makes every dict slower.
    return orjson.loads, orjson.dumps, numpy, numpy | orjson.OPT_NON_STR_KEYS


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def _json_loads(data):
    import json

    return json.loads(bytes(data), parse_constant=_no_constant)


def _json_dumps(value, default_value, _options):
    import json

    # Keys that are no text are converted by the json module itself; NaN goes the slow way.
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"),
                      default=default_value).encode()


def default(value):
    """The plain form of a value that the encoder does not know; CannotEncode if there is none."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise CannotEncode("bytes that are no UTF-8 text (use base64)") from None
    for method in ("tolist", "model_dump", "isoformat", "total_seconds"):
        found = getattr(value, method, None)  # arrays, models, times, durations
        if callable(found) and not isinstance(value, type):
            return found()
    return _default_rare(value)


def _default_rare(value):
    cls = type(value)
    if hasattr(cls, "__members__"):
        return value.value
    if cls.__module__ == "decimal":
        return int(value) if value == value.to_integral_value() else float(value)
    if cls.__module__ in ("uuid", "pathlib") or cls.__module__.startswith("pathlib."):
        return str(value)
    if hasattr(cls, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in cls.__dataclass_fields__}
    if hasattr(cls, "parse_obj"):  # a model of pydantic 1
        return value.dict()
    if hasattr(value, "keys") and hasattr(cls, "__getitem__"):
        return {key: value[key] for key in value.keys()}
    if hasattr(cls, "__next__") or cls.__name__ in ("dict_keys", "dict_values", "dict_items",
                                                    "deque", "range"):
        return list(value)
    raise CannotEncode(f"a {type_name(value)}")


def type_name(value):
    cls = type(value)
    prefix = "" if cls.__module__ == "builtins" else cls.__module__ + "."
    return prefix + cls.__qualname__


def encode_slowly(value):
    """JSON bytes of anything that has a form in JSON, else CannotEncode."""
    import json

    return json.dumps(_plain(value, "result", 0), allow_nan=False, separators=(",", ":")).encode()


def _plain(value, path, depth):
    if depth > DEPTH_MAX:
        raise CannotEncode(f"{path[:60]}... is nested deeper than {DEPTH_MAX} levels: "
                           "does it contain itself?")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if value - value == 0 else None
    if isinstance(value, dict):
        return {_key(key, path): _plain(item, f"{path}[{key!r}]", depth + 1)
                for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    try:
        made = default(value)
    except CannotEncode as error:
        raise CannotEncode(f"{path} is {error}, which JSON cannot hold") from None
    return _plain(made, path, depth + 1)


def _key(key, path):
    if isinstance(key, str):
        return str.__str__(key)
    if key is None:
        return "null"
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, (int, float)):
        return int.__repr__(key) if isinstance(key, int) else float.__repr__(key)
    try:
        made = default(key)
    except CannotEncode as error:
        raise CannotEncode(f"a key of {path} is {error}, which JSON cannot hold") from None
    if isinstance(made, (list, dict)) or made is key:
        raise CannotEncode(f"a key of {path} is a {type_name(key)}, which JSON cannot hold")
    return _key(made, path)
