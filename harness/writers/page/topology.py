"""Flows -> a drawing: where each box and line of the topology stands and what is written there.  Knows no SVG."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from harness.model.record import Row, Shield
from harness.model.vocabulary import Grade, Outcome, Path, Posture
from harness.writers.page.data import ORDER
from harness.writers.page.guide import Guide
from harness.writers.protection import ENDED, in_words, named, protection

WIDTH, TOP, GAP = 936, 34, 22
CLIENT_X, BOX_X, SERVER_X = 8, 248, 752
NODE_WIDTH, BOX_WIDTH, LINE, TIGHT = 176, 440, 20, 16
_COLUMNS, _NAME_COLUMNS, _DETAIL_COLUMNS = 64, 18, 24
_SCREEN = 640
"""How far apart, at least, the names in one box stand: a high one is named on each screen."""
SYMBOLS: Mapping[str, str] = dict(zip(map(str, ORDER), ("✗", "≠", "!", "?", "~", "✓", "○", "○"), strict=True))
_OPEN: Mapping[str, str] = {
    Path.PASSTHROUGH: "sees ciphertext only",
    Path.TERMINATING: "payload readable here",
}


@dataclass(frozen=True)
class Line:
    """One line in a flow's box.  ``open`` marks the place where traffic lies in clear text."""

    text: str
    y: int
    href: str = ""
    symbol: str = ""
    outcome: str = ""
    open: bool = False


@dataclass(frozen=True)
class Lane:
    """One flow: its box, its lines, and the middle of its arrow (``y``)."""

    flow: str
    href: str
    outcome: str
    symbol: str
    top: int
    height: int
    y: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class NodeLine:
    """One line in a subsystem's box; ``kind`` is name or detail."""

    text: str
    kind: str
    y: int


@dataclass(frozen=True)
class Node:
    """A subsystem beside the lanes that begin or end there; ``lines`` (of name, then of detail) are in its box, each
    from its ``y`` on."""

    name: str
    top: int
    height: int
    lines: tuple[NodeLine, ...]


@dataclass(frozen=True)
class Drawing:
    """A drawing of all flows in one posture, or in all of them (``posture`` '')."""

    posture: str
    height: int
    lanes: tuple[Lane, ...]
    clients: tuple[Node, ...]
    servers: tuple[Node, ...]


def drawings(rows: Sequence[Row], guide: Guide) -> list[Drawing]:
    """The drawing of all postures together, then one for each posture that has rows; files are no flow: [] for them."""
    of_servers = [row for row in rows if row["grade"] != Grade.CONFIG]
    if rows and not of_servers:
        return []
    rows = of_servers
    present = {row["posture"] for row in rows}
    known = [str(posture) for posture in Posture]
    postures = [name for name in known if name in present] + sorted(present - set(known))
    chosen = [(name, [row for row in rows if row["posture"] == name]) for name in postures]
    return [_draw(posture, members, guide) for posture, members in [("", list(rows)), *chosen]]


def worst(outcomes: Sequence[str]) -> str:
    """The outcome a reader must hear of first."""
    return next((str(name) for name in ORDER if name in outcomes), "")


def _draw(posture: str, rows: Sequence[Row], guide: Guide) -> Drawing:
    shields = protection(rows)
    order = [str(name) for name in Posture]
    shields = {flow: dict(sorted(cells.items(), key=lambda item: order.index(item[0]) if item[0] in order else 99))
               for flow, cells in shields.items()}  # fmt: skip
    by_flow: dict[str, list[Row]] = {}
    for row in rows:
        by_flow.setdefault(row["flow"], []).append(row)
    lanes: list[Lane] = []
    top = TOP
    for flow in _in_order(by_flow, guide):
        lanes.append(_lane(flow, posture, by_flow[flow], shields[flow], top))
        top += lanes[-1].height + GAP
    ends = {lane.flow: _ends(lane.flow, guide) for lane in lanes}
    details = {end[1]: guide.flows.get(flow, {}).get("endpoint", "") for flow, end in ends.items()}
    clients = _nodes({flow: end[0] for flow, end in ends.items()}, lanes, {})
    servers = _nodes({flow: end[1] for flow, end in ends.items()}, lanes, details)
    return Drawing(posture, top, tuple(lanes), clients, servers)


def _in_order(flows: Iterable[str], guide: Guide) -> list[str]:
    """Flows to one server stand together, and of these the ones of one client: each box is then beside its lanes."""
    known = {name: number for number, name in enumerate(guide.flows)}
    to_server: dict[str, dict[str, list[str]]] = {}
    for flow in sorted(flows, key=lambda name: (known.get(name, len(known)), name)):
        client, server = _ends(flow, guide)
        to_server.setdefault(server, {}).setdefault(client, []).append(flow)
    ordered: list[str] = []
    latest = ""
    for by_client in to_server.values():
        # Who called the server above comes first, and is one box with that.
        for client in sorted(by_client, key=latest.__ne__):
            ordered += by_client[client]
            latest = client
    return ordered


def _ends(flow: str, guide: Guide) -> tuple[str, str]:
    client, _, server = flow.partition("-to-")
    message = guide.flows.get(flow, {})
    return message.get("client", client), message.get("server", server or flow)


def _lane(flow: str, posture: str, rows: Sequence[Row], cells: Mapping[str, Shield], top: int) -> Lane:
    here = {"flow": flow, **({"posture": posture} if posture else {})}
    lines: list[Line] = []
    y = top + 44
    for path in dict.fromkeys([*map(str, Path), *(row["path"] for row in rows)]):
        members = [row for row in rows if row["path"] == path]
        if members:
            lines += (block := _path(path, members, cells, here, y))
            y = block[-1].y + LINE
    for text in _verified(cells):
        lines.append(Line(text, y))
        y += TIGHT
    outcome = worst([row["outcome"] for row in rows])
    height = y - top - 2
    return Lane(
        flow, f"#{urlencode(here)}", outcome, SYMBOLS.get(outcome, ""), top, height, top + height // 2, tuple(lines)
    )


def _path(path: str, rows: Sequence[Row], cells: Mapping[str, Shield], here: Mapping[str, str], y: int) -> list[Line]:
    passed = sum(row["outcome"] == Outcome.PASS for row in rows)
    outcome = worst([row["outcome"] for row in rows])
    works = [named(posture, cell) for posture, cell in cells.items() if path in cell.get("works_over", ())]
    declared = any(cell.get("path_as_declared") for cell in cells.values())
    ended = path == Path.PASSTHROUGH and any(ENDED in cell.get("clear_text_at", ()) for cell in cells.values())
    opens = "terminates TLS: payload readable" if ended else _OPEN.get(path, "")
    text = f"{path}: {passed} of {len(rows)} as required" + (f", {opens}" if works and opens else "")
    readable = bool(works) and (path == Path.TERMINATING or ended)
    first = Line(text, y, f"#{urlencode({**here, 'path': path})}", SYMBOLS.get(outcome, ""), outcome, readable)
    if works:
        said = "the flow works" + (f" where the server is: {', '.join(works)}" if len(cells) > 1 else " here")
        said += "; the path is as declared" if declared and opens and not ended else ""
    else:
        said = "no request succeeds, as required of an mTLS flow" if path == Path.TERMINATING else "not shown to work"
    return [first, *(Line(f"    {line}", y + TIGHT * n) for n, line in enumerate(textwrap.wrap(said, _COLUMNS), 1))]


def _verified(cells: Mapping[str, Shield]) -> list[str]:
    """Who verifies whom, in lines."""
    clients = {named(posture, cell): in_words(cell) for posture, cell in cells.items()}
    servers = {
        named(posture, cell): str(cell.get("server_verified_by", "not shown")) for posture, cell in cells.items()
    }
    modes = dict.fromkeys(cell["modes"] for cell in cells.values() if cell.get("modes"))
    asked = [f"client authentication: {words}" for words in modes]
    message = [*asked, f"client verified by: {_grouped(clients)}", f"server verified by: {_grouped(servers)}"]
    return [line for text in message for line in textwrap.wrap(text, _COLUMNS, subsequent_indent="    ")]


def _grouped(facts: Mapping[str, str]) -> str:
    groups: dict[str, list[str]] = {}
    for posture, fact in facts.items():
        groups.setdefault(fact, []).append(posture)
    return "; ".join(f"{fact} ({', '.join(names)})" if len(groups) > 1 else fact for fact, names in groups.items())


def _nodes(members: Mapping[str, str], lanes: Sequence[Lane], details: Mapping[str, str]) -> tuple[Node, ...]:
    """A box for each run of lanes that one subsystem has, as high as they are, named once a screen."""
    nodes = []
    for name, run in itertools.groupby(lanes, key=lambda lane: members[lane.flow]):
        first, *rest = run
        labels = [first.y]
        labels += [lane.y for lane in rest if lane.y - labels[-1] >= _SCREEN]
        last = rest[-1] if rest else first
        lines = [line for y in labels for line in _labelled(name, details.get(name, ""), y)]
        nodes.append(Node(name, first.top, last.top + last.height - first.top, tuple(lines)))
    return tuple(nodes)


def _labelled(name: str, detail: str, middle: int) -> Iterator[NodeLine]:
    """The lines of a box's label around *middle*."""
    lines = [(text, "name") for text in textwrap.wrap(name, _NAME_COLUMNS)[:3]]
    lines += [(text, "detail") for text in textwrap.wrap(detail, _DETAIL_COLUMNS)[:3]]
    y = middle + 5 - TIGHT * (len(lines) - 1) // 2
    for number, (text, kind) in enumerate(lines):
        yield NodeLine(text, kind, y + TIGHT * number)
