"""The form of data: what fits, what does not, and in which words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest

from harness.decode.shape import misfit, read


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Wheel(TypedDict):
    spokes: int
    colour: NotRequired[Annotated[str, Colour]]


class Parts(TypedDict, total=False):
    bell: str
    spare: Parts
    wheels: list[Wheel]


class Bicycle(Parts):
    kind: Literal["bicycle"]
    owner: str | None
    weight: float
    sold: bool
    words: dict[str, list[str]]
    anything: Any


def bicycle(**changes: Any) -> dict[str, Any]:
    made = {"kind": "bicycle", "owner": None, "weight": 1, "sold": False, "words": {}, "anything": object()}
    return {**made, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"owner": "I"},
        {"weight": 1.5},
        {"words": {"a": ["b"], "c": []}},
        {"wheels": [{"spokes": 3}, {"spokes": 4, "colour": "red"}]},
        {"unknown": 1},
        {"wheels": [{"spokes": 3, "unknown": 1}]},
    ],
)
def test_what_fits(changes: dict[str, Any]) -> None:
    assert misfit(bicycle(**changes), Bicycle) == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "car"}, "kind is 'car', not 'bicycle'"),
        ({"kind": ["bicycle"]}, "kind is \"['bicycle']\", not 'bicycle'"),
        ({"owner": 5}, "owner is an integer, not text"),
        ({"weight": "heavy"}, "weight is text, not a number"),
        ({"weight": True}, "weight is true or false, not a number"),
        ({"sold": 1}, "sold is an integer, not true or false"),
        ({"bell": None}, "bell is null, not text"),
        ({"spare": {"spare": {"bell": 1}}}, "spare.spare.bell is an integer, not text"),
        ({"words": []}, "words is an array, not an object"),
        ({"words": {"a": "b"}}, "words.a is text, not an array"),
        ({"words": {"a": ["b", 1.5]}}, "words.a[1] is a number, not text"),
        ({"wheels": {}}, "wheels is an object, not an array"),
        ({"wheels": [{"spokes": 3}, 4]}, "wheels[1] is an integer, not an object"),
        ({"wheels": [{}]}, "wheels[0].spokes is missing"),
        ({"wheels": [{"spokes": 3, "colour": "pink"}]}, "wheels[0].colour is 'pink', not 'red' or 'blue'"),
    ],
)
def test_what_does_not(changes: dict[str, Any], message: str) -> None:
    assert misfit(bicycle(**changes), Bicycle) == message


@pytest.mark.parametrize("name", ["kind", "owner", "weight", "sold", "words", "anything"])
def test_what_is_missing(name: str) -> None:
    left = {key: value for key, value in bicycle().items() if key != name}
    assert misfit(left, Bicycle) == f"{name} is missing"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "it is null, not an object"),
        ([], "it is an array, not an object"),
        (3, "it is an integer, not an object"),
    ],
)
def test_what_is_no_object(data: object, message: str) -> None:
    assert misfit(data, Bicycle) == message


def test_a_loose_form() -> None:
    """Its texts and numbers are compared, what it is made of is not."""
    assert misfit({"wheels": 5}, Parts) == "wheels is an integer, not an array"
    assert misfit({"wheels": 5}, Parts, loose=(Parts,)) == ""
    assert misfit({"bell": 5}, Parts, loose=(Parts,)) == "bell is an integer, not text"


@dataclass(frozen=True)
class Engine:
    kind: Literal["steam", "electric"] = "steam"
    power: float = 1.0


@dataclass(frozen=True)
class Train:
    name: str
    cars: tuple[int, ...] = ()
    stops: Mapping[str, int] = field(default_factory=dict)
    engine: Engine = field(default_factory=Engine)
    spare: Engine | None = None


def test_a_dataclass_is_made_of_what_fits() -> None:
    assert read({"name": "a"}, Train) == Train("a")
    data = {"name": "a", "cars": [1, 2], "stops": {"b": 3}, "engine": {"kind": "electric", "power": 2}, "spare": {}}
    assert read(data, Train) == Train("a", (1, 2), {"b": 3}, Engine("electric", 2), Engine())
    assert read({"name": "a", "spare": None}, Train) == Train("a")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "it is an array, not an object"),
        ({}, "name is missing"),
        ({"name": "a", "colour": "red"}, "colour is unknown"),
        ({"name": "a", "cars": ["b"]}, "cars[0] is text, not an integer"),
        ({"name": "a", "stops": {"b": None}}, "stops.b is null, not an integer"),
        ({"name": "a", "engine": {"kind": "diesel"}}, "engine.kind is 'diesel', not 'steam' or 'electric'"),
        ({"name": "a", "spare": {"wheels": 4}}, "spare.wheels is unknown"),
    ],
)
def test_a_dataclass_is_not_made_of_anything_else(data: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read(data, Train)
