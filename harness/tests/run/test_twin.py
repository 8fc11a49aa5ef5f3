"""The states of a plan in the lab: what should be seen there, and that something else is reported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.catalogue.registry import catalogue
from harness.model.vocabulary import Path, Posture
from harness.probes.live import Bench
from harness.products.rules import TwinState
from harness.run.twin import Seen, document, expected, show
from harness.targets import builtin
from harness.writers import runbook as writer

PORTAL, ANALYTICS = "management-to-portal", "management-to-analytics"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    found = builtin.embedded_bench(catalogue(), 1)
    try:
        yield found
    finally:
        found.lab.close()


@pytest.mark.parametrize(
    ("flow", "posture", "path", "wanted"),
    [
        (PORTAL, Posture.MTLS, Path.PASSTHROUGH, Seen(True, True, False, False)),
        (PORTAL, Posture.MTLS, Path.TERMINATING, Seen(False, False, False, True)),
        (PORTAL, Posture.BOTH, Path.PASSTHROUGH, Seen(True, False, False, False)),
        (PORTAL, Posture.JWT, Path.PASSTHROUGH, Seen(True, False, True, False)),
        (PORTAL, Posture.JWT, Path.TERMINATING, Seen(True, False, True, True)),
        (ANALYTICS, Posture.BOTH, Path.PASSTHROUGH, Seen(True, True, False, False)),
    ],
)
def test_what_is_expected_is_seen(bench: Bench, flow: str, posture: Posture, path: Path, wanted: Seen) -> None:
    state, known = TwinState("x", flow, posture, path), catalogue().flows
    assert expected(known[flow], state) == wanted
    (shown,) = show(bench, known, [state])
    assert shown.seen == wanted and shown.as_expected


@pytest.mark.parametrize(
    ("fault", "posture", "path", "column"),
    [
        ("ignores-token", Posture.JWT, Path.PASSTHROUGH, "no token"),
        ("balancer-holds-client-key", Posture.MTLS, Path.TERMINATING, "itself"),
        ("passthrough-terminates", Posture.JWT, Path.PASSTHROUGH, "readable"),
    ],
)
def test_a_fault_is_reported(bench: Bench, fault: str, posture: Posture, path: Path, column: str) -> None:
    (shown,) = show(bench, catalogue().flows, [TwinState("x", PORTAL, posture, path)], fault)
    assert not shown.as_expected
    page = document([shown])
    (table,) = page.before
    assert "should be" in table.rows[0][table.columns.index(column)]
    text = writer.written(page, "text")
    assert "NOT as the plan says" in text and "\u2717 x" in text
