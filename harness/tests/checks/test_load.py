"""What a load's figures say: known numbers, and the sentences made of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.checks.load import compare, comparisons, figures, percentile, remarks, sentence, unserved
from harness.model.load import Arm, Connections, LoadRecord, Slice
from harness.model.vocabulary import Path, Posture

MTLS, JWT = (Arm(posture, Path.DIRECT, Connections.KEPT) for posture in (Posture.MTLS, Posture.JWT))


def measured(arm: int, served: int, cpu: float = 1.0, sending: float = 0.5, **more: int) -> Slice:
    return {
        "arm": arm,
        "asked": 0.0,
        "seconds": 2.0,
        "served": served,
        "errors": more,
        "milliseconds": [float(number + 1) for number in range(served)],
        "server_cpu": cpu,
        "client_cpu": sending,
    }


def record(*slices: Slice, rate: float = 0.0, stopped: str = "", left_out: tuple[str, ...] = ()) -> LoadRecord:
    return LoadRecord("a-to-b", "embedded", 8, rate, 0, [MTLS, JWT], slices, {}, stopped, left_out)


def test_figures() -> None:
    found = figures(record(measured(0, 100), measured(1, 1), measured(0, 300, 3.0, Timeout=2)), MTLS)
    assert (found.served, found.per_second, found.errors) == (400, 100.0, {"Timeout": 2})
    assert (found.server_cpu, found.client_cpu) == (10.0, 2.5)
    assert found.p50 == 100.0 and found.p99 == 296.0
    nothing = figures(record(measured(0, 0)), MTLS)
    assert (nothing.p50, nothing.server_cpu, nothing.per_second) == (None, None, 0.0)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.75, 3.0), (0.99, 4.0), (0.0, 1.0)])
def test_percentiles(share: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], share) == value


def test_a_difference_in_every_round() -> None:
    loaded = record(
        *(measured(arm, served) for served in (100, 400, 200) for arm, served in ((0, served), (1, served // 2)))
    )
    (found,) = comparisons(loaded)
    assert math.isclose(found.percent, -50) and math.isclose(found.low, -50) and found.clear and found.rounds == 3
    assert sentence(found, loaded).startswith("jwt serves 50.0 % fewer events per second than mtls over direct, kept")


def test_the_interval_is_students() -> None:
    ratios = (0.5, 0.6, 0.9)
    loaded = record(*(measured(arm, value) for ratio in ratios for arm, value in ((0, 1000), (1, round(1000 * ratio)))))
    found = compare(loaded, MTLS, JWT)
    assert found is not None
    # By hand: mean of the logarithms -0.43644, standard error 0.17371, t(2) = 4.303.
    assert [round(value, 2) for value in (found.percent, found.low, found.high)] == pytest.approx(
        [-35.37, -69.39, 36.48], abs=0.02
    )
    assert not found.clear and sentence(found, loaded).startswith("No difference between jwt and mtls was measured")


def test_at_a_rate_it_is_cpu_time() -> None:
    rounds = [measured(arm, 100, cpu) for _ in range(3) for arm, cpu in ((0, 1.0), (1, 1.5))]
    loaded = record(*rounds, rate=50)
    (found,) = comparisons(loaded)
    assert math.isclose(found.percent, 50)
    assert sentence(found, loaded).startswith("jwt takes 50.0 % more server CPU time per event than mtls")
    assert remarks(record(measured(0, 80), measured(1, 100), rate=50)) == [
        "mtls, direct, kept: 40.0 of 50 events per second were served."
    ]


def test_what_cannot_be_compared() -> None:
    assert comparisons(record(measured(0, 10), measured(1, 10))) == []
    assert comparisons(record(*(measured(arm, 0) for arm in (0, 1, 0, 1)))) == []
    found = remarks(
        record(measured(0, 10, 1.0, Refused=3), stopped="it fell over", left_out=("mtls over terminating",))
    )
    assert found == [
        "Left out: mtls over terminating, which does not work on this flow.",
        "mtls, direct, kept: errors beside 10 events served: 3 Refused.",
        "Stopped early: it fell over.",
    ]


def test_a_sender_at_its_limit_is_told() -> None:
    loaded = record(*(measured(0, 100, sending=used) for used in (1.7, 2.0)))
    (found,) = remarks(loaded)
    assert found.startswith("mtls, direct, kept: what sends the load was at its limit") and "--workers" in found
    assert remarks(replace(loaded, workers=2)) == []
    assert remarks(record(measured(0, 100, sending=1.7))) == []


def test_what_was_never_served_is_named() -> None:
    loaded = record(measured(0, 10), measured(1, 0, **{"TLS: closed by the server": 4}), measured(1, 0))
    assert unserved(loaded) == ["jwt, direct, kept"]
    assert remarks(loaded) == [
        "jwt, direct, kept: not one event was served (4 TLS: closed by the server); there is nothing to compare."
    ]
    assert unserved(replace(loaded, postures=[Posture.BOTH, Posture.MTLS])) == ["both", "jwt, direct, kept"]
    assert unserved(record(measured(0, 1), measured(1, 1), rate=50)) == []


def test_a_token_that_nobody_verifies_is_told() -> None:
    loaded = LoadRecord("a-to-b", "embedded", 8, 0.0, 0, [MTLS, JWT], [measured(0, 10)], {}, token_ignored=["both"])
    (found,) = remarks(loaded)
    assert found.startswith("both: the server of this flow verifies no token in this posture")
