"""Converters for classes of the standard library, enumerations, dataclasses and pydantic models.
Loaded when a function is annotated with one."""

import datetime
import sys

from ._convert import ANY, Invalid, Type, fail, not_null, to_dict, to_sequence


def make(cls):
    """The Type of a class; ANY when it is the user's own, whose function knows what it takes."""
    if cls.__module__ == "collections.abc":
        return _abstract(cls.__name__)
    if cls.__module__ == "numpy" and cls.__name__ == "ndarray":
        return Type(_to_array, {"type": "array"})
    if hasattr(cls, "__total__") and issubclass(cls, dict):  # TypedDict
        return Type(to_dict, {"type": "object"}, dict)
    if hasattr(cls, "__members__"):
        return _enum(cls)
    if hasattr(cls, "model_validate"):
        return Type(_model(cls, cls.model_validate), {"type": "object"})
    if hasattr(cls, "parse_obj"):
        return Type(_model(cls, cls.parse_obj), {"type": "object"})
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass(cls)
    if cls.__module__.split(".")[0] in ("datetime", "decimal", "fractions", "pathlib", "uuid"):
        return _LIBRARY.get(cls.__name__, lambda _: ANY)(cls)
    return ANY


def _abstract(name):
    if name in ("Sequence", "Iterable", "Collection"):
        return Type(to_sequence, {"type": "array"}, list)
    if name in ("Mapping", "MutableMapping"):
        return Type(to_dict, {"type": "object"}, dict)
    return ANY


def _to_array(value):
    try:
        return sys.modules["numpy"].asarray(value)
    except (TypeError, ValueError):
        return fail("value is not a valid array", "type_error.array")


def _enum(cls):
    values = [member.value for member in cls]
    shown = ", ".join(repr(value) for value in values)

    def convert(value):
        try:
            return cls(value)
        except (TypeError, ValueError):
            return fail(f"value is not a valid enumeration member; permitted: {shown}",
                        "type_error.enum", {"enum_values": values})

    return Type(convert, {"enum": values})


def _model(cls, validate):
    """A pydantic model of either generation: its own rules, and its errors below our path."""

    def convert(value):
        if isinstance(value, cls):
            return value
        try:
            return validate(value)
        except ValueError as error:  # both generations derive from it
            if not hasattr(error, "errors"):
                raise
            raise Invalid([(tuple(one["loc"]), one["msg"], one["type"], None)
                           for one in error.errors()]) from None

    return convert


def _dataclass(cls):
    from . import _signature

    converts = {param.name: (param, not_null(param.type)) for param in
                _signature.params_of(cls.__init__)[1:]}

    def convert(value):
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            fail("value is not a valid dict", "type_error.dict")
        made, errors = {}, []
        for name, (param, to_field) in converts.items():
            if name not in value:
                if param.required:
                    errors.append(((name,), "field required", "value_error.missing", None))
                continue
            try:
                nullable = value[name] is None and param.default is None
                made[name] = to_field(value[name]) if to_field and not nullable else value[name]
            except Invalid as invalid:
                errors += [((name, *path), *rest) for path, *rest in invalid.errors]
        errors += [((name,), "extra fields not permitted", "value_error.extra", None)
                   for name in value if name not in converts]
        if errors:
            raise Invalid(errors)
        return cls(**made)

    return Type(convert, {"type": "object"})


def _parsed(cls, from_text, message, kind, schema):
    """A class made from text (ISO 8601 for times), or from a number where from_text takes it."""

    def convert(value):
        if isinstance(value, cls):
            return value
        try:
            return from_text(value)
        except (TypeError, ValueError, OverflowError, ArithmeticError, AttributeError, OSError):
            return fail(message, kind)

    return Type(convert, schema)


def _seconds(value, expected):
    """The number of seconds that value is; None when it is other text."""
    if isinstance(value, (int, float)):
        return value
    if not isinstance(value, str):
        fail(f"invalid type; expected {expected}, string, bytes, int or float", "type_error")
    try:
        return float(value)
    except ValueError:
        return None


_SECONDS_MAX = 3e20  # beyond it the original takes the last moment of the calendar
_MILLISECONDS_FROM = 2e10  # beyond it a number is meant in milliseconds, or still finer


def _to_datetime(value, expected="datetime"):
    seconds = _seconds(value, expected)
    if seconds is None:
        return datetime.datetime.fromisoformat(value)
    if abs(seconds) > _SECONDS_MAX:
        return datetime.datetime.max if seconds > 0 else datetime.datetime.min
    while abs(seconds) > _MILLISECONDS_FROM:
        seconds /= 1000
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return epoch + datetime.timedelta(seconds=seconds)


def _to_date(value):
    if isinstance(value, datetime.datetime):
        return value.date()
    if _seconds(value, "date") is not None:
        return _to_datetime(value).date()
    return datetime.date.fromisoformat(value)


def _to_timedelta(value):
    seconds = _seconds(value, "timedelta")
    if seconds is not None:
        return datetime.timedelta(seconds=seconds)
    sign = -1 if value.startswith("-") else 1
    days, _, clock = value.lstrip("+-").rpartition(" ")
    days = float(days.split()[0]) if days else 0
    hours, minutes, seconds = ([0, 0] + [float(part) for part in clock.split(":")])[-3:]
    return sign * datetime.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _time_type(fmt):
    return {"type": "string", "format": fmt}


def _number(cls):
    name = cls.__name__.lower()

    def from_text(value):
        number = cls(str(value).strip())
        if number - number != 0:
            fail(f"value is not a valid {name}", f"value_error.{name}.not_finite")
        return number

    return _parsed(cls, from_text, f"value is not a valid {name}", f"type_error.{name}",
                   {"type": "number"})


def _path(cls):
    return _parsed(cls, cls, "value is not a valid path", "type_error.path", {"type": "string"})


_LIBRARY = {
    "datetime": lambda cls: _parsed(cls, _to_datetime, "invalid datetime format",
                                    "value_error.datetime", _time_type("date-time")),
    "date": lambda cls: _parsed(cls, _to_date, "invalid date format", "value_error.date",
                                _time_type("date")),
    "time": lambda cls: _parsed(cls, cls.fromisoformat, "invalid time format", "value_error.time",
                                _time_type("time")),
    "timedelta": lambda cls: _parsed(cls, _to_timedelta, "invalid duration format",
                                     "value_error.duration", _time_type("duration")),
    "Decimal": _number,
    "Fraction": _number,
    "UUID": lambda cls: _parsed(cls, cls, "value is not a valid uuid", "type_error.uuid",
                                _time_type("uuid")),
    "Path": _path,
    "PurePath": _path,
    "PosixPath": _path,
    "PurePosixPath": _path,
}
