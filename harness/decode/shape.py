"""Whether data read from JSON has the form that a TypedDict or a dataclass declares, and where it differs.  Pure.

The form is declared once, for mypy and for the reader: ``Annotated[str, SomeEnum]`` is a text that the enumeration has,
a float may be written as an integer.
An object for a TypedDict may have more members than that knows; one for a dataclass, which is made of it, may not.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as hints_of
from typing import is_typeddict as is_form

T = TypeVar("T")
_Check = Callable[[object, str], str]
_WORDS = {str: "text", bool: "true or false", int: "an integer", float: "a number", types.NoneType: "null"}
_FOUND = {**_WORDS, dict: "an object", list: "an array"}


def misfit(data: object, form: Any, loose: Collection[Any] = ()) -> str:
    """Where *data* differs from *form*, in words; '' where it does not.

    Of a *loose* form only the texts, numbers and truth values are compared: its readers need no more.

    """
    return _check(form, frozenset(loose))(data, "")


def read(data: object, form: type[T]) -> T:
    """The dataclass *form* that *data* describes; raises ValueError, which says where it does not."""
    if wrong := misfit(data, form):
        raise ValueError(wrong)
    made: T = _made(data, form)
    return made


def _made(data: Any, form: Any) -> Any:
    """*data*, which fits, with its objects as dataclasses and its arrays as tuples where *form* has them."""
    origin, parts = get_origin(form), get_args(form)
    if is_dataclass(form):
        hints = hints_of(form)
        return form(**{name: _made(item, hints[name]) for name, item in data.items()})  # type: ignore[operator]
    if origin in (Union, types.UnionType):
        return _made(data, next(part for part in parts if not misfit(data, part)))
    if origin is tuple:
        return tuple(_made(item, parts[0]) for item in data)
    return {name: _made(item, parts[1]) for name, item in data.items()} if origin is Mapping else data


@cache
def _check(form: Any, loose: frozenset[Any]) -> _Check:
    origin = get_origin(form)
    if is_form(form) or is_dataclass(form):
        return _object(form, loose)
    if origin in (Union, types.UnionType):
        return _any_of([_check(one, loose) for one in get_args(form)])
    if origin is Literal:
        return _one_of(get_args(form))
    if origin is Annotated:
        kind, values = get_args(form)
        assert issubclass(values, Enum) and kind is str
        return _one_of(tuple(str(member.value) for member in values))
    if origin in (list, tuple):
        return _array(_check(get_args(form)[0], loose))
    if origin in (dict, Mapping):
        return _mapping(_check(get_args(form)[1], loose))
    return _anything if form is Any else _plain(form)


@cache
def _members(form: Any, loose: frozenset[Any]) -> tuple[frozenset[str], dict[str, _Check]]:
    """The names that must be there, and what each member has to be."""
    members: dict[str, _Check] = {}
    hints = hints_of(form, include_extras=True)
    if is_dataclass(form):
        required = {one.name for one in fields(form) if one.default is one.default_factory is MISSING}
        return frozenset(required), {one.name: _check(hints[one.name], loose) for one in fields(form)}
    required = set(form.__required_keys__)
    for name, hint in hints.items():
        kind = hint
        if get_origin(hint) is NotRequired:
            # Annotations that are strings hide this from __required_keys__.
            required.discard(name)
            kind = get_args(hint)[0]
        if form not in loose or kind in _WORDS:
            members[name] = _check(kind, loose)
    return frozenset(required), members


def _object(form: Any, loose: frozenset[Any]) -> _Check:
    closed = is_dataclass(form)

    def check(data: object, place: str) -> str:
        if not isinstance(data, dict):
            return _wrong(data, place, "an object")
        before = f"{place}." if place else ""
        # Looked up when it is needed, since a form may hold itself.
        required, members = _members(form, loose)
        if missing := required - data.keys():
            return f"{before}{min(missing)} is missing"
        if closed and (unknown := data.keys() - members.keys()):
            return f"{before}{min(unknown)} is unknown"
        for name, item in data.items():
            member = members.get(name)
            if member is not None and (wrong := member(item, f"{before}{name}")):
                return wrong
        return ""

    return check


def _array(item: _Check) -> _Check:
    def check(data: object, place: str) -> str:
        if not isinstance(data, list):
            return _wrong(data, place, "an array")
        return next((wrong for number, one in enumerate(data) if (wrong := item(one, f"{place}[{number}]"))), "")

    return check


def _mapping(value: _Check) -> _Check:
    def check(data: object, place: str) -> str:
        if not isinstance(data, dict):
            return _wrong(data, place, "an object")
        before = f"{place}." if place else ""
        return next((wrong for name, one in data.items() if (wrong := value(one, f"{before}{name}"))), "")

    return check


def _any_of(checks: list[_Check]) -> _Check:
    def check(data: object, place: str) -> str:
        wrong = [one(data, place) for one in checks]
        return "" if "" in wrong else wrong[0]

    return check


def _one_of(values: tuple[object, ...]) -> _Check:
    *others, last = map(repr, values)
    words = f"{', '.join(others)} or {last}" if others else last

    def check(data: object, place: str) -> str:
        if isinstance(data, str) and data in values:
            return ""
        return f"{place} is {str(data)[:40]!r}, not {words}"

    return check


def _plain(kind: Any) -> _Check:
    accepted = (int, float) if kind is float else (kind,)

    def check(data: object, place: str) -> str:
        return "" if type(data) in accepted else _wrong(data, place, _WORDS[kind])

    return check


def _anything(data: object, place: str) -> str:
    return ""


def _wrong(data: object, place: str, wanted: str) -> str:
    return f"{place or 'it'} is {_FOUND.get(type(data), 'something else')}, not {wanted}"
