"""An operation of a patch as a change of the text that its object was read from, by its positions alone.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.model.patch import Op, Operation
from harness.model.resource import Located

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")


@dataclass(frozen=True)
class Edit:
    """``text`` in the place of what stands on ``line`` from ``column`` (from 1) up to and without ``end``.

    ``end`` is a column of the line ``last``, 0 where that is the same line.
    """

    line: int
    column: int
    end: int
    text: str
    last: int = 0


def edit(root: Located, operation: Operation) -> Edit | None:
    """What has *operation* set a scalar that is there, or add a key; None for everything else."""
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
