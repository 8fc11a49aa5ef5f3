"""Changes of a text, carried out as an editor does."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model.edit import Edit


def edited(text: str, changes: Sequence[Edit]) -> str:
    """*text* with *changes*, from its end to its beginning, as SARIF's replacements are meant."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    lines = text.removeprefix(mark).split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    body = text.removeprefix(mark)
    for each in sorted(changes, key=lambda change: (-change.line, -change.column)):
        begin = starts[each.line - 1] + each.column - 1
        end = starts[(each.last or each.line) - 1] + each.end - 1
        body = body[:begin] + each.text + body[end:]
    return mark + body
