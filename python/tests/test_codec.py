"""What becomes of results that plain JSON does not know."""

import collections
import datetime
import decimal
import enum
import json
import math
import uuid
from pathlib import Path

import pytest
from jsorc import _codec


class Color(enum.Enum):
    RED = "red"


Pair = collections.namedtuple("Pair", "a b")


class Opaque:
    pass


def through(value):
    return json.loads(_codec.encode_slowly(value))


@pytest.mark.parametrize("value, wanted", [
    (None, None), (2**70, 2**70), ({1: "a", None: 2, False: 3, 1.5: 4},
                                   {"1": "a", "null": 2, "false": 3, "1.5": 4}),
    (math.nan, None), ([math.inf, -math.inf], [None, None]), ("\ud800", "\ud800"),
    ({1}, [1]), ((1, 2), [1, 2]), (Pair(1, 2), [1, 2]), (b"ab", "ab"), (Color.RED, "red"),
    (decimal.Decimal("1.50"), 1.5), (decimal.Decimal(3), 3), (Path("/a"), "/a"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (datetime.date(2024, 1, 2), "2024-01-02"), (datetime.timedelta(seconds=1.5), 1.5),
    (range(3), [0, 1, 2]), ((x for x in [1]), [1]), ({}.keys(), []), (collections.deque([1]), [1]),
])
def test_values_with_a_form_in_json_are_encoded(value, wanted):
    assert through(value) == wanted


def test_numpy_values_are_encoded():
    numpy = pytest.importorskip("numpy")
    value = {"s": numpy.float32(1.5), "a": numpy.arange(4).reshape(2, 2)[:, 1],
             numpy.int64(3): numpy.bool_(True), "n": numpy.float64("nan")}
    assert through(value) == {"s": 1.5, "a": [1, 3], "3": True, "n": None}


@pytest.mark.parametrize("value, says", [
    (Opaque(), "result is a test_codec.Opaque"),
    ({"a": [1, {"b": Opaque()}]}, "result['a'][1]['b'] is a test_codec.Opaque"),
    ([object], "result[0] is a type"),
    (b"\xff", "result is bytes that are no UTF-8"),
    ({Opaque(): 1}, "a key of result is a test_codec.Opaque"),
    ({(1, 2): 1}, "a key of result is a tuple"),
    ([1j], "result[0] is a complex"),
])
def test_a_value_without_one_is_named_with_its_place(value, says):
    with pytest.raises(_codec.CannotEncode) as error:
        _codec.encode_slowly(value)
    assert says in str(error.value)


def test_a_cycle_is_told():
    value = []
    value.append(value)
    with pytest.raises(_codec.CannotEncode) as error:
        _codec.encode_slowly(value)
    assert "does it contain itself" in str(error.value)
