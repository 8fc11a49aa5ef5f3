"""A change that a finding asks for, in a form that can be applied: a JSON patch (RFC 6902) on one object.

Standard library only, no I/O.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from harness.model.resource import Resource

Value: TypeAlias = "str | bool | Sequence[Value] | Mapping[str, Value] | None"
Step = str | int
_NAME = re.compile(r"[a-z0-9][a-z0-9.:-]*")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]*")


class Op(StrEnum):
    """What an operation does: ``add`` sets a member of a mapping, there or not, ``replace`` a member of a list."""

    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"
    MOVE = "move"


@dataclass(frozen=True)
class Operation:
    """One operation on what stands under ``path``."""

    op: Op
    path: tuple[Step, ...]
    value: Value = None
    origin: tuple[Step, ...] = ()

    def members(self) -> dict[str, Value]:
        """The operation as RFC 6902 writes it."""
        written: dict[str, Value] = {"op": str(self.op), "path": _pointer(self.path)}
        if self.op is Op.MOVE:
            return {**written, "from": _pointer(self.origin)}
        return written if self.op is Op.REMOVE else {**written, "value": self.value}


def _pointer(path: Sequence[Step]) -> str:
    """*path* as a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


@dataclass(frozen=True)
class Patch:
    """What to change in ``resource``, all of it or nothing."""

    resource: Resource
    operations: tuple[Operation, ...]

    def document(self) -> list[dict[str, Value]]:
        """The patch as RFC 6902 writes it."""
        return [operation.members() for operation in self.operations]

    def fields(self) -> list[str]:
        """The pointers to what it changes; the end of a list is nobody's alone."""
        paths = [path for each in self.operations for path in (each.path, each.origin) if path and path[-1] != "-"]
        return [_pointer(path) for path in paths]

    def text(self) -> str:
        """The patch on one line."""
        return json.dumps(self.document())

    def target(self, client: str) -> str:
        """The beginning of the line that has *client* (kubectl or oc) change the object; '' where it cannot name it."""
        each = self.resource
        known = _KIND.fullmatch(each.kind) and _NAME.fullmatch(each.name)
        if not known or not all(_NAME.fullmatch(part) for part in (each.group, each.namespace) if part):
            return ""
        kind = f"{each.kind.lower()}{f'.{each.group}' if each.group else ''}"
        return f"{client} patch {kind} {each.name}{f' -n {each.namespace}' if each.namespace else ''} --type=json"

    def command(self, client: str = "kubectl") -> str:
        """The whole line, '' where *client* cannot name the object."""
        target = self.target(client)
        return f"{target} -p {shlex.quote(self.text())}" if target else ""


def put(resource: Resource, value: Value, *path: Step) -> Operation:
    """Set what stands under *path*, with what is missing above it."""
    for end in range(1, len(path)):
        above = resource.root.at(*path[:end])
        if above is None or above.value is None:
            for step in reversed(path[end:]):
                value = {str(step): value}
            path = path[:end]
            break
    return Operation(Op.REPLACE if isinstance(path[-1], int) else Op.ADD, path, value)


def take_out(*path: Step) -> Operation:
    """Remove what stands under *path*."""
    return Operation(Op.REMOVE, path)


def move(origin: Sequence[Step], path: Sequence[Step]) -> Operation:
    """Take what stands under *origin* to *path*, whose parent is there."""
    return Operation(Op.MOVE, tuple(path), origin=tuple(origin))


def append(resource: Resource, values: Sequence[str], *path: Step) -> list[Operation]:
    """Add *values* to the end of the list under *path*, or make it."""
    if resource.root.items(*path):
        return [Operation(Op.ADD, (*path, "-"), value) for value in values]
    return [put(resource, list(values), *path)]


def patch(resource: Resource, *operations: Operation) -> Patch:
    """The change of *resource* that consists of *operations*."""
    return Patch(resource, operations)
