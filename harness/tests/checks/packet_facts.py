"""Facts from captured packets, as the checks on them read them."""

from __future__ import annotations

from harness.model.connection import Content, Seen
from harness.model.observations import Observations, OnTheWire, Packets


def wire(**changed: str | bool | int | list[int]) -> OnTheWire:
    """A TLS connection on which a certificate was asked for and sent, and data went both ways; *changed* differs."""
    usual: OnTheWire = {
        "ends": "127.0.0.1:40000 to 127.0.0.1:443",
        "content": Content.TLS,
        "version": "TLSv1.3",
        "server_name": "b.example.test",
        "asked": Seen.YES,
        "sent": Seen.YES,
        "sure": True,
        "why": "sizes",
        "data": Seen.YES,
        "tokens": 0,
        "statuses": [],
    }
    usual.update(changed)  # type: ignore[typeddict-item]  # the names are those of the members
    return usual


def captured(passage: str, client: OnTheWire, *onward: OnTheWire) -> Observations:
    """What is beside a case's views: its packets."""
    packets: Packets = {"missing": "", "passage": passage, "why": "", "client": client, "onward": list(onward)}
    return {"packets": packets}
