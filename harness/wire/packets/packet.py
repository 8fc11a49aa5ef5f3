"""One captured packet."""

from __future__ import annotations

from typing import NamedTuple


class Packet(NamedTuple):
    """One captured packet: when, of which link type, its captured bytes, and how long it was on the wire."""

    time: float
    link: int
    data: bytes
    length: int
