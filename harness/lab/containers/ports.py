"""Which local ports each container connects from.

A connection's record is found again by its two ports.  In one network namespace the client's port is unique; in the
container lab every container that connects to a listener has a namespace of its own, so two of them could come from the
same port and be taken for each other.  Each therefore gets a range of its own (``net.ipv4.ip_local_port_range``), below
the harness's own ports (Linux: 32768 and up).  The ranges are handed out by position, so that a new server needs no
entry anywhere; those through whom every request passes get more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.errors import LabError

INSIDER = "-insider"
_FIRST, _END = 10_000, 32_000
_BALANCER, _KEY_SERVER, _OTHER = 4, 3, 1
_FEWEST = 250


def port_ranges(insiders: Sequence[str], balancers: Sequence[str]) -> Mapping[str, str]:
    """Role -> ``"first last"``, disjoint.  *insiders* (the key server first) have a copy that acts from within.

    Raises LabError where there are more roles than ports.
    """
    weights: dict[str, int] = {}
    for number, name in enumerate(insiders):
        weights |= dict.fromkeys((name, f"{name}{INSIDER}"), _OTHER if number else _KEY_SERVER)
    weights |= dict.fromkeys(balancers, _BALANCER)
    share = (_END - _FIRST) // sum(weights.values())
    if share < _FEWEST:
        raise LabError(
            f"{len(weights)} containers share {_END - _FIRST} ports, {share} each: too few to tell them apart"
        )
    ranges, start = {}, _FIRST
    for name, weight in weights.items():
        ranges[name] = f"{start} {start + weight * share - 1}"
        start += weight * share
    return ranges
