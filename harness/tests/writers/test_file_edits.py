"""Patches as changes of a file: exact in every form that YAML and JSON have, or not made."""

from __future__ import annotations

import json

import jsonpatch
import pytest
import yaml

from harness.decode.manifests import read
from harness.model.patch import Operation, Patch, Value, append, move, patch, put, take_out
from harness.model.resource import Resource
from harness.tests.edited import edited
from harness.writers.file_edits import file_edits


def only(text: str) -> Resource:
    resources, unread = read(text.encode(), "any.yaml")
    assert unread == []
    return resources[-1]


def changed(text: str, *operations: Operation) -> str:
    """*text* after the operations on its last object; '' where they are not made."""
    changes = file_edits(Patch(only(text), operations), text)
    return edited(text, changes) if changes else ""


SET = (
    ("a: 1\nspec:\n  b: old\n", ("spec", "b"), "new", 'a: 1\nspec:\n  b: "new"\n'),
    ("spec:\n  b: 'o''ld'  # why\n", ("spec", "b"), True, "spec:\n  b: true  # why\n"),
    ("spec:\n  b:\n", ("spec", "b"), "new", 'spec:\n  b: "new"\n'),
    ("spec:\n  b: 1\n", ("spec", "c/d"), ["x"], 'spec:\n  c/d: ["x"]\n  b: 1\n'),
    ("spec:\n  b: 1\n", ("spec", "1 c"), False, 'spec:\n  "1 c": false\n  b: 1\n'),
    ("spec: {b: 1}\n", ("spec", "c"), "x", 'spec: {"c": "x", b: 1}\n'),
    ("spec: {}\n", ("spec", "c"), "x", 'spec: {"c": "x"}\n'),
    ("é: 1\nspec: {\U0001f600: é, b: x}\n", ("spec", "b"), "y", 'é: 1\nspec: {\U0001f600: é, b: "y"}\n'),
    ("l:\n- a: 1\n  b: 2\n", ("l", 0, "c"), "x", 'l:\n- c: "x"\n  a: 1\n  b: 2\n'),
    ("l: [a, b]\n", ("l", 1), "x", 'l: [a, "x"]\n'),
    ('{"spec":\t{"b": "o\\u0041"}}', ("spec", "b"), "x", '{"spec":\t{"b": "x"}}'),
    ("\ufeffb: 1\r\nc: 2\r\n", ("c",), "x", '\ufeffb: 1\r\nc: "x"\r\n'),
    # Lists and mappings
    ("b:\n- 1\n- 2\nc: 3\n", ("b",), ["x"], 'b: ["x"]\nc: 3\n'),
    ("b:  # why\n  d: 1\n\n  # e\n  e: 2\n# c\nc: 3\n", ("b",), "x", 'b: "x"\n# c\nc: 3\n'),
    ("b: {c: [1, ']'],\n  d: 2}\ne: 3\n", ("b",), "x", 'b: "x"\ne: 3\n'),
    ('{"b": ["]", "\\"", 1], "c": 2}', ("b",), ["x"], '{"b": ["x"], "c": 2}'),
    # Another value may hang on these, or where they end is not known.
    ("b: &x 1\nc: *x\n", ("b",), "x", ""),
    ("b: &x\n  d: 1\nc: *x\n", ("b", "d"), "x", ""),
    ("b: &x\n  d: 1\nc:\n  <<: *x\n", ("b", "e"), "x", ""),
    ("b: !!str 1\n", ("b",), "x", ""),
    ("b: |\n  text\n", ("b",), "x", ""),
    ("b: one\n  two\n", ("b",), "x", ""),
    ('{"a": "\\ud83d\\ude00", "b": 1}', ("b",), "x", ""),
    ("a: \x85b: 1\nc: 2\n", ("c",), "x", ""),
)
REMOVED = (
    ("a: 1\nb: 2\nc: 3\n", ("b",), "a: 1\nc: 3\n"),
    ("a: 1\nb:\n  d:\n  - 1\n  # of d\n\n# of c\nc: 3\n", ("b",), "a: 1\n  # of d\n\n# of c\nc: 3\n"),
    ("a: 1\nb:\n- x\n- y\nc: 3\n", ("b",), "a: 1\nc: 3\n"),
    ("a: 1\nb: |\n  # text\n  - b\n\nc: 3\n", ("b",), "a: 1\n\nc: 3\n"),
    ("a: 1\nb: one\n  two\n", ("b",), "a: 1\n"),
    ("l:\n- b: 1\n  c: 2\n- d: 3\n", ("l", 0, "b"), "l:\n- c: 2\n- d: 3\n"),
    ("l:\n- b: 1\n  # why\n  c: 2\n", ("l", 0, "b"), "l:\n- c: 2\n"),
    ("l:\n- b: 1\n  c: 2\n- d: 3\n", ("l", 0, "c"), "l:\n- b: 1\n- d: 3\n"),
    ("a: {b: 1, c: 2, d: 3}\n", ("a", "c"), "a: {b: 1, d: 3}\n"),
    ("a: {b: 1, c: 2}\n", ("a", "c"), "a: {b: 1}\n"),
    ("a: {c: 2}\n", ("a", "c"), "a: {}\n"),
    ("a: {xc: 1, c: [2, {d: ','}], e: 3}\n", ("a", "c"), "a: {xc: 1, e: 3}\n"),
    ('{"a": {"b": "c: 1, ", "c": 1}}', ("a", "c"), '{"a": {"b": "c: 1, "}}'),
    ('{\n "a": 1,\n "b": 2\n}\n', ("a",), '{\n "b": 2\n}\n'),
    ('{\n "a": 1,\n "b": {\n  "c": 2\n },\n "d": 3\n}\n', ("b",), '{\n "a": 1,\n "d": 3\n}\n'),
    ('{\n "a": 1,\n "b": {\n  "c": 2\n }\n}\n', ("b",), '{\n "a": 1\n}\n'),
    ('{\n "a": {\n  "c": 2\n }\n}\n', ("a", "c"), '{\n "a": {\n  \n }\n}\n'),
    ("a: &x 1\nb: 2\n", ("a",), "b: 2\n"),
    ("a: {b: 1,\n  c: 2}\n", ("a", "b"), "a: {\n  c: 2}\n"),
    ("x: 1\n---\na: 1\nb: 2\n", ("a",), "x: 1\n---\nb: 2\n"),
    # The mapping would be null; or where the member ends is not known.
    ("a:\n  b: 1\n", ("a", "b"), ""),
    ("a: &x 1\nb: *x\n", ("a",), ""),
)
OTHERS: tuple[tuple[str, tuple[Operation, ...], str], ...] = (
    ("d: [a]\n", (append(only("d: [a]"), ["x"], "d")[0],), 'd: [a, "x"]\n'),
    ("d: [\n  a,\n  b\n]\n", (append(only("d: [a]"), ["x"], "d")[0],), 'd: [\n  a,\n  b, "x"\n]\n'),
    ("s:\n  d:\n  - a\n  # why\n  e: 1\n", tuple(append(only("s: {d: [a]}"), ["x"], "s", "d")), "-"),
    ("d:\n    - a:\n        b\nc: 1\n", (append(only("d: [a]"), ["x"], "d")[0],), "-"),
    ("d: []\n", (put(only("d: []"), ["x"], "d"),), 'd: ["x"]\n'),
    ("s:\n  a: 1  # why\n  b: 2\n", (move(("s", "a"), ("s", "c")),), "s:\n  c: 1  # why\n  b: 2\n"),
    ('{"s": {"a": [1], "b": 2}}', (move(("s", "a"), ("s", "c")),), '{"s": {"c": [1], "b": 2}}'),
    ("s:\n  a: 1\n  t: {b: 2}\n", (move(("s", "a"), ("s", "t", "a")),), ""),
    (
        "s:\n  m:\n    - 1\n    - x: |\n        y\n  b: 2\n",
        (put(only("s: {m: 1}"), {}, "s", "n"), move(("s", "m"), ("s", "n", "m"))),
        "s:\n  n:\n    m:\n      - 1\n      - x: |\n          y\n  b: 2\n",
    ),
    (
        '{"s": {"m": {"x": 1}}}',
        (put(only("s: {m: 1}"), {}, "s", "n"), move(("s", "m"), ("s", "n", "m"))),
        '{"s": {"n": {"m": {"x": 1}}}}',
    ),
    (
        "spec:\n  old: 1\n  other: 2\n",
        (take_out("spec", "old"), put(only("spec: {old: 1}"), True, "spec", "new")),
        "spec:\n  new: true\n  other: 2\n",
    ),
    ("spec:\n  old: 1\n", (take_out("spec", "old"), put(only("spec: {old: 1}"), True, "spec", "new")), ""),
)


@pytest.mark.parametrize(("text", "path", "value", "right"), SET)
def test_a_value_is_set(text: str, path: tuple[str | int, ...], value: Value, right: str) -> None:
    assert changed(text, put(only(text), value, *path)) == right


@pytest.mark.parametrize(("text", "path", "right"), REMOVED)
def test_a_member_is_removed(text: str, path: tuple[str | int, ...], right: str) -> None:
    assert changed(text, take_out(*path)) == right


@pytest.mark.parametrize(("text", "operations", "right"), OTHERS)
def test_lists_grow_and_members_move(text: str, operations: tuple[Operation, ...], right: str) -> None:
    found = changed(text, *operations)
    assert bool(found) is bool(right)
    if right != "-":
        assert found == right
    if found:
        written = json.loads(json.dumps(patch(only(text), *operations).document()))
        assert yaml.safe_load(found) == jsonpatch.apply_patch(yaml.safe_load(text), written)


def test_a_file_that_has_changed_since_is_left_alone() -> None:
    before, after = "a: 1\nspec:\n  b: old\n", "a: 1\n# new\nspec:\n  b: old\n"
    made = Patch(only(before), (put(only(before), "new", "spec", "b"),))
    assert file_edits(made, before)
    assert file_edits(made, "") == [] and file_edits(made, "- 1\n") == []
    assert edited(after, file_edits(made, after)) in (after, 'a: 1\n# new\nspec:\n  b: "new"\n')


def test_a_document_that_is_large_is_left_to_the_patch() -> None:
    text = f"a: 1\nb: {'x' * 600_000}\n"
    assert file_edits(Patch(only(text), (take_out("a"),)), text) == []
