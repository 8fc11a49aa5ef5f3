"""The knee by its stated rule, and a day without the key server."""

from __future__ import annotations

import pytest

from harness.checks.load_knee import knee, knees, outage_sentence, sentence, steps
from harness.model.load import Hour, LoadRecord, Slice
from harness.tests.checks.test_load import JWT, MTLS, measured


def step(asked: float, served: float, p95: float, arm: int = 0) -> Slice:
    found = measured(arm, round(served * 2))
    found["asked"], found["milliseconds"] = asked, [p95] * 20
    return found


def record(*taken: Slice) -> LoadRecord:
    return LoadRecord("a-to-b", "embedded", 8, 0.0, 0, [MTLS, JWT], [], {}, steps=taken)


@pytest.mark.parametrize(
    ("taken", "rate", "said"),
    [
        (
            [(100, 100, 2), (200, 199, 3), (300, 240, 9)],
            200,
            "is at 200 events per second: at 300 only 240 were served",
        ),
        ([(100, 100, 2), (200, 199, 6.1)], 100, "at 200 the 95th percentile was 6.1 ms, at the lowest rate 2.0 ms"),
        ([(100, 100, 2), (200, 150, 2), (300, 300, 2)], 100, "at 200 only 150"),
        ([(100, 96, 2), (200, 191, 5.9)], 200, "No knee of mtls over direct, kept connections was found up to 200"),
        ([(100, 90, 2)], None, "is below the lowest rate: at 100 only 90 were served"),
    ],
)
def test_the_rule(taken: list[tuple[float, float, float]], rate: float | None, said: str) -> None:
    found = knee(record(*(step(*item) for item in reversed(taken))), MTLS)
    assert found is not None and found.rate == rate
    assert said in sentence(found)


def test_each_has_its_own() -> None:
    made = record(step(100, 100, 2), step(50, 50, 2, 1), step(60, 20, 2, 1))
    assert [(item.arm, item.rate) for item in knees(made)] == [(MTLS, 100), (JWT, 50)]
    assert [item.asked for item in steps(made, JWT)] == [50, 60]
    assert knees(record()) == []


def test_nothing_served_is_no_percentile() -> None:
    nothing = step(100, 0, 0)
    nothing["milliseconds"] = []
    found = knee(record(nothing), MTLS)
    assert found is not None and found.rate is None


def hours(*served: float, back: float = 5.0) -> list[Hour]:
    found: list[Hour] = [{"hour": 0, "key_server": True, "per_second": 5.0, "errors": {}}]
    found += [
        {"hour": number + 1, "key_server": False, "per_second": value, "errors": {}}
        for number, value in enumerate(served)
    ]
    return [*found, {"hour": len(found), "key_server": True, "per_second": back, "errors": {}}]


def test_a_day_without_management() -> None:
    assert outage_sentence([]) == ""
    assert outage_sentence(hours(5, 5, 0, 0)) == (
        "Without the JWKS server, events were ingested until hour 2, and refused from hour 3 on, after the cached keys "
        "had expired; with the JWKS server back, they are ingested again."
    )
    assert outage_sentence(hours(5, back=0)).endswith("until hour 1; and not after it.")
    assert outage_sentence(hours(0)).startswith("Nothing was ingested, and refused from hour 1 on")
