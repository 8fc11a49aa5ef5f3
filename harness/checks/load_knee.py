"""Where each combination's knee is, by a rule that is stated, and what a day without the key server does.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.checks.load import percentile
from harness.model.load import Arm, Hour, LoadRecord, Slice

KEPT, SLOWER = 0.95, 3.0
RULE = (
    f"The knee is the highest rate that was sustained, as were all lower ones: at least {KEPT:.0%} of the requested "
    f"events were served, and the 95th percentile was at most {SLOWER:g} times that of the lowest rate."
)


@dataclass(frozen=True)
class Step:
    """One rate: what was asked for and served a second, and the 95th percentile."""

    asked: float
    served: float
    p95: float | None


@dataclass(frozen=True)
class Knee:
    """The knee of *arm*: the last rate that was kept (None: not even the lowest), and why the next one was not."""

    arm: Arm
    rate: float | None
    beyond: str


def steps(record: LoadRecord, arm: Arm) -> list[Step]:
    """The steps of *arm*, the lowest rate first."""
    number = list(record.arms).index(arm)
    return sorted((_step(item) for item in record.steps if item["arm"] == number), key=lambda item: item.asked)


def _step(item: Slice) -> Step:
    served = item["served"] / item["seconds"] if item["seconds"] else 0.0
    return Step(item["asked"], served, percentile(sorted(item["milliseconds"]), 0.95))


def knee(record: LoadRecord, arm: Arm) -> Knee | None:
    """By :data:`RULE`; None where no steps were made."""
    taken = steps(record, arm)
    if not taken:
        return None
    last: float | None = None
    for step in taken:
        if wrong := _not_kept(step, taken[0]):
            return Knee(arm, last, wrong)
        last = step.asked
    return Knee(arm, last, "")


def _not_kept(step: Step, lowest: Step) -> str:
    if step.p95 is None or step.served < KEPT * step.asked:
        return f"at {step.asked:.0f} only {step.served:.0f} were served"
    if lowest.p95 is not None and step.p95 > SLOWER * lowest.p95:
        return f"at {step.asked:.0f} the 95th percentile was {step.p95:.1f} ms, at the lowest rate {lowest.p95:.1f} ms"
    return ""


def sentence(found: Knee) -> str:
    """The knee as a sentence."""
    who = f"{found.arm.posture} over {found.arm.path}, {found.arm.connections} connections"
    if found.rate is None:
        return f"The knee of {who} is below the lowest rate: {found.beyond}."
    if not found.beyond:
        return f"No knee of {who} was found up to {found.rate:.0f} events per second."
    return f"The knee of {who} is at {found.rate:.0f} events per second: {found.beyond}."


def knees(record: LoadRecord) -> list[Knee]:
    """Of every arm that has one."""
    return [found for arm in record.arms if (found := knee(record, arm)) is not None]


def outage_sentence(hours: Sequence[Hour]) -> str:
    """How long events were ingested without the key server, and whether they are again with it; '' without hours."""
    down = [item for item in hours if not item["key_server"]]
    if not down:
        return ""
    served = [item["hour"] for item in down if item["per_second"] > 0]
    refused = [item["hour"] for item in down if item["hour"] > max(served, default=0)]
    text = (
        f"Without the JWKS server, events were ingested until hour {max(served)}" if served else "Nothing was ingested"
    )
    if refused:
        text += f", and refused from hour {refused[0]} on, after the cached keys had expired"
    back = [item for item in hours if item["key_server"] and item["hour"] > 0]
    if back:
        text += (
            "; with the JWKS server back, they are ingested again"
            if back[0]["per_second"] > 0
            else "; and not after it"
        )
    return f"{text}."
