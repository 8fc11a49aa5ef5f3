"""Where in the lines of a document a member of a mapping or a list stands, and what changes it there.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.model.edit import Edit, edit
from harness.model.patch import Op, Operation, Patch, Step
from harness.model.resource import Located

_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\"""")


@dataclass(frozen=True)
class _Key:
    """A key on ``line`` from ``column``; its value comes after ``colon``."""

    line: int
    column: int
    colon: int


class Spans:
    """The lines of a document, and where in them a member of a mapping or a list begins and ends."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def edits(self, patch: Patch) -> list[Edit]:
        """What carries out every operation of *patch*; [] where one cannot be."""
        root = patch.resource.root
        if wrapped := self._wrapped(root, patch.operations):
            return [wrapped]
        gone = [each.path for each in patch.operations if each.op is Op.REMOVE]
        made = [self._edit(root, each, gone) for each in patch.operations]
        found = [each for each in made if each is not None]
        return found if len(found) == len(made) and _apart(found) else []

    def _edit(self, root: Located, operation: Operation, gone: Sequence[tuple[Step, ...]]) -> Edit | None:
        if operation.op is Op.REMOVE:
            return self._removed(root, operation.path)
        if operation.op is Op.MOVE:
            return self._renamed(root, operation)
        written = json.dumps(operation.value, ensure_ascii=False)
        if operation.path[-1] == "-":
            return self._appended(root.at(*operation.path[:-1]), written)
        present = root.at(*operation.path)
        if present is not None and isinstance(present.value, Mapping | list):
            return self._replaced(root, operation.path, present, written)
        return self._beside(root, operation, gone, written) if gone else edit(root, operation)

    def _beside(
        self, root: Located, operation: Operation, gone: Sequence[tuple[Step, ...]], written: str
    ) -> Edit | None:
        """A new key, before the first that stays."""
        above = root.at(*operation.path[:-1])
        if above is None or above.end or root.at(*operation.path) is not None:
            return edit(root, operation)
        staying = [key for key in above.fields() if (*operation.path[:-1], key) not in gone]
        key = self._key(above, staying[0]) if staying else None
        if key is None:
            return None
        return Edit(key.line, key.column, key.column, f"{operation.path[-1]}: {written}\n{' ' * (key.column - 1)}")

    def _key(self, above: Located, name: str) -> _Key | None:
        """Where the key *name* of the mapping *above* stands."""
        value = above.at(name)
        if value is None or not above.column:
            return None
        token = f"(?:{re.escape(name)}|\"{re.escape(name)}\"|'{re.escape(name)}')"
        if above.end:  # between brackets
            before = self._lines[value.line - 1][: max(value.column - 1, 0)]
            found = re.search(rf"(?<![\w./-]){token}\s*:\s*$", before)
            return _Key(value.line, found.start() + 1, found.end() + 1) if found else None
        for line in range(value.line, above.line - 1, -1):
            text = self._lines[line - 1]
            found = re.match(rf"{token}\s*:(?=\s|$)", text[above.column - 1 :])
            if found and not text[: above.column - 1].strip(" -"):
                return _Key(line, above.column, above.column + found.end())
        return None

    def _last(self, line: int, column: int, dashes: bool) -> int:
        """The last line of what begins on *line* and is indented deeper than *column*, or has a dash there."""
        last = line
        for number in range(line + 1, len(self._lines) + 1):
            text = self._lines[number - 1].lstrip(" ")
            indent = len(self._lines[number - 1]) - len(text)
            if not text.strip() or (text.startswith("#") and indent < column):
                continue
            if indent < column and not (dashes and indent == column - 1 and re.match(r"-(\s|$)", text)):
                break
            if not text.startswith("#"):
                last = number
        return last

    def _removed(self, root: Located, path: Sequence[Step]) -> Edit | None:
        above, name = root.at(*path[:-1]), path[-1]
        if above is None or not isinstance(name, str) or (key := self._key(above, name)) is None:
            return None
        value = above.fields()[name]
        if above.end:
            return self._cut(key, value)
        if len(above.fields()) == 1:
            return None  # the mapping would become null
        last = self._last(key.line, key.column, isinstance(value.value, list))
        if not self._lines[key.line - 1][: key.column - 1].strip():
            return Edit(key.line, 1, 1, "", last + 1) if last < len(self._lines) else None
        # The first key after a dash: the next one takes its place.
        for number in range(last + 1, len(self._lines) + 1):
            text = self._lines[number - 1]
            if text.strip() and not text.lstrip().startswith("#"):
                return (
                    Edit(key.line, key.column, key.column, "", number) if not text[: key.column - 1].strip() else None
                )
        return None

    def _cut(self, key: _Key, value: Located) -> Edit | None:
        """A member out of brackets, with the comma after it, else before it."""
        last, end = self._end(value)
        if not last:
            return None
        head, tail = self._lines[key.line - 1][: key.column - 1], self._lines[last - 1][end - 1 :]
        if after := re.match(r"\s*,[ \t]*", tail):
            if not head.strip() and not tail[after.end() :].strip() and last < len(self._lines):
                return Edit(key.line, 1, 1, "", last + 1)
            return Edit(key.line, key.column, end + after.end(), "", last)
        line, before = key.line, head.rstrip()
        while not before and line > 1:
            line -= 1
            before = self._lines[line - 1].rstrip()
        comma = before.endswith(",")
        return Edit(line, len(before), end, "", last) if comma else Edit(key.line, key.column, end, "", last)

    def _end(self, value: Located) -> tuple[int, int]:
        """Where a scalar of one line, or what is between brackets, ends; (0, 0) where that is not known."""
        if not value.end or not value.column:
            return 0, 0
        if not isinstance(value.value, Mapping | list):
            return value.line, value.end
        depth, column = 0, value.column - 1
        for number in range(value.line, len(self._lines) + 1):
            text = _QUOTED.sub(lambda found: "." * len(found[0]), self._lines[number - 1])
            for place in range(column, len(text)):
                depth += (text[place] in "[{") - (text[place] in "]}")
                if not depth:
                    return number, place + 2
            column = 0
        return 0, 0

    def _replaced(self, root: Located, path: Sequence[Step], present: Located, written: str) -> Edit | None:
        above, name = root.at(*path[:-1]), path[-1]
        if present.end:
            line, end = self._end(present)
            return Edit(present.line, present.column, end, written, line) if line else None
        if above is None or above.end or not isinstance(name, str) or (key := self._key(above, name)) is None:
            return None
        last = self._last(key.line, key.column, isinstance(present.value, list))
        return Edit(key.line, key.colon, len(self._lines[last - 1]) + 1, f" {written}", last)

    def _appended(self, present: Located | None, written: str) -> Edit | None:
        if present is None or not isinstance(present.value, list) or not present.column:
            return None
        if present.end:
            last = present.value[-1] if present.value else None
            line, end = self._end(last or present)
            place = end if last else end - 1
            return Edit(line, place, place, f", {written}" if last else written, line) if line else None
        last = self._last(present.line, present.column, dashes=True)
        column = len(self._lines[last - 1]) + 1
        return Edit(last, column, column, f"\n{' ' * (present.column - 1)}- {written}", last)

    def _wrapped(self, root: Located, operations: Sequence[Operation]) -> Edit | None:
        """A new mapping in the place of a key, which moves into it."""
        if len(operations) != 2 or [each.op for each in operations] != [Op.ADD, Op.MOVE]:
            return None
        made, moved = operations
        above, name = root.at(*made.path[:-1]), moved.origin[-1]
        inside = moved.path == (*made.path, name) and moved.origin[:-1] == made.path[:-1]
        if made.value != {} or not inside or root.at(*made.path) is not None or above is None:
            return None
        key = self._key(above, str(name))
        if key is None:
            return None
        value, line = above.fields()[str(name)], self._lines[key.line - 1]
        if above.end:
            last, end = self._end(value)
            new = json.dumps(made.path[-1]) if line[key.column - 1] == '"' else made.path[-1]
            return (
                Edit(key.line, key.column, end, f"{new}: {{{line[key.column - 1 : end - 1]}}}")
                if last == key.line
                else None
            )
        last = self._last(key.line, key.column, isinstance(value.value, list))
        rest = "".join(f"\n  {each}" for each in self._lines[key.line : last])
        text = f"{made.path[-1]}:\n{' ' * (key.column + 1)}{line[key.column - 1 :]}{rest}"
        return Edit(key.line, key.column, len(self._lines[last - 1]) + 1, text, last)

    def _renamed(self, root: Located, operation: Operation) -> Edit | None:
        """A key with another name in its mapping; what moves elsewhere is left to the patch."""
        above, name, new = root.at(*operation.path[:-1]), operation.origin[-1], operation.path[-1]
        if operation.origin[:-1] != operation.path[:-1] or above is None or not isinstance(name, str):
            return None
        key = self._key(above, name)
        if key is None:
            return None
        text = self._lines[key.line - 1]
        token = re.match(r"\"[^\"]*\"|'[^']*'|[^\s:]+", text[key.column - 1 :])
        written = json.dumps(new) if text[key.column - 1] in "\"'" else str(new)
        return Edit(key.line, key.column, key.column + token.end(), written, key.line) if token else None


def _apart(made: Sequence[Edit]) -> bool:
    """Whether no two of them overlap."""
    spans = sorted(((each.line, each.column), (each.last or each.line, each.end)) for each in made)
    return all(one[1] <= other[0] for one, other in pairwise(spans))
