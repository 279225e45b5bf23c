"""Values of the model as JSON text, and back, driven by their declared types: a field added later needs nothing here.

A value is itself, a missing one `{"missing": why}`, no limit `"unlimited"`. Floats come back to the last bit. Folders
are cut from every path on the way out, since what is written may end in a public bug report.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from math import isfinite
from operator import attrgetter
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from gunicorn_autotune.model.history import Mark
from gunicorn_autotune.model.readings import UNLIMITED, ListenerReading, Missing, Unlimited
from gunicorn_autotune.model.snapshot import WorkerReading

Decode = Callable[[Any], Any]
Rows = tuple[tuple[str, tuple[str, ...]], ...]
"""Per class written as an array: its name and the names of the values, in order."""

ROW_CLASSES = (WorkerReading, Mark)
"""Many of these stand in one line, so they are arrays without names. Others are objects."""
ROWS: Rows = tuple((kind.__name__, tuple(spec.name for spec in dataclasses.fields(kind))) for kind in ROW_CLASSES)
NOUNS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", NoneType: "null"}
_FOLDERS = re.compile(r"""(?<![\w.\]])(?:/[^/\s'"]+)*/(?=[^/\s'"])""")


class FlightFault(ValueError):  # noqa: N818 (a fault of the record, not an error of ours)
    """A line is not what it should be; the text names the fault, and the field where there is one."""


def encoded(value: Any) -> str:
    """`value` as one line of JSON."""
    return _JSON.encode(value)


def without_folders(text: str) -> str:
    """`text` with every absolute path cut down to its last name."""
    return _FOLDERS.sub("", text)


def _shape(value: Any) -> Any:
    """What json does not know, one level down."""
    if isinstance(value, Missing):
        return {"missing": without_folders(value.why)}
    kind: Any = type(value)
    return _shape_of(kind)(value)


_JSON = json.JSONEncoder(separators=(",", ":"), default=_shape, check_circular=False)


@cache
def _shape_of(kind: Any) -> Callable[[Any], Any]:
    if issubclass(kind, Unlimited):
        return lambda value: "unlimited"
    if issubclass(kind, Mapping):
        return dict
    names = tuple(spec.name for spec in dataclasses.fields(kind))
    values: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
    if kind in ROW_CLASSES:
        return values
    if kind is ListenerReading:
        return lambda listener: _named(names, values(listener)) | {"address": _bare_address(listener.address)}
    return lambda value: _named(names, values(value))


def _named(names: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(names, values, strict=True))


def _bare_address(address: str) -> str:
    """`unix:gunicorn.sock` for a socket in any folder; other addresses as they are."""
    scheme, colon, path = address.partition("unix:")
    return scheme + colon + path.rsplit("/", 1)[-1] if colon else address


def decoded(form: Any, value: Any, rows: Rows = ROWS) -> Any:
    """`value` as the type `form`, its arrays ordered as `rows` say; a FlightFault names what is wrong and where."""
    return _decode_of(form, rows)(value)


@cache
def _decode_of(form: Any, rows: Rows) -> Decode:
    origin, arguments = get_origin(form), get_args(form)
    if form is Any:
        return lambda value: value
    if dataclasses.is_dataclass(form):
        return _row(form, rows) if form in ROW_CLASSES else _object(form, rows)
    if origin in (Union, UnionType):
        return _union(arguments, rows)
    if origin is tuple:
        return _tuple(arguments, rows)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(arguments[0], arguments[1], rows)
    if isinstance(form, type) and issubclass(form, Enum):
        return _enum(form)
    return _plain(form)


def _plain(form: type) -> Decode:
    kinds = (float, int) if form is float else (form,)
    noun = NOUNS[form]

    def decode(value: Any) -> Any:
        # type(), not isinstance(): True is no whole number.
        if type(value) in kinds:
            if type(value) is float and not isfinite(value):
                # json takes NaN, and reads 1e999 as infinity.
                raise FlightFault(f"must be a finite number, is {value}")
            return value
        raise FlightFault(f"must be {noun}, is {_shown(value)}")

    return decode


def _enum(form: type[Enum]) -> Decode:
    members = {member.value: member for member in form}

    def decode(value: Any) -> Any:
        if type(value) is str and value in members:
            return members[value]
        raise FlightFault(f"{_shown(value)} is no {form.__name__} that this autotune knows")

    return decode


def _union(arguments: tuple[Any, ...], rows: Rows) -> Decode:
    others = [form for form in arguments if form not in (NoneType, Missing, Unlimited)]
    if len(others) != 1:
        raise TypeError(f"one kind of value beside missing, unlimited and None, not {arguments}")
    decode_value = _decode_of(others[0], rows)
    nullable, limit, reading = NoneType in arguments, Unlimited in arguments, Missing in arguments

    def decode(value: Any) -> Any:
        if value is None and nullable:
            return None
        if value == "unlimited" and limit:
            return UNLIMITED
        if reading and type(value) is dict and len(value) == 1 and type(value.get("missing")) is str:
            return Missing(value["missing"])
        return decode_value(value)

    return decode


def _tuple(arguments: tuple[Any, ...], rows: Rows) -> Decode:
    decoders = [_decode_of(form, rows) for form in arguments if form is not ...]
    endless = ... in arguments

    def decode(value: Any) -> Any:
        if type(value) is not list:
            raise FlightFault(f"must be an array, is {_shown(value)}")
        if not endless and len(value) != len(decoders):
            raise FlightFault(f"must hold {len(decoders)} values, holds {len(value)}")
        turns = decoders * len(value) if endless else decoders
        return tuple([_inside(f"[{at}]", turns[at], item) for at, item in enumerate(value)])

    return decode


def _mapping(key_form: Any, value_form: Any, rows: Rows) -> Decode:
    decode_key, decode_value = _decode_of(key_form, rows), _decode_of(value_form, rows)

    def decode(value: Any) -> Any:
        items = _as_object(value).items()
        return MappingProxyType({decode_key(key): _inside(f".{key}", decode_value, item) for key, item in items})

    return decode


def _object(form: Any, rows: Rows) -> Decode:
    hints = get_type_hints(form)
    decoders = [(spec.name, _decode_of(hints[spec.name], rows)) for spec in dataclasses.fields(form)]
    required = _required(form)

    def decode(value: Any) -> Any:
        given = _as_object(value)
        for name in required:
            if name not in given:
                raise FlightFault(f"missing field {name}")
        return _built(form, {name: _inside(f".{name}", read, given[name]) for name, read in decoders if name in given})

    return decode


def _row(form: Any, rows: Rows) -> Decode:
    hints = get_type_hints(form)
    names = dict(rows).get(form.__name__, ())
    decoders = [(at, name, _decode_of(hints[name], rows)) for at, name in enumerate(names) if name in hints]
    lost = [name for name in _required(form) if name not in names]

    def decode(value: Any) -> Any:
        if lost:
            raise FlightFault(f"missing field {lost[0]} of {form.__name__}")
        if type(value) is not list or len(value) != len(names):
            raise FlightFault(f"must be an array of {len(names)} values, is {_shown(value)}")
        return _built(form, {name: _inside(f".{name}", read, value[at]) for at, name, read in decoders})

    return decode


def _required(form: Any) -> list[str]:
    absent = dataclasses.MISSING
    return [spec.name for spec in dataclasses.fields(form) if spec.default is absent and spec.default_factory is absent]


def _built(form: Any, values: dict[str, Any]) -> Any:
    try:
        return form(**values)
    except ValueError as error:
        raise FlightFault(str(error)) from None


def _as_object(value: Any) -> dict[str, Any]:
    if type(value) is dict:
        return value
    raise FlightFault(f"must be an object, is {_shown(value)}")


def _inside(where: str, decode: Decode, value: Any) -> Any:
    """`decode(value)`, a fault told with the way to it: `.workers[3].pid: must be ...`."""
    try:
        return decode(value)
    except FlightFault as fault:
        text = str(fault)
        raise FlightFault(where + text if text.startswith((".", "[")) else f"{where}: {text}") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
