"""A patch as changes of the text of its file.

Each change is exact or not made at all: the changed text is read again, and has to hold what the patch makes of the
object, and every other object as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from harness.decode.manifests import read
from harness.model.edit import Edit
from harness.model.patch import Op, Operation, Patch, Step, Value
from harness.model.resource import Located, Resource
from harness.writers.spans import Spans

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | bool | None"
_LONGEST = 512 * 1024
"""Of a document, in characters: it is read twice for each patch."""
_MARK = re.compile(r"(---|\.\.\.)(\s|$)")
_ODD_LINES = re.compile("[\x85\u2028\u2029\ufeff]|\r(?!\n)")


def file_edits(patch: Patch, text: str) -> list[Edit]:
    """What to change in *text*, the file that *patch* is for; [] where that is not certain."""
    text = text.removeprefix("\ufeff")
    if _ODD_LINES.search(text):
        return []
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    first, last = _document(lines, patch.resource.root.line)
    part = lines[first:last]
    if sum(map(len, part)) > _LONGEST:
        return []
    found = [each for each, _ in _objects(part) if each.root.line == patch.resource.root.line - first]
    if len(found) != 1:
        return []
    here = Patch(found[0], patch.operations)
    made = Spans(part).edits(here)
    if not made or not _exact(here, part, made):
        return []
    return [replace(each, line=each.line + first, last=(each.last or each.line) + first) for each in made]


def _document(lines: Sequence[str], line: int) -> tuple[int, int]:
    """The lines of the document that has *line* (from 1), from and up to without."""
    marks = [number for number, each in enumerate(lines) if _MARK.match(each)]
    first = max((number + 1 for number in marks if number < line), default=0)
    return first, min((number for number in marks if number >= line), default=len(lines))


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


def _exact(patch: Patch, lines: Sequence[str], made: Sequence[Edit]) -> bool:
    """Whether the *lines* with what is *made* hold what the patch asks for, and nothing else is different."""
    changed = applied(lines, made)
    if _json(lines) and not _json(changed):
        return False  # YAML takes a comma too many, JSON does not
    before, after = _objects(lines), _objects(changed)
    number = next(place for place, (each, _) in enumerate(before) if each.root.line == patch.resource.root.line)
    wanted = [plain for _, plain in before]
    for operation in patch.operations:
        if not _carried_out(wanted[number], operation):
            return False
    return [plain for _, plain in after] == wanted


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
