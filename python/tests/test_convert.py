"""Conversion of annotated parameters: the original's lenient rules and its errors."""

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import json
import typing
import uuid
from pathlib import Path

import pytest
from jsorc import _convert


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


class Shape(typing.TypedDict):
    name: str


UUID = "12345678-1234-5678-1234-567812345678"


def convert(annotation, value):
    made = _convert.not_null(_convert.make(annotation))
    return made(value) if made else value


@pytest.mark.parametrize("annotation, value, wanted", [
    (str, "a", "a"), (str, 3, "3"), (str, 2.5, "2.5"), (str, True, "True"),
    (int, 3, 3), (int, "3", 3), (int, " 3 ", 3), (int, 3.7, 3), (int, True, 1),
    (float, 3, 3.0), (float, "2.5", 2.5), (float, True, 1.0),
    (bool, True, True), (bool, "yes", True), (bool, "OFF", False), (bool, 1, True),
    (bool, 0, False),
    (bytes, "ab", b"ab"),
    (list, [1], [1]), (dict, {"a": 1}, {"a": 1}), (dict, [["a", 1]], {"a": 1}),
    (tuple, [1, 2], (1, 2)), (set, [1, 1], {1}), (frozenset, [1], frozenset({1})),
    (list[int], ["1", 2], [1, 2]), (typing.List[str], [1, "b"], ["1", "b"]),
    (dict[str, int], {"a": "1"}, {"a": 1}), (typing.Dict[int, str], {"1": "a"}, {1: "a"}),
    (tuple[int, str], ["1", 2], (1, "2")), (tuple[int, ...], ["1", "2"], (1, 2)),
    (typing.Set[int], ["1"], {1}), (typing.Sequence[int], ["1"], [1]),
    (collections.abc.Iterable, [1], [1]), (collections.abc.Mapping[str, int], {"a": "1"}, {"a": 1}),
    (typing.Optional[int], None, None), (typing.Optional[int], "3", 3), (int | None, None, None),
    (int | None, "4", 4), (typing.Union[int, str], "x", "x"), (typing.Union[int, str], "3", 3),
    (typing.Union[str, int], 5, "5"),
    (typing.Any, None, None), (object, [1], [1]), (typing.TypeVar("T"), 3, 3),
    (typing.Callable, "f", "f"), (typing.NewType("Id", int), "3", 3),
    (typing.Literal["a", 1], "a", "a"), (typing.Annotated[int, "positive"], "3", 3),
    (list[typing.Optional[int]], [None, "1"], [None, 1]),
    (list[list[int]], [["1"], [2]], [[1], [2]]),
    (Color, "red", Color.RED), (Point, {"x": "1"}, Point(1, 0.5)),
    (Shape, {"name": 1}, {"name": 1}),
    (uuid.UUID, UUID, uuid.UUID(UUID)), (Path, "/a", Path("/a")),
    (datetime.date, "2024-02-29", datetime.date(2024, 2, 29)),
    (datetime.datetime, "2024-02-29T10:00:00", datetime.datetime(2024, 2, 29, 10)),
    (datetime.datetime, 0, datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)),
    (datetime.datetime, "1.5", datetime.datetime(1970, 1, 1, 0, 0, 1, 500000,
                                                 tzinfo=datetime.timezone.utc)),
    (datetime.datetime, 1700000000000, datetime.datetime(2023, 11, 14, 22, 13, 20,
                                                         tzinfo=datetime.timezone.utc)),
    (datetime.date, 1e300, datetime.date.max), (datetime.date, "86400",
                                                datetime.date(1970, 1, 2)),
    (decimal.Decimal, 1.5, decimal.Decimal("1.5")), (typing.Literal[1], True, 1),
    (datetime.time, "10:30", datetime.time(10, 30)),
    (datetime.timedelta, 90, datetime.timedelta(seconds=90)),
    (datetime.timedelta, "1 day, 0:00:01", datetime.timedelta(days=1, seconds=1)),
    (None, None, None),
])
def test_values_are_converted(annotation, value, wanted):
    made = convert(annotation, value)
    assert made == wanted and type(made) is type(wanted)


@pytest.mark.parametrize("annotation, value, path, message, kind", [
    (str, None, (), "none is not an allowed value", "type_error.none.not_allowed"),
    (str, [], (), "str type expected", "type_error.str"),
    (int, "3.5", (), "value is not a valid integer", "type_error.integer"),
    (int, [], (), "value is not a valid integer", "type_error.integer"),
    (int, float("inf"), (), "value is not a valid integer", "type_error.integer"),
    (float, "x", (), "value is not a valid float", "type_error.float"),
    (bool, "maybe", (), "value could not be parsed to a boolean", "type_error.bool"),
    (bool, [], (), "value could not be parsed to a boolean", "type_error.bool"),
    (bytes, [], (), "byte type expected", "type_error.bytes"),
    (list, "ab", (), "value is not a valid list", "type_error.list"),
    (dict, "ab", (), "value is not a valid dict", "type_error.dict"),
    (dict, 3, (), "value is not a valid dict", "type_error.dict"),
    (tuple, 3, (), "value is not a valid tuple", "type_error.tuple"),
    (set, 3, (), "value is not a valid set", "type_error.set"),
    (set, [[]], (), "value is not a valid set", "type_error.set"),
    (list[int], [1, "x"], (1,), "value is not a valid integer", "type_error.integer"),
    (list[int], [None], (0,), "none is not an allowed value", "type_error.none.not_allowed"),
    (list[int], "ab", (), "value is not a valid list", "type_error.list"),
    (list[list[int]], [[1], ["x"]], (1, 0), "value is not a valid integer", "type_error.integer"),
    (dict[str, int], {"a": "x"}, ("a",), "value is not a valid integer", "type_error.integer"),
    (dict[int, str], {"x": "a"}, ("__key__",), "value is not a valid integer",
     "type_error.integer"),
    (tuple[int, int], [1], (), "wrong tuple length 1, expected 2", "value_error.tuple.length"),
    (typing.Literal["a", "b"], "c", (), "unexpected value; permitted: 'a', 'b'",
     "value_error.const"),
    (Color, "green", (), "value is not a valid enumeration member; permitted: 'red', 'blue'",
     "type_error.enum"),
    (Point, {"y": 1}, ("x",), "field required", "value_error.missing"),
    (Point, {"x": 1, "z": 1}, ("z",), "extra fields not permitted", "value_error.extra"),
    (Point, {"x": "a"}, ("x",), "value is not a valid integer", "type_error.integer"),
    (uuid.UUID, "x", (), "value is not a valid uuid", "type_error.uuid"),
    (datetime.date, "x", (), "invalid date format", "value_error.date"),
    (datetime.datetime, "x", (), "invalid datetime format", "value_error.datetime"),
    (datetime.datetime, [], (), "invalid type; expected datetime, string, bytes, int or float",
     "type_error"),
    (decimal.Decimal, "nan", (), "value is not a valid decimal",
     "value_error.decimal.not_finite"),
    (decimal.Decimal, "x", (), "value is not a valid decimal", "type_error.decimal"),
])
def test_values_that_do_not_fit_say_why_and_where(annotation, value, path, message, kind):
    with pytest.raises(_convert.Invalid) as invalid:
        convert(annotation, value)
    assert [error[:3] for error in invalid.value.errors] == [(path, message, kind)]


def test_all_errors_of_a_container_are_told():
    with pytest.raises(_convert.Invalid) as invalid:
        convert(list[int], ["x", 1, "y"])
    assert [error[0] for error in invalid.value.errors] == [(0,), (2,)]


def test_the_members_of_a_union_all_tell():
    with pytest.raises(_convert.Invalid) as invalid:
        convert(typing.Union[int, float], "x")
    assert [error[2] for error in invalid.value.errors] == ["type_error.integer",
                                                            "type_error.float"]


@pytest.mark.parametrize("annotation, exact, item_exact", [
    (str, str, None), (typing.Optional[str], str, None), (list, list, None),
    (list[str], list, str), (typing.List[float], list, float), (list[typing.Any], list, None),
    (dict[str, typing.Any], dict, None), (dict[str, int], None, None), (set, None, None),
    (list[list[str]], None, None), (list[typing.Optional[str]], list, str),
    (typing.Union[int, str], None, None), (tuple, None, None),
])
def test_what_the_extension_may_take_without_asking(annotation, exact, item_exact):
    made = _convert.make(annotation)
    assert (made.exact, made.item_exact) == (exact, item_exact)


def test_models_of_pydantic_convert_with_their_own_errors():
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):
        n: int

    assert convert(Model, {"n": "3"}).n == 3
    with pytest.raises(_convert.Invalid) as invalid:
        convert(list[Model], [{"n": "x"}])
    assert invalid.value.errors[0][0] == (0, "n")


def test_arrays_are_made_from_lists():
    numpy = pytest.importorskip("numpy")
    assert convert(numpy.ndarray, [[1, 2]]).shape == (1, 2)


def test_schemas_are_json():
    for annotation in (list[int], dict[str, float], typing.Optional[str], typing.Literal["a"],
                       Color, tuple[int, str], int | str):
        assert json.dumps(_convert.make(annotation).schema)
