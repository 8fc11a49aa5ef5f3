"""Plays a product's procedure in the embedded lab under traffic, and measures what each step broke and for how long."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from types import TracebackType
from typing import Self

from harness.errors import LabError
from harness.lab import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.lab.renewal import Renewals
from harness.model.case import Setup
from harness.model.catalogue import Flow
from harness.model.vocabulary import Path, Posture
from harness.products.rehearsal import LabStep, Order, Part

SEEN = 3
"""So many requests of each flow, begun after a step, decide whether it works."""
_PACE = 0.02
_PATIENCE = 60.0


@dataclass(frozen=True)
class Sample:
    """One request: when it began and ended, and why it was not served ('' where it was)."""

    began: float
    ended: float
    failed: str


@dataclass(frozen=True)
class Outage:
    """A flow was not served from step ``first`` (its number) to step ``last``; None: until the end."""

    flow: str
    first: int
    last: int | None
    seconds: float
    lost: int
    why: str


@dataclass(frozen=True)
class Played:
    """A step as it went: ``down`` are the flows not served after it, ``unsteady`` those served at times, ``lost`` the
    requests lost from its beginning to the next step's."""

    step: LabStep
    seconds: float
    down: tuple[str, ...]
    unsteady: tuple[str, ...]
    lost: int

    @property
    def as_predicted(self) -> bool:
        """Whether the lab agrees with the runbook's model."""
        return not self.unsteady and set(self.down) == set(self.step.down)


@dataclass(frozen=True)
class Result:
    """What became of an order."""

    order: Order
    served: int
    steps: tuple[Played, ...]
    outages: tuple[Outage, ...]

    @property
    def as_predicted(self) -> bool:
        """Whether every step broke what it should, and nothing else."""
        return all(step.as_predicted for step in self.steps)

    @property
    def down_seconds(self) -> float:
        """The time without service, all flows together."""
        return sum(outage.seconds for outage in self.outages)


@dataclass
class Traffic:
    """Keeps requests of every flow coming, each flow for itself; *request* makes one and says why it failed, or ''."""

    flows: Sequence[str]
    request: Callable[[str, int], str]
    samples: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._changed, self._over = threading.Condition(), threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(flow,), daemon=True) for flow in self.flows]
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        """Start."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._over.set()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def after(self, moment: float) -> Mapping[str, Sequence[Sample]]:
        """The first :data:`SEEN` requests of each flow that began after *moment*; waits for them."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._error or all(map(self._enough(moment), self.flows)), _PATIENCE)
            if self._error is not None:
                raise LabError(f"the traffic failed: {self._error}") from self._error
            if not done:
                raise LabError(f"a flow made fewer than {SEEN} requests in {_PATIENCE:.0f} s")
            return {flow: self._since(flow, moment)[:SEEN] for flow in self.flows}

    def _enough(self, moment: float) -> Callable[[str], bool]:
        return lambda flow: len(self._since(flow, moment)) >= SEEN

    def _since(self, flow: str, moment: float) -> list[Sample]:
        return [sample for sample in self.samples[flow] if sample.began >= moment]

    def _run(self, flow: str) -> None:
        number = 0
        try:
            while not self._over.is_set():
                began = time.monotonic()
                failed = self.request(flow, number)
                number += 1
                with self._changed:
                    self.samples[flow].append(Sample(began, time.monotonic(), failed))
                    self._changed.notify_all()
                self._over.wait(_PACE)
        except Exception as error:  # raised again where the result is awaited
            with self._changed:
                self._error = error
                self._changed.notify_all()


class Player:
    """Plays orders in *lab*, which is its own; *flows* are the catalogue's, *names* those with traffic."""

    def __init__(self, lab: ReferenceLab, flows: Mapping[str, Flow], names: Sequence[str], variant: str = "") -> None:
        self._lab, self._renewals, self._all = lab, Renewals(lab), flows
        self._names, self._variant = names, variant
        self._entrypoints = self._open()

    def _open(self) -> dict[str, Entrypoint]:
        setups = {name: self._setup(self._all[name]) for name in self._names}
        opened = self._lab.open(setups.values())
        found = {}
        for name, setup in setups.items():
            entrypoint = opened[setup]
            if not isinstance(entrypoint, Entrypoint):
                raise LabError(f"the server of {name} does not start: {entrypoint.message}")
            found[name] = entrypoint
        return found

    def _setup(self, flow: Flow) -> Setup:
        return self._at(flow.server.name)

    def _at(self, server: str) -> Setup:
        return Setup(server, Posture.DEFAULT, Path.DIRECT, variant=self._variant)

    def play(self, order: Order) -> Result:
        """Play *order* from a sound deployment; raises LabError where not every flow is served at first."""
        moments = []
        with Traffic(self._names, self._request) as traffic:
            first = traffic.after(time.monotonic())
            if broken := [flow for flow, samples in first.items() if any(sample.failed for sample in samples)]:
                raise LabError(f"not served before the first step: {', '.join(broken)}: {first[broken[0]][-1].failed}")
            states = []
            for step in order.steps:
                began = time.monotonic()
                self._do(step)
                done = time.monotonic()
                states.append(
                    {flow: {bool(each.failed) for each in seen} for flow, seen in traffic.after(done).items()}
                )
                moments.append((began, done))
        return _result(order, moments, states, traffic.samples)

    def _do(self, step: LabStep) -> None:
        self._renewals.reissue(step.renew)
        for part in step.restart:
            self._restart(part)
        for part in step.other_ca:
            self._restart(part, other_ca=True)
        for name in step.register:
            self._renewals.try_to_register(self._entrypoints[name], self._all[name])

    def _restart(self, part: Part, *, other_ca: bool = False) -> None:
        if part.server:
            self._renewals.restart_server(self._at(part.server), other_ca=other_ca)
        else:
            flow = self._all[part.client_of]
            self._renewals.restart_client(self._setup(flow), flow, other_ca=other_ca)

    def _request(self, name: str, number: int) -> str:
        flow = self._all[name]
        try:
            answer = self._lab.act(self._entrypoints[name], flow, f"rehearsal-{name}-{number}")
        except LabError as error:  # its client is being restarted, or has nothing to present
            return error.what
        return "" if answer["status"] == flow.success else str(answer["error"] or f"status {answer['status']}")


def _result(
    order: Order,
    moments: Sequence[tuple[float, float]],
    states: Sequence[Mapping[str, set[bool]]],
    samples: Mapping[str, Sequence[Sample]],
) -> Result:
    ends = [*(began for began, _ in moments[1:]), float("inf")]
    played = []
    for step, (began, done), end, state in zip(order.steps, moments, ends, states, strict=True):
        lost = sum(_lost(each, began, end) for each in samples.values())
        down = tuple(sorted(flow for flow, failed in state.items() if failed == {True}))
        unsteady = tuple(sorted(flow for flow, failed in state.items() if len(failed) > 1))
        played.append(Played(step, done - began, down, unsteady, lost))
    outages = tuple(outage for flow, each in samples.items() for outage in _outages(flow, each, moments))
    served = sum(not sample.failed for each in samples.values() for sample in each)
    return Result(order, served, tuple(played), tuple(sorted(outages, key=lambda outage: (outage.first, outage.flow))))


def _lost(samples: Sequence[Sample], began: float, end: float) -> int:
    return sum(bool(sample.failed) for sample in samples if began <= sample.began < end)


def _outages(flow: str, samples: Sequence[Sample], moments: Sequence[tuple[float, float]]) -> Iterator[Outage]:
    """Every run of failed requests: from the first of them to the end of the next that was served."""
    runs = [(failed, list(run)) for failed, run in groupby(samples, key=lambda sample: bool(sample.failed))]
    for number, (failed, run) in enumerate(runs):
        if failed:
            back = runs[number + 1][1][0] if number + 1 < len(runs) else None
            seconds = (back.ended if back else run[-1].ended) - run[0].began
            last = _step_at(back.ended, moments) if back else None
            yield Outage(flow, _step_at(run[0].ended, moments), last, round(seconds, 3), len(run), run[-1].failed)


def _step_at(moment: float, moments: Sequence[tuple[float, float]]) -> int:
    """The number, from 1, of the step that had begun last at *moment*."""
    return max(1, sum(began <= moment for began, _ in moments))
