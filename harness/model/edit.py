"""A patch as changes of the text that its object was read from, where the positions allow it.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.model.patch import Op, Operation, Patch
from harness.model.resource import Located

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")


@dataclass(frozen=True)
class Edit:
    """``text`` in the place of what stands on ``line`` from ``column`` (from 1) up to and without ``end``."""

    line: int
    column: int
    end: int
    text: str


def edits(patch: Patch) -> list[Edit]:
    """What to change in the file, all of it; [] where an operation cannot be made so."""
    made = [_edit(patch.resource.root, operation) for operation in patch.operations]
    return [each for each in made if each is not None] if all(made) else []


def _edit(root: Located, operation: Operation) -> Edit | None:
    if operation.op not in (Op.ADD, Op.REPLACE):
        return None
    present = root.at(*operation.path)
    written = json.dumps(operation.value, ensure_ascii=False)
    if present is not None:
        if not present.column or not present.end or isinstance(present.value, Mapping | list):
            return None
        return Edit(
            present.line, present.column, present.end, written if present.end > present.column else f" {written}"
        )
    above, key = root.at(*operation.path[:-1]), operation.path[-1]
    if above is None or not above.column or not isinstance(above.value, Mapping) or not isinstance(key, str):
        return None
    if above.end:  # after the bracket
        more = ", " if above.value else ""
        return Edit(above.line, above.end, above.end, f"{json.dumps(key)}: {written}{more}")
    name = key if _PLAIN.fullmatch(key) else json.dumps(key)
    return Edit(above.line, above.column, above.column, f"{name}: {written}\n{' ' * (above.column - 1)}")
