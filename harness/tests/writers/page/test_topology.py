"""The drawing: each flow's lane, what is written there, and the boxes of clients and servers beside the lanes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from harness.model.record import Row
from harness.tests import builders
from harness.writers.page import topology
from harness.writers.page.guide import Guide


def _row(outcome: str = "PASS", flow: str = "management-to-portal", path: str = "direct", **more: Any) -> Row:
    return builders.row(f"flows/FLW-1/{flow}/jwt/{path}/good", outcome, flow=flow, posture="jwt", path=path, **more)


def test_the_drawing_says_who_and_where() -> None:
    rows = [_row(path="terminating"), _row(path="terminating", expected="token-refused"), _row("FAIL")]
    guide = Guide(flows={"management-to-portal": {"client": "management", "server": "portal", "endpoint": "admin"}})
    everything, jwt = topology.drawings(rows, guide)
    assert (everything.posture, jwt.posture) == ("", "jwt")
    assert [[node.name for node in side] for side in (jwt.clients, jwt.servers)] == [["management"], ["portal"]]
    lane = jwt.lanes[0]
    assert lane.outcome == "FAIL" and lane.href == "#flow=management-to-portal&posture=jwt"
    lines = {line.text.partition(":")[0].strip(): line for line in lane.lines}
    assert lines["terminating"].open and "readable here" in lines["terminating"].text
    assert not lines["direct"].open and lines["direct"].outcome == "FAIL"
    assert "client verified by: JWT" in [line.text for line in lane.lines]


def test_boxes_stand_beside_their_lanes_and_none_upon_another() -> None:
    ends = {"a": ("outer", "one"), "b": ("inner", "two"), "c": ("outer", "two"), "d": ("inner", "one")}
    ends |= {f"e{number:02}": ("client", "gateway") for number in range(25)}
    guide = Guide(flows={flow: {"client": client, "server": server} for flow, (client, server) in ends.items()})
    drawing = topology.drawings([_row(flow=flow) for flow in ends], guide)[0]
    for boxes in (drawing.clients, drawing.servers, drawing.lanes):
        places = [(box.top, box.top + box.height) for box in boxes]
        assert len(places) > 1 and all(low[1] < high[0] for low, high in pairwise(places))
    for side, names in ((0, drawing.clients), (1, drawing.servers)):
        for lane in drawing.lanes:
            beside = [
                node.name for node in names if node.top <= lane.top and lane.top + lane.height <= node.top + node.height
            ]
            assert beside == [ends[lane.flow][side]]
    assert [node.name for node in drawing.clients] == ["outer", "inner", "outer", "client"]
    *_, highest = drawing.servers
    labels = [line.y - 5 for line in highest.lines if line.text == "gateway"]
    assert labels[0] == drawing.lanes[4].y and len(labels) > 2
    assert max(low - high for high, low in pairwise(labels)) < 900


def test_a_long_name_stays_in_its_box() -> None:
    guide = Guide(
        flows={"a": {"client": "c", "server": "apk-configured-gateway-" + "x" * 30, "endpoint": "an end " * 9}}
    )
    (server,) = topology.drawings([_row(flow="a")], guide)[0].servers
    assert {line.kind for line in server.lines} == {"name", "detail"}
    assert all(len(line.text) <= (18 if line.kind == "name" else 24) for line in server.lines)
    assert all(server.top < line.y < server.top + server.height for line in server.lines)
