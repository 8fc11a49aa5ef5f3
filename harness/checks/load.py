"""What a load's figures say.  Pure: medians, percentiles, and comparisons with a confidence interval, no threshold.

Two arms are compared round by round: both slices of a round were measured within seconds of each other, so that what
else the machine did weighs on both.  The interval is Student's t on the logarithms of the rounds' ratios.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from harness.model.load import Arm, LoadRecord, Slice

# Two-sided, 95 %: by degrees of freedom.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)


_KEPT = 0.9
"""Below this share of what was asked for a rate counts as not kept."""
_BUSY = 0.9
"""Above this share of a core, for each process that sends, sending counts as the limit."""
_AT_ITS_LIMIT = "what sends the load was at its limit, so the server may serve more; --workers N sends from N processes"


@dataclass(frozen=True)
class Figures:
    """One arm in all its slices.  Latencies are milliseconds; CPU is milliseconds an event, None where not ours."""

    arm: Arm
    served: int
    errors: dict[str, int]
    per_second: float
    p50: float | None
    p95: float | None
    p99: float | None
    server_cpu: float | None
    client_cpu: float


@dataclass(frozen=True)
class Comparison:
    """How much *what* changes from *base* to *other*, in percent, and the 95 % confidence interval."""

    base: Arm
    other: Arm
    what: str
    percent: float
    low: float
    high: float
    rounds: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out no change at all."""
        return not self.low <= 0 <= self.high


def figures(record: LoadRecord, arm: Arm) -> Figures:
    """The figures of *arm*."""
    slices = record.of(arm)
    times = sorted(value for item in slices for value in item["milliseconds"])
    errors: Counter[str] = Counter()
    for item in slices:
        errors.update(item["errors"])
    served, seconds = sum(item["served"] for item in slices), sum(item["seconds"] for item in slices)
    used = sum(item["server_cpu"] for item in slices)
    return Figures(
        arm=arm,
        served=served,
        errors=dict(errors),
        per_second=served / seconds if seconds else 0.0,
        p50=percentile(times, 0.5),
        p95=percentile(times, 0.95),
        p99=percentile(times, 0.99),
        server_cpu=used * 1000 / served if served and used else None,
        client_cpu=sum(item["client_cpu"] for item in slices) * 1000 / served if served else 0.0,
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of sorted values; None of nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def compare(record: LoadRecord, base: Arm, other: Arm) -> Comparison | None:
    """Events a second at full load; at a given rate, where these are the same, the servers' CPU time an event.

    None where fewer than two rounds have both.
    """
    rate = bool(record.rate)
    what = "server CPU time per event" if rate else "events per second"
    value = _cpu if rate else _throughput
    both = zip(record.of(base), record.of(other), strict=False)
    logs = [math.log(value(two) / value(one)) for one, two in both if value(one) > 0 and value(two) > 0]
    if len(logs) < 2:
        return None
    middle, spread = fmean(logs), stdev(logs) / math.sqrt(len(logs)) * _T[min(len(logs) - 1, len(_T)) - 1]
    percent, low, high = ((math.exp(value) - 1) * 100 for value in (middle, middle - spread, middle + spread))
    return Comparison(base, other, what, percent, low, high, len(logs))


def _throughput(item: Slice) -> float:
    return item["served"] / item["seconds"] if item["seconds"] else 0.0


def _cpu(item: Slice) -> float:
    return item["server_cpu"] / item["served"] if item["served"] else 0.0


def comparisons(record: LoadRecord) -> list[Comparison]:
    """Every arm against the first posture's, over the same path and connections."""
    found = []
    for arm in record.arms:
        base = next(item for item in record.arms if (item.path, item.connections) == (arm.path, arm.connections))
        if base != arm and (made := compare(record, base, arm)) is not None:
            found.append(made)
    return found


def unserved(record: LoadRecord) -> list[str]:
    """What was asked for and of which not one event was served: a posture without any combination, a combination."""
    loaded = {arm.posture for arm in record.arms}
    absent = [str(posture) for posture in record.postures if posture not in loaded]
    return absent + [arm.name for arm in record.arms if not any(item["served"] for item in record.of(arm))]


def remarks(record: LoadRecord) -> list[str]:
    """What must be known beside the figures: what was left out, which rate was not kept, what went wrong."""
    found = [f"Left out: {text}, which does not work on this flow." for text in record.left_out]
    ignored = "the server of this flow verifies no token in this posture; the cost shown is that of mTLS alone"
    found += [f"{posture}: {ignored}." for posture in record.token_ignored]
    for item in (figures(record, arm) for arm in record.arms):
        if not item.served and record.of(item.arm):
            wrong = f" ({_wrong(item)})" if item.errors else ""
            found.append(f"{item.arm.name}: not one event was served{wrong}; there is nothing to compare.")
        elif record.rate and item.per_second < record.rate * _KEPT:
            found.append(f"{item.arm.name}: {item.per_second:.1f} of {record.rate:g} events per second were served.")
        elif item.errors and not record.rate:
            found.append(f"{item.arm.name}: errors beside {item.served} events served: {_wrong(item)}.")
    found += [f"{arm.name}: {_AT_ITS_LIMIT}." for arm in record.arms if _at_its_limit(record, arm)]
    if record.stopped:
        found.append(f"Stopped early: {record.stopped}.")
    return found


def _at_its_limit(record: LoadRecord, arm: Arm) -> bool:
    """Whether the processes that send the load, a core for each, had no CPU time left."""
    slices = record.of(arm)
    used, seconds = sum(item["client_cpu"] for item in slices), sum(item["seconds"] for item in slices)
    return used > _BUSY * seconds * max(record.workers, 1)


def _wrong(item: Figures) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(item.errors.items()))


def sentence(comparison: Comparison, record: LoadRecord) -> str:
    """The comparison as a sentence."""
    base, other = str(comparison.base.posture), str(comparison.other.posture)
    where = f"over {comparison.other.path}, {comparison.other.connections} connections"
    load = f"at {record.rate:g} events per second" if record.rate else f"with {record.users} clients at full load"
    interval = f"95 % confidence: {comparison.low:+.1f} % to {comparison.high:+.1f} %, {comparison.rounds} rounds"
    if not comparison.clear:
        return (
            f"No difference between {other} and {base} was measured in {comparison.what} {where}, {load} ({interval})."
        )
    amount, word = abs(comparison.percent), "more" if comparison.percent > 0 else "fewer"
    if record.rate:
        word = "more" if comparison.percent > 0 else "less"
        return f"{other} takes {amount:.1f} % {word} {comparison.what} than {base} {where}, {load} ({interval})."
    return f"{other} serves {amount:.1f} % {word} {comparison.what} than {base} {where}, {load} ({interval})."
