"""Actions with the types that people annotate, in the original's form: served by it and by us."""

import datetime
import decimal
import enum
import uuid
from typing import Any, Dict, List, Literal, Mapping, Optional, Sequence, Set, Tuple, Union

from jaseci.jsorc.live_actions import jaseci_action


class Color(enum.Enum):
    RED = "a"
    BLUE = "b"


def show(value):
    value = sorted(value) if isinstance(value, set) else value
    return [type(value).__name__, repr(value)]


def serve(name, annotation, *default):
    def function(x):
        return show(x)

    function.__name__ = name
    function.__annotations__ = {"x": annotation}
    function.__defaults__ = default
    jaseci_action(act_group=["t"], allow_remote=True)(function)


for NAME, ANNOTATION in {
        "str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict,
        "bytes": bytes, "tuple": tuple, "any": Any, "object": object, "list_str": List[str],
        "list_int": list[int], "dict_str_int": Dict[str, int], "dict_int_str": Dict[int, str],
        "optional": Optional[int], "int_or_str": Union[int, str], "str_or_int": Union[str, int],
        "list_or_float": Union[List[int], float], "pair": Tuple[int, str],
        "ints": Tuple[int, ...], "set_int": Set[int], "literal": Literal["a", 1],
        "color": Color, "date": datetime.date, "datetime": datetime.datetime,
        "timedelta": datetime.timedelta, "uuid": uuid.UUID, "decimal": decimal.Decimal,
        "sequence": Sequence[int], "mapping": Mapping[str, float], "matrix": List[List[int]],
        "rows": List[Dict[str, Optional[int]]]}.items():
    serve(NAME, ANNOTATION)
serve("str_default", str, "q")
serve("str_none", str, None)
serve("int_default", int, 5)


@jaseci_action(act_group=["t"], allow_remote=True)
def bare(x, y=3, z=None):
    return [x, y, z]


@jaseci_action(act_group=["t"], allow_remote=True)
def stars(a, *b, c=1, **d):
    return [a, list(b), c, d]
