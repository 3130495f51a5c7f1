"""From a JSON value to an annotated parameter, by the lenient rules of the original (those of
pydantic 1): number text becomes a number, ``"yes"`` a bool, 3 the text ``"3"``.

``make(annotation)`` gives a Type. Its converter raises Invalid, from which the 422 body comes.
Nothing is imported for annotations that need nothing: when the user's code has not imported
typing, there is no typing construct to understand.
"""

import types

NOTHING = type("Nothing", (), {"__repr__": lambda self: "nothing"})()


class Invalid(Exception):
    """errors: list of (path below the value, message, type, context or None)."""

    def __init__(self, errors):
        super().__init__(errors)
        self.errors = errors


def fail(message, kind, context=None):
    raise Invalid([((), message, kind, context)])


class Type:
    """How to take a value.

    exact       a value of exactly this type needs no converter (None = ask the converter)
    item_exact  with exact: all items must be exactly of this type, else ask the converter
    convert     callable, or None when every value is taken as it is
    schema      JSON schema, or None
    """

    __slots__ = ("exact", "item_exact", "convert", "schema")

    def __init__(self, convert=None, schema=None, exact=None, item_exact=None):
        self.convert = convert
        self.schema = schema
        self.exact = exact
        self.item_exact = item_exact


ANY = Type()


# ---- scalars


def to_str(value):
    if isinstance(value, str):
        return value.value if hasattr(value, "value") else value
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return value.decode()
    return fail("str type expected", "type_error.str")


def to_int(value):
    if type(value) is int:
        return value
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return fail("value is not a valid integer", "type_error.integer")


def to_float(value):
    if type(value) is float:
        return value
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return fail("value is not a valid float", "type_error.float")


_TRUE = {1, "1", "on", "t", "true", "y", "yes"}
_FALSE = {0, "0", "off", "f", "false", "n", "no"}


def to_bool(value):
    if value is True or value is False:
        return value
    word = value.lower() if isinstance(value, str) else value
    try:
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    except TypeError:  # a list has no hash
        pass
    return fail("value could not be parsed to a boolean", "type_error.bool")


def to_bytes(value):
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (int, float)):
        return str(value).encode()
    return fail("byte type expected", "type_error.bytes")


def to_none(value):
    if value is None:
        return None
    return fail("value is not none", "type_error.not_none")


def to_list(value):
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    return fail("value is not a valid list", "type_error.list")


def to_tuple(value):
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(value)
    return fail("value is not a valid tuple", "type_error.tuple")


def to_set(value):
    if isinstance(value, (list, tuple, set, frozenset)):
        return _hashed(set, value, "set")
    return fail("value is not a valid set", "type_error.set")


def to_frozenset(value):
    if isinstance(value, (list, tuple, set, frozenset)):
        return _hashed(frozenset, value, "frozenset")
    return fail("value is not a valid frozenset", "type_error.frozenset")


def _hashed(make_set, value, name):
    try:
        return make_set(value)
    except TypeError:  # an item that has no hash
        return fail(f"value is not a valid {name}", f"type_error.{name}")


def to_dict(value):
    if isinstance(value, dict):
        return value
    try:
        return dict(value)
    except (TypeError, ValueError):
        return fail("value is not a valid dict", "type_error.dict")


def to_complex(value):
    try:
        return complex(*value) if isinstance(value, list) else complex(value)
    except (TypeError, ValueError):
        return fail("value is not a valid complex number", "type_error.complex")


_PLAIN = {
    str: Type(to_str, {"type": "string"}, str),
    int: Type(to_int, {"type": "integer"}, int),
    float: Type(to_float, {"type": "number"}, float),
    bool: Type(to_bool, {"type": "boolean"}, bool),
    bytes: Type(to_bytes, {"type": "string"}),
    bytearray: Type(lambda value: bytearray(to_bytes(value)), {"type": "string"}),
    complex: Type(to_complex, {"type": "string"}),
    list: Type(to_list, {"type": "array"}, list),
    dict: Type(to_dict, {"type": "object"}, dict),
    tuple: Type(to_tuple, {"type": "array"}),
    set: Type(to_set, {"type": "array", "uniqueItems": True}),
    frozenset: Type(to_frozenset, {"type": "array", "uniqueItems": True}),
    type(None): Type(to_none, {"type": "null"}),
    None: Type(to_none, {"type": "null"}),
    object: ANY,
    NOTHING: ANY,
}


def make(annotation):
    """The Type of an annotation; NOTHING (none given) takes every value."""
    try:
        known = _PLAIN.get(annotation)
    except TypeError:  # an annotation without a hash
        return ANY
    if known is not None:
        return known
    if isinstance(annotation, types.UnionType):
        return _union(annotation.__args__)
    origin = getattr(annotation, "__origin__", None)
    if origin is not None:
        return _generic(annotation, origin, getattr(annotation, "__args__", ()))
    if isinstance(annotation, type):
        return _class(annotation)
    return _special(annotation)


def not_null(made):
    """The converter used inside a container: null is refused before it."""
    convert = made.convert
    if convert is None or convert is to_none:
        return convert

    def checked(value):
        if value is None:
            fail("none is not an allowed value", "type_error.none.not_allowed")
        return convert(value)

    return convert if getattr(convert, "takes_null", False) else checked


# ---- containers


def _items(value, convert):
    """Converts each item; gathers all errors with their indexes."""
    made, errors = [], []
    for index, item in enumerate(value):
        try:
            made.append(convert(item))
        except Invalid as invalid:
            errors += [((index, *path), *rest) for path, *rest in invalid.errors]
    if errors:
        raise Invalid(errors)
    return made


def _many(whole, args, schema, exact=None):
    """A container of one type of items; whole() checks and makes the container."""
    item = make(args[0]) if args else ANY
    convert = not_null(item)
    if item.schema:
        schema = {**schema, "items": item.schema}
    if convert is None:
        return Type(whole, schema, exact)
    # The fast way in the extension looks at the items' types only.
    scalar = item.item_exact is None and item.exact in (str, int, float, bool)
    simple = item.exact if scalar else None
    return Type(lambda value: whole(_items(to_list_for(whole, value), convert)), schema,
                exact if simple else None, simple if exact else None)


def to_list_for(whole, value):
    """The value as something to iterate over, or the error of the container it should become."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    return whole(value)


def to_sequence(value):
    if isinstance(value, (list, tuple, set, frozenset)):
        return value if isinstance(value, (list, tuple)) else list(value)
    return fail("value is not a valid sequence", "type_error.sequence")


def _tuple(args):
    if len(args) == 2 and args[1] is Ellipsis:
        return _many(to_tuple, args[:1], {"type": "array"})
    if args == ((),):  # Tuple[()] before 3.11
        args = ()
    converts = [not_null(make(arg)) for arg in args]

    def convert(value):
        value = to_tuple(value)
        if len(value) != len(converts):
            fail(f"wrong tuple length {len(value)}, expected {len(converts)}",
                 "value_error.tuple.length",
                 {"actual_length": len(value), "expected_length": len(converts)})
        made, errors = [], []
        for index, item in enumerate(value):
            try:
                made.append(converts[index](item) if converts[index] else item)
            except Invalid as invalid:
                errors += [((index, *path), *rest) for path, *rest in invalid.errors]
        if errors:
            raise Invalid(errors)
        return tuple(made)

    return Type(convert, {"type": "array", "minItems": len(args), "maxItems": len(args)})


def _mapping(args):
    key, value = (make(args[0]), make(args[1])) if len(args) == 2 else (ANY, ANY)
    to_key, to_value = not_null(key), not_null(value)
    schema = {"type": "object"}
    if value.schema:
        schema["additionalProperties"] = value.schema
    if to_value is None and (to_key is None or key.exact is str):
        return Type(to_dict, schema, dict)  # the keys of a JSON object are text

    def convert(given):
        made, errors = {}, []
        for name, item in to_dict(given).items():
            try:
                made_name = to_key(name) if to_key else name
            except Invalid as invalid:
                errors += [(("__key__", *path), *rest) for path, *rest in invalid.errors]
                continue
            try:
                made[made_name] = to_value(item) if to_value else item
            except Invalid as invalid:
                errors += [((name, *path), *rest) for path, *rest in invalid.errors]
        if errors:
            raise Invalid(errors)
        return made

    return Type(convert, schema)


def _union(args):
    nullable = type(None) in args or None in args
    members = [make(arg) for arg in args if arg is not type(None) and arg is not None]
    schemas = [member.schema for member in members]
    if any(member.convert is None for member in members):
        return ANY

    def convert(value):
        if value is None and nullable:
            return None
        if value is None:
            fail("none is not an allowed value", "type_error.none.not_allowed")
        errors = []
        for member in members:
            try:
                return member.convert(value)
            except Invalid as invalid:
                errors += invalid.errors
        raise Invalid(errors)

    convert.takes_null = nullable
    schema = None
    if all(schemas):
        parts = schemas + [{"type": "null"}] * nullable
        schema = parts[0] if len(parts) == 1 else {"anyOf": parts}
    only = members[0] if len(members) == 1 else Type()
    return Type(convert, schema, only.exact, only.item_exact)


def _literal(values):
    shown = ", ".join(repr(value) for value in values)

    def convert(value):
        for allowed in values:
            if allowed == value:  # so true is the 1 of Literal[1], as in the original
                return allowed
        return fail(f"unexpected value; permitted: {shown}", "value_error.const",
                    {"given": value, "permitted": list(values)})

    convert.takes_null = None in values
    return Type(convert, {"enum": list(values)})


def _generic(annotation, origin, args):
    """list[str], typing.Optional[int], Literal["a"], Annotated[int, ...] and the like."""
    name = getattr(origin, "__name__", None) or getattr(origin, "_name", "") or ""
    if hasattr(annotation, "__metadata__"):  # Annotated: origin is the type itself
        return make(origin)
    if name == "Union":
        return _union(args)
    if name == "Literal":
        return _literal(args)
    if origin is list or name in ("MutableSequence", "deque"):
        return _many(to_list, args, {"type": "array"}, list)
    if name in ("Sequence", "Collection", "Iterable", "Iterator", "Container"):
        return _many(to_sequence, args, {"type": "array"}, list)
    if origin is tuple:
        return _tuple(args)
    if origin is set or name in ("Set", "MutableSet", "AbstractSet"):
        return _many(to_set, args, {"type": "array", "uniqueItems": True})
    if origin is frozenset:
        return _many(to_frozenset, args, {"type": "array", "uniqueItems": True})
    if isinstance(origin, type) and _is_mapping(origin):
        return _mapping(args)
    return make(origin) if isinstance(origin, type) else ANY


def _is_mapping(origin):
    return issubclass(origin, dict) or origin.__name__ in ("Mapping", "MutableMapping")


def _class(annotation):
    """A class that JSON does not know."""
    from . import _convert_class

    return _convert_class.make(annotation)


def _special(annotation):
    """typing.Any, type variables, NewType and the aliases of 3.12."""
    supertype = getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)
    return make(supertype) if supertype is not None else ANY
