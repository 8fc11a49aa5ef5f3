"""What a rehearsal showed, as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.model.runbook import Runbook, Table
from harness.model.words import counted
from harness.run.rehearsal import Outage, Played, Result


def document(title: str, results: Sequence[Result], not_shown: str = "") -> Runbook:
    """The page of *results*, the right order's first; *not_shown* says what the lab does not have."""
    right, *others = results
    closing = [_compared(right, other) for other in others]
    closing.append(
        "Every step broke what the runbook says, and nothing else."
        if all(result.as_predicted for result in results)
        else "NOT as the runbook says: see the lines marked with ✗. The runbook or the reference is wrong."
    )
    if not_shown:
        closing.append(not_shown)
    return Runbook(
        title,
        "Hopproof's own reference subsystems on loopback. The seconds are the lab's; restarts take milliseconds there.",
        before=tuple(table for result in results for table in _tables(result)),
        closing=tuple(closing),
    )


def _tables(result: Result) -> Iterator[Table]:
    steps = tuple(_step(number, step) for number, step in enumerate(result.steps, 1))
    yield Table(result.order.title, ("step", "after it"), steps)
    outages = tuple(_outage(outage, len(result.steps)) for outage in result.outages)
    head = ("flow", "from step", "to step", "seconds", "requests lost")
    note = f"{result.served} requests served; {result.down_seconds:.1f} s without service, all flows together."
    whys = sorted({outage.why for outage in result.outages})
    yield Table("What stopped, and for how long", head, outages, f"{note} Reasons: {'; '.join(whys) or 'none'}.")


def _step(number: int, played: Played) -> tuple[str, str]:
    down = f"{len(played.down)} down: {', '.join(played.down)}" if played.down else "every flow is served"
    if played.as_predicted:
        return f"{number}. {played.step.title}", down
    predicted = ", ".join(sorted(played.step.down)) or "nothing"
    unsteady = f"; served at times: {', '.join(played.unsteady)}" if played.unsteady else ""
    return f"✗ {number}. {played.step.title}", f"{down}{unsteady}; the runbook says: {predicted}"


def _outage(outage: Outage, steps: int) -> tuple[str, str, str, str, str]:
    last = f"{outage.last}" if outage.last is not None else f"never (of {steps})"
    return outage.flow, str(outage.first), last, f"{outage.seconds:.2f}", str(outage.lost)


def _compared(right: Result, wrong: Result) -> str:
    longest = max((outage.last or len(wrong.steps) + 1) - outage.first for outage in wrong.outages)
    most = max(len(step.down) for step in wrong.steps)
    return (
        f"{wrong.order.title}: {most} flows were down at once (in the right one"
        f" {max(len(step.down) for step in right.steps)}), the longest for {counted(longest, 'step')}, and for"
        f" {wrong.down_seconds:.1f} s all together ({right.down_seconds:.1f} s)."
    )
