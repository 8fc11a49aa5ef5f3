"""Port ranges of containers: disjoint, below the harness's own, for whatever servers there are."""

from __future__ import annotations

from itertools import pairwise

import pytest

from harness.catalogue.registry import catalogue
from harness.errors import LabError
from harness.lab.containers.ports import INSIDER, port_ranges
from harness.products.registry import reference

BALANCERS = ("passthrough", "terminating")


def test_ranges_are_disjoint_and_below_the_harness() -> None:
    found = port_ranges(("management", "portal"), BALANCERS)
    ranges = sorted(tuple(map(int, text.split())) for text in found.values())
    assert all(high < low for (_, high), (low, _) in pairwise(ranges)) and ranges[-1][1] < 32768
    assert set(found) == {"management", f"management{INSIDER}", "portal", f"portal{INSIDER}", *BALANCERS}


def test_every_client_of_the_catalogue_has_one() -> None:
    servers = catalogue().servers
    found = port_ranges((reference().key_server.subsystem, *servers), BALANCERS)
    clients = {flow.client for flow in catalogue().flows.values()}
    assert clients & {reference().key_server.subsystem, *servers} <= found.keys()


def test_balancers_get_more() -> None:
    sizes = {name: int(text.split()[1]) - int(text.split()[0]) for name, text in port_ranges("ab", BALANCERS).items()}
    assert sizes["passthrough"] > sizes["a"] > sizes["b"]


def test_too_many_servers() -> None:
    with pytest.raises(LabError, match="too few to tell them apart"):
        port_ranges([f"server-{number}" for number in range(100)], BALANCERS)
