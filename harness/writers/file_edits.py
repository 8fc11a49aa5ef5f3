"""A patch as changes of the text of its file.

Each change is exact or not made at all: the changed text is read again, and has to hold what the patch makes of the
object, and every other object as it was.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import TypeAlias

from harness.decode.manifests import read
from harness.model.edit import Edit
from harness.model.patch import Op, Operation, Patch, Step, Value
from harness.model.resource import Located, Resource
from harness.writers.spans import Spans

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | bool | None"
_LONGEST = 128 * 1024
"""Of a document, in characters: it is read again for each patch."""
_MARK = re.compile(r"(---|\.\.\.)(\s|$)")
_ODD_LINES = re.compile("[\x85\u2028\u2029\ufeff]|\r(?!\n)")


@dataclass(frozen=True)
class _File:
    """The lines of a file, where its documents begin and end, and how many characters there are before each line."""

    lines: list[str]
    marks: list[int]
    before: list[int]

    def document(self, line: int) -> tuple[int, int]:
        """The lines of the document that has *line* (from 1), from and up to without."""
        place = bisect_left(self.marks, line)
        first = self.marks[place - 1] + 1 if place else 0
        return first, self.marks[place] if place < len(self.marks) else len(self.lines)


@lru_cache(maxsize=1)
def _file(text: str) -> _File | None:
    """*text*, None where its lines are not those of every reader."""
    if _ODD_LINES.search(text, 1 if text.startswith("\ufeff") else 0):
        return None
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    marks = [number for number, each in enumerate(lines) if _MARK.match(each)]
    return _File(lines, marks, [0, *accumulate(map(len, lines))])


@lru_cache(maxsize=1)
def _before(text: str, first: int, last: int) -> tuple[list[str], list[tuple[Resource, Plain]]]:
    """The lines of one document of *text*, and the objects that it holds."""
    file = _file(text)
    lines = file.lines[first:last] if file is not None else []
    return lines, _objects(lines)


def file_edits(patch: Patch, text: str) -> list[Edit]:
    """What to change in *text*, the file that *patch* is for; [] where that is not certain."""
    file = _file(text)
    if file is None:
        return []
    first, last = file.document(patch.resource.root.line)
    if file.before[last] - file.before[first] > _LONGEST:
        return []
    lines, objects = _before(text, first, last)
    found = [place for place, (each, _) in enumerate(objects) if each.root.line == patch.resource.root.line - first]
    if len(found) != 1:
        return []
    here = Patch(objects[found[0]][0], patch.operations)
    wanted = [plain for _, plain in objects]
    wanted[found[0]] = deepcopy(wanted[found[0]])
    made = Spans(lines).edits(here)
    carried_out = all(_carried_out(wanted[found[0]], operation) for operation in patch.operations)
    if not made or not carried_out or not _exact(wanted, lines, made):
        return []
    return [replace(each, line=each.line + first, last=(each.last or each.line) + first) for each in made]


def _objects(lines: Sequence[str]) -> list[tuple[Resource, Plain]]:
    resources, unread = read("\n".join(lines).encode("utf-8", "replace"), "")
    return [] if unread else [(each, _plain(each.root)) for each in resources]


def _plain(value: Located) -> Plain:
    if isinstance(value.value, Mapping):
        return {key: _plain(each) for key, each in value.value.items()}
    return [_plain(each) for each in value.value] if isinstance(value.value, list) else _scalar(value)


def _scalar(value: Located) -> Plain:
    return value.value if isinstance(value.value, str | bool) else None


def _json(lines: Sequence[str]) -> bool:
    try:
        json.loads("\n".join(lines))
    except (ValueError, RecursionError):
        return False
    return True


def _exact(wanted: Sequence[Plain], lines: Sequence[str], made: Sequence[Edit]) -> bool:
    """Whether the *lines* with what is *made* hold what is *wanted*."""
    changed = applied(lines, made)
    if _json(lines) and not _json(changed):
        return False  # YAML takes a comma too many, JSON does not
    return [plain for _, plain in _objects(changed)] == wanted


def applied(lines: Sequence[str], made: Sequence[Edit]) -> list[str]:
    """*lines* with the changes that are *made*."""
    text = list(lines)
    for each in sorted(made, key=lambda one: (one.line, one.column), reverse=True):
        end = each.last or each.line
        tail = text[end - 1][each.end - 1 :] if end <= len(text) else ""
        changed = text[each.line - 1][: each.column - 1] + each.text + tail
        text[each.line - 1 : end] = changed.split("\n")
    return text


def _carried_out(root: Plain, operation: Operation) -> bool:
    """Have *operation* done to *root*; False where it does not fit."""
    value: Plain = _value(operation.value)
    if operation.op is Op.MOVE:
        holder, key = _holder(root, operation.origin)
        if not isinstance(holder, dict) or key not in holder:
            return False
        value = holder.pop(str(key))
    holder, key = _holder(root, operation.path)
    if isinstance(holder, list):
        return _in_list(holder, key, operation.op, value)
    if not isinstance(holder, dict) or not isinstance(key, str):
        return False
    if operation.op is Op.REMOVE:
        return holder.pop(key, ...) is not ...
    holder[key] = value
    return True


def _in_list(holder: list[Plain], key: Step, op: Op, value: Plain) -> bool:
    if key == "-" and op is Op.ADD:
        holder.append(value)
    elif isinstance(key, int) and op is Op.REPLACE and key < len(holder):
        holder[key] = value
    else:
        return False
    return True


def _holder(root: Plain, path: Sequence[Step]) -> tuple[Plain, Step]:
    for step in path[:-1]:
        if isinstance(root, dict) and isinstance(step, str):
            root = root.get(step)
        elif isinstance(root, list) and isinstance(step, int) and step < len(root):
            root = root[step]
        else:
            return None, ""
    return root, path[-1]


def _value(value: Value) -> Plain:
    if isinstance(value, Mapping):
        return {key: _value(each) for key, each in value.items()}
    if isinstance(value, str | bool) or value is None:
        return value
    return [_value(each) for each in value]
